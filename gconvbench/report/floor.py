"""The noise floor: how far two measurings of the very same job lie apart in one run (A/A)."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import msgspec

from gconvbench.records import MEASURED_OUTCOMES
from gconvbench.stats import paired_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.records import Job
    from gconvbench.store import Run

__all__ = ["Floor", "floor_of", "floors"]

_CLASSES = (
    (100e-6, "under 100 µs"),
    (10e-3, "100 µs to 10 ms"),
    (math.inf, "over 10 ms"),
)
"""Upper ends in seconds. Below 100 µs launching and the clock's neighbourhood count, above 10 ms
memory traffic and whatever else shares the machine."""
_FEWEST_FOR_QUANTILE = 20
"""Below this the largest of all stands for the 95 % quantile."""


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What differs by less than this may be the same, in one class of times.

    Attributes:
        name: of the class.
        pairs: jobs that were measured twice.
        median: of the differences, on the log scale (0.01 is about 1 %).
        upper: their 95 % quantile, or of fewer than 20 pairs the largest.
    """

    name: str
    pairs: int
    median: float
    upper: float

    @property
    def is_largest(self) -> bool:
        """Whether `upper` is the largest difference seen, for want of pairs."""
        return self.pairs < _FEWEST_FOR_QUANTILE


def floors(run: Run) -> tuple[Floor, ...]:
    """The floor of each class of times in which the run has twins, by the first cache mode."""
    by_class: dict[int, list[float]] = {}
    for once, twice in _pairs(run):
        if ratio := paired_ratio(once, twice):
            number = _class_of(statistics.median(once.values()))
            by_class.setdefault(number, []).append(abs(math.log(ratio.value)))
    return tuple(_floor(number, sorted(found)) for number, found in sorted(by_class.items()))


def floor_of(found: Sequence[Floor], time_s: float) -> float:
    """What a time of this length cannot be told from another by, 0 where that was not measured."""
    name = _CLASSES[_class_of(time_s)][1]
    return next((floor.upper for floor in found if floor.name == name), 0.0)


def _pairs(run: Run) -> list[tuple[dict[int, float], dict[int, float]]]:
    """Medians by round of each job and its twin, in seconds."""
    medians_s: dict[Job, dict[int, float]] = {}
    bad = {r.job for r in run.records if r.outcome not in MEASURED_OUTCOMES}
    for record in run.records:
        if record.timings and record.job not in bad:
            medians_s.setdefault(record.job, {})[record.round] = record.timings[0].median_s
    twins = [job for job in medians_s if job.twin]
    first = {job: msgspec.structs.replace(job, twin=0) for job in twins}
    return [(medians_s[first[job]], medians_s[job]) for job in twins if first[job] in medians_s]


def _class_of(time_s: float) -> int:
    return next(number for number, (below_s, _) in enumerate(_CLASSES) if time_s < below_s)


def _floor(number: int, ordered: list[float]) -> Floor:
    enough = len(ordered) >= _FEWEST_FOR_QUANTILE
    upper = statistics.quantiles(ordered, n=20)[-1] if enough else ordered[-1]
    return Floor(
        name=_CLASSES[number][1],
        pairs=len(ordered),
        median=statistics.median(ordered),
        upper=upper,
    )
