"""Slow climbs, which a search for steps cuts into stairs or does not see at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gconvbench.history.levels import SMALLEST_STEP, step_between
from gconvbench.history.ramps import SHORTEST, Ramp, best_place, course, fit_ramp, placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gconvbench.history.ramps import Fit, Noise

    Values = NDArray[np.float64]

__all__ = ["added_up", "drifts_in", "flattened"]

_AROUND = 36
"""So many runs on either side of a step are asked whether it is part of a climb."""
_SMALLEST = 0.02
"""The gate's minimum effect."""
_ENDS = (24, 12)
_THRESHOLD = 5.0
"""Windows and threshold of the second opinion on steps."""
_FEWEST = 16
_FEWEST_AFTER = 3
"""So many runs a new level lasts at the end of a history."""
_NEAR = 2
"""So many runs from its end a step against a climb is none of its own."""


def drifts_in(values: Values, starts: Sequence[int], noise: Noise) -> list[Ramp]:
    """The slow climbs and falls.

    First each step is held against a climb around it, then each stretch without a step is looked at
    by its ends. Where a climb explains the values better it takes the place of the steps within it.
    Then it is fitted together with the steps near it, which may have shortened or moved it.

    Args:
        values: (n,), none missing.
        starts: of levels that differ.
        noise: of the whole history.
    """
    found: list[Ramp] = []
    edges = [0, *starts, len(values)]
    for low, start, high in zip(edges, edges[1:], edges[2:], strict=False):
        region = max(low, start - _AROUND), min(high, start + _AROUND)
        found += _climb(values, region, noise)
    joined = _joined(found)
    apart = [start for start in starts if not any(_covers(ramp, start) for ramp in joined)]
    for region in _stretches(apart, joined, len(values)):
        if _ends_differ(values[slice(*region)], noise):
            joined += _climb(values, region, noise)
    ramps = _joined(joined)
    for _ in ramps:
        fitted = _fitted(values, ramps, apart, noise)
        ramps = _joined(fitted)
        if len(ramps) == len(fitted):  # no two of them have turned out to be one
            return fitted
    return ramps


def _climb(values: Values, region: tuple[int, int], noise: Noise) -> list[Ramp]:
    """The climb in a region, where it explains the values clearly better than a step."""
    low, high = region
    if high - low < _FEWEST:
        return []
    fit = fit_ramp(values[low:high], noise)
    is_better = fit.step - fit.left > noise.penalty * fit.variance
    return [_moved(fit.ramp, low)] if is_better and abs(fit.ramp.change) >= _SMALLEST else []


def _fitted(
    values: Values, ramps: Sequence[Ramp], apart: Sequence[int], noise: Noise
) -> list[Ramp]:
    """The climbs as they are beside the steps near them; of a long one only a part was known."""
    found: list[Ramp] = []
    for ramp in ramps:
        low, high = _around(ramp, ramps, apart, len(values))
        fit = _beside_steps(values[low:high], noise)
        is_better = fit.flat - fit.left > noise.penalty * fit.variance
        if is_better and abs(fit.ramp.change) >= _SMALLEST:
            found.append(_moved(fit.ramp, low))
    return found


def _around(ramp: Ramp, ramps: Sequence[Ramp], starts: Sequence[int], n: int) -> tuple[int, int]:
    """The runs around a climb, as far as the next step or climb."""
    before = [s for s in starts if s <= ramp.first]
    before += [one.last + 1 for one in ramps if one.last < ramp.first]
    after = [s for s in starts if s > ramp.last]
    after += [one.first for one in ramps if one.first > ramp.last]
    return max(0, ramp.first - _AROUND, *before), min(n, ramp.last + 1 + _AROUND, *after)


def _beside_steps(values: Values, noise: Noise) -> Fit:
    """The best climb beside all steps that explain what no climb does, the clearest first."""
    steps: list[int] = []
    best = fit_ramp(values, noise)
    ramp, _ = placed(values, best.ramp, steps)
    places = range(SHORTEST, len(values) - _FEWEST_AFTER)
    while others := [place for place in places if place not in steps]:
        steps.append(best_place(values, others, steps))
        fit = fit_ramp(values, noise, steps)
        if best.left - fit.left <= noise.penalty * fit.variance:
            break
        one, sizes = placed(values, fit.ramp, steps)
        if abs(sizes[-1]) < SMALLEST_STEP or _rounds_a_corner(one, steps[-1], sizes[-1]):
            break
        best, ramp = fit, one
    return best._replace(ramp=ramp)


def _rounds_a_corner(ramp: Ramp, step: int, size: float) -> bool:
    """Whether a step only mends the end of a climb that is too long, too short or too steep."""
    near = min(abs(step - ramp.first), abs(step - ramp.last - 1))
    return near <= _NEAR and size * ramp.change < 0


def flattened(values: Values, ramps: Sequence[Ramp]) -> Values:
    """The values without the climbs, (n,)."""
    return values - sum((ramp.change * course(ramp, len(values)) for ramp in ramps), np.zeros(1))


def _moved(ramp: Ramp, by: int) -> Ramp:
    return ramp._replace(first=by + ramp.first, last=by + ramp.last)


def _joined(ramps: Sequence[Ramp]) -> list[Ramp]:
    """Parts of one climb as one, with the change of the largest part; none overlaps another.

    Those are parts that go the same way with no room for a level between them. A climb and a fall
    that overlap meet in the middle.
    """
    joined: list[Ramp] = []
    for ramp in sorted(ramps):
        before = joined[-1] if joined else None
        if before and _is_same_way(before, ramp):
            larger = max(before, ramp, key=lambda one: abs(one.change))
            joined[-1] = larger._replace(first=before.first, last=max(before.last, ramp.last))
        elif before and ramp.first <= before.last:
            middle = (ramp.first + min(before.last, ramp.last)) // 2
            joined[-1] = before._replace(last=middle)
            joined.append(ramp._replace(first=middle + 1, last=max(middle + 1, ramp.last)))
        else:
            joined.append(ramp)
    return joined


def _is_same_way(before: Ramp, ramp: Ramp) -> bool:
    return ramp.first <= before.last + SHORTEST and ramp.change * before.change > 0


def added_up(ramps: Sequence[Ramp]) -> list[Ramp]:
    """Climbs that were found on top of each other, as one with the sum of their changes.

    Those are parts of one climb, and what mends the larger part of another.
    """
    found: list[Ramp] = []
    for ramp in sorted(ramps):
        before = found[-1] if found else None
        if before and (_is_same_way(before, ramp) or _is_within(before, ramp)):
            found[-1] = Ramp(
                before.first,
                max(before.last, ramp.last),
                before.change + ramp.change,
                math.hypot(before.half_width, ramp.half_width),
            )
        else:
            found.append(ramp)
    return [ramp for ramp in found if abs(ramp.change) >= _SMALLEST]


def _is_within(one: Ramp, other: Ramp) -> bool:
    """Whether more than half of the shorter one lies within the longer one."""
    common = min(one.last, other.last) - max(one.first, other.first) + 1
    return 2 * common > min(one.last - one.first, other.last - other.first) + 1


def _covers(ramp: Ramp, start: int) -> bool:
    return ramp.first - 5 <= start <= ramp.last + 5


def _stretches(starts: Sequence[int], ramps: Sequence[Ramp], n: int) -> list[tuple[int, int]]:
    edges = [*((s, s) for s in starts), *((r.first, r.last + 1) for r in ramps), (n, n)]
    found, low = [], 0
    for first, end in sorted(edges):
        found += [(low, first)] if first - low >= _FEWEST else []
        low = max(low, end)  # a climb and a fall may overlap
    return found


def _ends_differ(values: Values, noise: Noise) -> bool:
    half = len(values) // 2
    first, last = values[: min(_ENDS[0], half)], values[-min(_ENDS[1], half) :]
    step = step_between(first, last, noise.sigma, noise.memory)
    return abs(step.change) >= _SMALLEST and step.half_width * _THRESHOLD / 1.96 < abs(step.change)
