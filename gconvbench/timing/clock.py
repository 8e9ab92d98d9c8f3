"""What a clock is, and the host's."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.records import ClockFacts

__all__ = ["Clock", "HostClock"]

_LARGEST_OVERHEAD = 1e-3
"""Reading the clock may cost this share of a sample."""
_SHORTEST_SAMPLE_S = 1e-3
"""Shorter samples see single interruptions and cache misses of the loop around them."""
_READINGS = 201


class Clock(Protocol):
    """Times launches; what a chunk is (one sample or many) is the clock's own business."""

    @property
    def tick_s(self) -> float:
        """The smallest difference that it can show, in seconds."""

    def begin(self, launch: Callable[[], object], launch_s: float) -> int:
        """Begin with a new launch of about `launch_s` seconds: how many to batch into a sample."""

    def chunk(self, launch: Callable[[], object], launches: int) -> Sequence[float]:
        """Some samples, each the mean seconds per launch over `launches` launches."""

    def labels(self) -> tuple[str, ...]:
        """What went wrong in the chunks of this launch, in the report's words."""

    def facts(self) -> ClockFacts | None:
        """What a device's clock knows of the samples of this launch; None of the host's."""


class HostClock:
    """Wall time on the host of launches and of waiting for them to be done.

    Args:
        now: a monotonic clock in seconds.
        synchronize: returns when all launches are done; where calls return when they are, nothing.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.perf_counter,
        synchronize: Callable[[], object] = lambda: None,
    ) -> None:
        self._now = now
        self._synchronize = synchronize
        readings = [now() for _ in range(_READINGS)]
        steps = [b - a for a, b in itertools.pairwise(readings)]
        self._overhead_s = statistics.median(steps)
        self._tick_s = min((step for step in steps if step > 0), default=0.0)

    @property
    def tick_s(self) -> float:
        """The smallest step seen between two readings."""
        return self._tick_s

    @property
    def overhead_s(self) -> float:
        """What reading it once costs."""
        return self._overhead_s

    def begin(self, launch: Callable[[], object], launch_s: float) -> int:  # noqa: ARG002
        """As many as make a millisecond, and keep the clock's own cost under 0.1 % of a sample."""
        sample_s = max(_SHORTEST_SAMPLE_S, self._overhead_s / _LARGEST_OVERHEAD)
        return max(1, math.ceil(sample_s / max(launch_s, 1e-9)))

    def chunk(self, launch: Callable[[], object], launches: int) -> Sequence[float]:
        """One sample."""
        repeats = range(launches)
        start = self._now()
        for _ in repeats:
            launch()
        self._synchronize()
        return ((self._now() - start) / launches,)

    def labels(self) -> tuple[str, ...]:
        """Nothing to report."""
        return ()

    def facts(self) -> ClockFacts | None:
        """None."""
        return None
