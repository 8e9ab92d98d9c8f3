"""Proof that an implementation is right, before it is timed."""

from gconvbench.accuracy.check import Proof, prove
from gconvbench.accuracy.limit import error_limit
from gconvbench.accuracy.reference import reference_results

__all__ = ["Proof", "error_limit", "prove", "reference_results"]
