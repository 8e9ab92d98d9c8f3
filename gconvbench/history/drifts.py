"""Slow climbs, which a search for steps cuts into stairs or does not see at all."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gconvbench.history.levels import step_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = ["Noise", "Ramp", "drifts_in", "flattened"]

_SHORTEST = 8
"""As a level: within fewer runs a climb is a step that spikes have rounded."""
_AROUND = 36
"""So many runs on either side of a step are asked whether it is part of a climb."""
_MOST_CELLS = 64
"""Longer stretches are averaged down, so that all ramps can be tried in a millisecond."""
_SMALLEST = 0.02
"""The gate's minimum effect."""
_ENDS = (24, 12)
_THRESHOLD = 5.0
"""Windows and threshold of the second opinion on steps."""
_FEWEST = 16
_FEWEST_AFTER = 3
"""So many runs a new level lasts at the end of a history."""
_SMALLEST_STEP = 0.01
"""As between levels."""
_COARSE = 3
"""Runs between places that are tried at first."""
_LEAST_OWN = 0.1
"""So much of a ramp's length must be left when steps are taken out of it, or it is one of them."""


class Noise(NamedTuple):
    """What a climb has to stand out from.

    Attributes:
        sigma: standard deviation, on the log scale.
        memory: by which factor neighbours that resemble each other inflate the variance of a mean.
        penalty: what a climb or a step must explain more than without it, in squares of sigma.
    """

    sigma: float
    memory: float
    penalty: float


class Ramp(NamedTuple):
    """Level, straight climb or fall, level.

    Attributes:
        first: the first run that is off the old level.
        last: the last run of the climb.
        change: of the level, on the log scale.
        half_width: of its 95 % interval, on the log scale.
    """

    first: int
    last: int
    change: float
    half_width: float


class _Shapes(NamedTuple):
    """All ramps over a number of cells, centred and of length 1: (shapes, cells)."""

    unit: Values
    norm: Values
    start: NDArray[np.intp]
    length: NDArray[np.intp]


class _Fit(NamedTuple):
    """The best ramp beside given steps; sums of squares in units of one run.

    Attributes:
        ramp: counted from the region's first run.
        left: what it leaves unexplained.
        flat: what the given steps alone leave.
        step: what they and one more step leave.
        variance: of the noise.
    """

    ramp: Ramp
    left: float
    flat: float
    step: float
    variance: float


def drifts_in(values: Values, starts: Sequence[int], noise: Noise) -> tuple[list[Ramp], list[int]]:
    """The slow climbs and falls, and the steps that are left when their stairs are taken out.

    First each step is held against a climb around it, then each stretch without a step is looked at
    by its ends. Where a climb explains the values better it takes the place of the steps within it;
    then the steps beside it are sought anew, as it may have hidden or moved them.

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
    return _sorted_out(values, sorted(joined), apart, noise)


def _climb(values: Values, region: tuple[int, int], noise: Noise) -> list[Ramp]:
    """The climb in a region, where it explains the values clearly better than a step."""
    low, high = region
    if high - low < _FEWEST:
        return []
    fit = _fit(values[low:high], noise)
    is_better = fit.step - fit.left > noise.penalty * fit.variance
    return [_moved(fit.ramp, low)] if is_better and abs(fit.ramp.change) >= _SMALLEST else []


def _sorted_out(
    values: Values, ramps: Sequence[Ramp], apart: Sequence[int], noise: Noise
) -> tuple[list[Ramp], list[int]]:
    """Climbs and steps that explain the values together; of a long climb only a part was known."""
    found: list[Ramp] = []
    left = list(apart)
    for ramp in ramps:
        low, high = _around(ramp, ramps, apart, len(values))
        places = range(_SHORTEST, high - low - _FEWEST_AFTER)
        steps, fit = _steps_beside(values[low:high], places, noise)
        left += [low + step for step in steps]
        is_better = fit.flat - fit.left > noise.penalty * fit.variance
        if is_better and abs(fit.ramp.change) >= _SMALLEST:
            found.append(_moved(fit.ramp, low))
    return found, sorted(left)


def _around(ramp: Ramp, ramps: Sequence[Ramp], starts: Sequence[int], n: int) -> tuple[int, int]:
    """The runs around a climb, as far as the next step or climb."""
    before = [s for s in starts if s <= ramp.first]
    before += [one.last + 1 for one in ramps if one.last < ramp.first]
    after = [s for s in starts if s > ramp.last]
    after += [one.first for one in ramps if one.first > ramp.last]
    return max(0, ramp.first - _AROUND, *before), min(n, ramp.last + 1 + _AROUND, *after)


def _steps_beside(values: Values, places: range, noise: Noise) -> tuple[list[int], _Fit]:
    """The steps that explain what no climb does, the clearest first, and the climb beside them."""
    steps: list[int] = []
    best = _fit(values, noise)
    while found := _next_step(values, places, steps, noise):
        place, fit = found
        size = _size(values, [*steps, place], fit.ramp)
        is_better = best.left - fit.left > noise.penalty * fit.variance
        if not is_better or abs(size) < _SMALLEST_STEP:
            break
        steps.append(place)
        best = fit
    return steps, best


def _next_step(
    values: Values, places: range, steps: Sequence[int], noise: Noise
) -> tuple[int, _Fit] | None:
    """Where one more step explains most: every third place is tried, then those around the best."""
    fits: dict[int, _Fit] = {}
    near = places[::_COARSE]
    for _ in range(2):
        more = [place for place in near if place not in fits and place not in steps]
        fits |= {place: _fit(values, noise, [*steps, place]) for place in more}
        if not fits:
            return None
        best = min(fits, key=lambda place: fits[place].left)
        near = range(max(places[0], best - _COARSE + 1), min(best + _COARSE, places[-1] + 1))
    return best, fits[best]


def _size(values: Values, steps: Sequence[int], ramp: Ramp) -> float:
    """Of the last of the steps, when all of them and the ramp are fitted together."""
    place = np.arange(len(values))
    columns = [np.ones(len(values)), _shape(ramp, len(values)), *(place >= s for s in steps)]
    fitted = np.linalg.lstsq(np.stack(columns, axis=1).astype(np.float64), values)[0]
    return float(fitted[-1])


def flattened(values: Values, ramps: Sequence[Ramp]) -> Values:
    """The values without the climbs, (n,)."""
    return values - sum((ramp.change * _shape(ramp, len(values)) for ramp in ramps), np.zeros(1))


def _shape(ramp: Ramp, n: int) -> Values:
    before = ramp.first - 1
    return np.clip((np.arange(n) - before) / (ramp.last - before), 0, 1)


def _moved(ramp: Ramp, by: int) -> Ramp:
    return ramp._replace(first=by + ramp.first, last=by + ramp.last)


def _fit(values: Values, noise: Noise, steps: Sequence[int] = ()) -> _Fit:
    """The best ramp by least squares, beside steps at these places."""
    size = math.ceil(len(values) / _MOST_CELLS)
    count = len(values) // size
    cells = values[: count * size].reshape(count, size).mean(axis=1)
    shapes = _shapes(count)
    centred = cells - cells.mean()
    unit, norm = shapes.unit, shapes.norm
    is_ramp = shapes.length * size >= _SHORTEST
    if steps:
        known = _steps_in_cells(steps, count, size)
        centred = centred - known @ (known.T @ centred)
        unit = unit - (unit @ known) @ known.T
        own = np.linalg.norm(unit, axis=1)
        is_ramp &= own > _LEAST_OWN
        own = np.maximum(own, _LEAST_OWN)
        unit, norm = unit / own[:, None], norm * own
    total = float(centred @ centred)
    along = unit @ centred
    left = np.maximum(total - along**2, 0.0) * size
    best = int(np.where(is_ramp, left, np.inf).argmin())
    variance = max(noise.sigma**2, float(left[best]) / max(count - 4 - len(steps), 1))
    change = float(along[best] / norm[best])
    error = math.sqrt(noise.memory * variance / size) / float(norm[best])
    start, length = int(shapes.start[best]) * size, int(shapes.length[best]) * size
    return _Fit(
        Ramp(start + 1, min(start + length, len(values) - 1), change, 1.96 * error),
        left=float(left[best]),
        flat=total * size,
        step=float(left[shapes.length == 1].min()),
        variance=variance,
    )


def _steps_in_cells(steps: Sequence[int], count: int, size: int) -> Values:
    """An orthonormal basis of the steps as the cells' means have them, (cells, steps)."""
    place = np.arange(count * size)
    columns = [(place >= step).reshape(count, size).mean(axis=1) for step in steps]
    basis: Values = np.linalg.qr(np.stack([one - one.mean() for one in columns], axis=1))[0]
    return basis


@functools.cache
def _shapes(cells: int) -> _Shapes:
    start, length = np.array(
        [(i, k) for i in range(cells - 1) for k in range(1, cells - i)], dtype=np.intp
    ).T
    place = np.arange(cells)
    shapes = np.clip((place - start[:, None]) / length[:, None], 0, 1)
    shapes -= shapes.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(shapes, axis=1)
    return _Shapes(shapes / norm[:, None], norm, start, length)


def _joined(ramps: Sequence[Ramp]) -> list[Ramp]:
    """Climbs that overlap and go the same way are one; the change is that of the larger."""
    joined: list[Ramp] = []
    for ramp in sorted(ramps):
        before = joined[-1] if joined else None
        if before and ramp.first <= before.last + 1 and ramp.change * before.change > 0:
            larger = max(before, ramp, key=lambda one: abs(one.change))
            joined[-1] = larger._replace(first=before.first, last=max(before.last, ramp.last))
        else:
            joined.append(ramp)
    return joined


def _covers(ramp: Ramp, start: int) -> bool:
    return ramp.first - 5 <= start <= ramp.last + 5


def _stretches(starts: Sequence[int], ramps: Sequence[Ramp], n: int) -> list[tuple[int, int]]:
    edges = [*((s, s) for s in starts), *((r.first, r.last + 1) for r in ramps), (n, n)]
    found, low = [], 0
    for first, end in sorted(edges):
        found += [(low, first)] if first - low >= _FEWEST else []
        low = max(low, end)  # a step may lie within a climb
    return found


def _ends_differ(values: Values, noise: Noise) -> bool:
    half = len(values) // 2
    first, last = values[: min(_ENDS[0], half)], values[-min(_ENDS[1], half) :]
    step = step_between(first, last, noise.sigma, noise.memory)
    return abs(step.change) >= _SMALLEST and step.half_width * _THRESHOLD / 1.96 < abs(step.change)
