"""Two sides' records and what they come down to. Imports no torch."""

from gconvbench.comparing.conclude import Row, findings_of, job_verdicts, with_judgement
from gconvbench.comparing.incomparable import other_environment, other_method
from gconvbench.comparing.pairs import Offer, Pair, pair_up
from gconvbench.comparing.stored import (
    compare_runs,
    facts_of,
    offer_of,
    records_by_job,
    times_of,
)

__all__ = [
    "Offer",
    "Pair",
    "Row",
    "compare_runs",
    "facts_of",
    "findings_of",
    "job_verdicts",
    "offer_of",
    "other_environment",
    "other_method",
    "pair_up",
    "records_by_job",
    "times_of",
    "with_judgement",
]
