"""Are there enough samples? One criterion, on the precision of the median. Imports no torch."""

from __future__ import annotations

import bisect
import statistics
from typing import Protocol

from gconvbench.stats import median_half_width

__all__ = ["MedianPrecision", "StoppingCriterion"]


class StoppingCriterion(Protocol):
    """Samples go in one by one; sampling ends when `is_finished`."""

    def add(self, sample_s: float, elapsed_s: float) -> None:
        """Take note of a sample that took `elapsed_s` to obtain, overheads included."""

    @property
    def is_finished(self) -> bool:
        """Whether to stop."""

    @property
    def target_reached(self) -> bool:
        """Whether the samples are as precise as asked for."""


class MedianPrecision:
    """Stop when the median's 95 % interval is narrow enough, or at a cap.

    The half-width is never taken for less than half the clock's tick: identical readings of a
    coarse clock are no proof of precision.

    Args:
        target: half-width over median.
        min_samples: fewest samples before the target counts.
        max_samples: cap on samples.
        min_time_s: least measured time before the target counts.
        max_time_s: cap on elapsed time; at least one sample is always taken.
        tick_s: resolution of a sample, in seconds.
    """

    def __init__(  # noqa: PLR0913 (keyword-only, one per rule)
        self,
        *,
        target: float,
        min_samples: int,
        max_samples: int,
        min_time_s: float,
        max_time_s: float,
        tick_s: float,
    ) -> None:
        self._target = target
        self._min_samples = min_samples
        self._max_samples = max_samples
        self._min_time_s = min_time_s
        self._max_time_s = max_time_s
        self._tick_s = tick_s
        self._ordered: list[float] = []
        self._elapsed_s = 0.0

    def add(self, sample_s: float, elapsed_s: float) -> None:
        """Take note of a sample that took `elapsed_s` to obtain, overheads included."""
        bisect.insort(self._ordered, sample_s)
        self._elapsed_s += elapsed_s

    @property
    def is_finished(self) -> bool:
        """Whether the target or a cap is reached."""
        if len(self._ordered) >= self._max_samples:
            return True
        if self._ordered and self._elapsed_s >= self._max_time_s:
            return True
        enough = len(self._ordered) >= self._min_samples and self._elapsed_s >= self._min_time_s
        return enough and self.target_reached

    @property
    def target_reached(self) -> bool:
        """Whether the half-width is within the target."""
        half_width = median_half_width(self._ordered)
        if half_width is None:
            return False
        floor_s = self._tick_s / 2
        return max(half_width, floor_s) <= self._target * statistics.median(self._ordered)
