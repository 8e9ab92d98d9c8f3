"""Two sides' records and what they come down to. Imports no torch."""

from gconvbench.comparing.conclude import Row, findings_of, job_verdicts, median_s, suite_of
from gconvbench.comparing.pairs import Offer, Pair, pair_up

__all__ = [
    "Offer",
    "Pair",
    "Row",
    "findings_of",
    "job_verdicts",
    "median_s",
    "pair_up",
    "suite_of",
]
