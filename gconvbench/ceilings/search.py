"""The highest rate of work over its sizes."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.failure import is_out_of_memory
from gconvbench.stopping import MedianPrecision
from gconvbench.timing import Clock, take_samples, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.ceilings.work import Work

__all__ = ["Highest", "Stopwatch", "Timed", "highest"]

_FEWEST_SAMPLES = 3
_FEWEST_LAUNCHES = 5 + _FEWEST_SAMPLES
"""A size takes about so many: the first, one to warm up, three by which a clock finds out how long
they take, the samples."""
_PAYS = 0.01
"""A larger size must bring this much more; two in a row that do not end the search."""
_STALE = 2
_SAMPLING_S = 0.25
_WARM_UP_S = 0.05


@dataclass(frozen=True)
class Stopwatch:
    """The time of a launch.

    Args:
        clock: what to read.
        synchronize: returns when the device has done all its work.
        target: half-width of the median's interval at which sampling stops, as its share.
        now: what time caps are measured with, in seconds.
    """

    clock: Clock
    synchronize: Callable[[], None]
    target: float
    now: Callable[[], float] = time.perf_counter

    def time(self, launch: Callable[[], object]) -> Timed:
        """After warming up; of three samples at the least, however long they take."""
        launch()
        launch_s = warm_up(launch, self.synchronize, time_s=_WARM_UP_S, now=self.now)
        sampling = take_samples(
            launch,
            self.clock,
            lambda tick_s: _Precision(self.target, tick_s),
            launch_s=launch_s,
            now=self.now,
        )
        return Timed(statistics.median(sampling.samples_s), self.clock.labels())


class Timed(NamedTuple):
    """The median of a launch's samples in seconds, and what the clock says of them.

    That they miss the target is no label of a ceiling: a large product has its three samples.
    """

    median_s: float
    labels: tuple[str, ...]


class _Precision(MedianPrecision):
    """The median's, within a quarter of a second; three samples however long they take."""

    def __init__(self, target: float, tick_s: float) -> None:
        super().__init__(
            target=target,
            min_samples=10,
            max_samples=200,
            min_time_s=0.02,
            max_time_s=_SAMPLING_S,
            tick_s=tick_s,
        )
        self._left = _FEWEST_SAMPLES

    def add(self, sample_s: float, elapsed_s: float) -> None:
        self._left -= 1
        super().add(sample_s, elapsed_s)

    @property
    def is_finished(self) -> bool:
        return self._left <= 0 and super().is_finished


class Highest(NamedTuple):
    """The highest rate that was found, per second, and the size of which work reached it.

    `labels` are those of its samples. What they say makes a time too long, so the rate is too low
    rather than wrong, and counts.
    """

    per_s: float
    size: int
    work: str
    labels: tuple[str, ...] = ()


def highest(work: Work, watch: Stopwatch, *, budget_s: float) -> Highest | None:
    """The highest rate over growing sizes, while growing pays, and time and memory last.

    Args:
        work: what to launch; its first size is always tried.
        watch: times it.
        budget_s: no size is begun that would end after this.

    Returns:
        None where not even the first fits into memory.
    """
    end = watch.now() + budget_s
    best: Highest | None = None
    rate, stale = 0.0, 0
    for size in work.sizes:
        if rate and watch.now() + _FEWEST_LAUNCHES * work.amount(size) / rate > end:
            break
        try:
            timed = watch.time(work.prepare(size))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            break
        rate = work.amount(size) / timed.median_s
        stale = 0 if best is None or rate > (1 + _PAYS) * best.per_s else stale + 1
        if best is None or rate > best.per_s:
            best = Highest(rate, size, work.name, timed.labels)
        if stale == _STALE:
            break
    return best
