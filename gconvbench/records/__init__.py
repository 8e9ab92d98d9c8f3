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
from gconvbench.records.differences import (
    Comparability,
    Difference,
    comparability,
    differences,
    method_differences,
)
from gconvbench.records.environment import UNSET, WITHHELD, Environment, Scalar
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
    "UNSET",
    "WITHHELD",
    "Accuracy",
    "Agreement",
    "Comparability",
    "Difference",
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
    "Scalar",
    "Telemetry",
    "TensorAccuracy",
    "Timing",
    "comparability",
    "decode_line",
    "differences",
    "encode_line",
    "method_differences",
]
