"""Proof that an implementation is right, before it is timed."""

from gconvbench.accuracy.check import Proof, prove, prove_again
from gconvbench.accuracy.limit import error_limit
from gconvbench.accuracy.reference import reference_results

__all__ = ["Proof", "error_limit", "prove", "prove_again", "reference_results"]
