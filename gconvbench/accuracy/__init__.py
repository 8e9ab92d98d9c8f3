"""Proof that an implementation is right, before it is timed."""

from gconvbench.accuracy.check import exact_verdicts, output_fault, prove, prove_again
from gconvbench.accuracy.integers import integer_checks
from gconvbench.accuracy.limit import Rows, error_limit, result_limit
from gconvbench.accuracy.proof import Proof
from gconvbench.accuracy.reference import reference_results, valid_taps
from gconvbench.accuracy.stale import prepared_operands

__all__ = [
    "Proof",
    "Rows",
    "error_limit",
    "exact_verdicts",
    "integer_checks",
    "output_fault",
    "prepared_operands",
    "prove",
    "prove_again",
    "reference_results",
    "result_limit",
    "valid_taps",
]
