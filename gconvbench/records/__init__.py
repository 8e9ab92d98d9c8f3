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
from gconvbench.records.dispatch import Dispatch, dispatch_text, united_dispatch
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
    Origin,
    Plan,
    PlannedCase,
    decode_line,
    encode_line,
)
from gconvbench.records.verdicts import (
    ACCEPTABLE,
    FAILABLE,
    FINDING_KINDS,
    JOB_KINDS,
    VERDICT_SCHEMA,
    Change,
    Comparison,
    Finding,
    JobVerdict,
    SideFacts,
    Suite,
)

__all__ = [
    "ACCEPTABLE",
    "FAILABLE",
    "FAILED_OUTCOMES",
    "FINDING_KINDS",
    "ISOLATED_IF_FINITE",
    "JOB_KINDS",
    "MEASURED_OUTCOMES",
    "RIGHT",
    "SCHEMA",
    "UNSET",
    "VERDICT_SCHEMA",
    "WITHHELD",
    "Accuracy",
    "Agreement",
    "Change",
    "Comparability",
    "Comparison",
    "Difference",
    "Dispatch",
    "Environment",
    "Finding",
    "Footer",
    "Header",
    "Job",
    "JobVerdict",
    "Line",
    "Memory",
    "Method",
    "Origin",
    "Outcome",
    "Plan",
    "PlannedCase",
    "Record",
    "Scalar",
    "SideFacts",
    "Suite",
    "Telemetry",
    "TensorAccuracy",
    "Timing",
    "comparability",
    "decode_line",
    "differences",
    "dispatch_text",
    "encode_line",
    "method_differences",
    "united_dispatch",
]
