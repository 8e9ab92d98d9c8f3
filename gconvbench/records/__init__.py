"""What is asked of a worker and what is left behind: the schema of stored runs.

A stored run is a file of JSON lines. Each line is one of `Header`, `Record` and `Footer`, told
apart by its key `kind`. `SCHEMA` goes up whenever a reader of the old schema would misread the new.
Durations are seconds, sizes bytes. Numbers that are not finite are stored as null.
"""

from gconvbench.records.accuracy import (
    ISOLATED_IF_FINITE,
    RIGHT,
    Accuracy,
    Agreement,
    TensorAccuracy,
)
from gconvbench.records.job import (
    FAILED_OUTCOMES,
    MEASURED_OUTCOMES,
    Job,
    Memory,
    Outcome,
    Record,
    Telemetry,
    Timing,
)
from gconvbench.records.run import (
    SCHEMA,
    Environment,
    Footer,
    Header,
    Line,
    Method,
    Plan,
    PlannedCase,
    decode_line,
    encode_line,
)

__all__ = [
    "FAILED_OUTCOMES",
    "ISOLATED_IF_FINITE",
    "MEASURED_OUTCOMES",
    "RIGHT",
    "SCHEMA",
    "Accuracy",
    "Agreement",
    "Environment",
    "Footer",
    "Header",
    "Job",
    "Line",
    "Memory",
    "Method",
    "Outcome",
    "Plan",
    "PlannedCase",
    "Record",
    "Telemetry",
    "TensorAccuracy",
    "Timing",
    "decode_line",
    "encode_line",
]
