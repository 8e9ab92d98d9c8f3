"""Proof that an implementation is right, before it is timed."""

from gconvbench.accuracy.check import prove, prove_again
from gconvbench.accuracy.limit import Rows, error_limit, result_limit
from gconvbench.accuracy.proof import Proof
from gconvbench.accuracy.reference import reference_results

__all__ = [
    "Proof",
    "Rows",
    "error_limit",
    "prove",
    "prove_again",
    "reference_results",
    "result_limit",
]
