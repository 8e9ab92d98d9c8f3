"""Clocks behind one small interface, and the loop that takes samples."""

from gconvbench.timing.clock import Clock, HostClock
from gconvbench.timing.sampling import Sampling, take_samples, warm_up
from gconvbench.timing.unrolled import UnrolledClock

__all__ = ["Clock", "HostClock", "Sampling", "UnrolledClock", "take_samples", "warm_up"]
