"""Slow climbs, which a search for steps cuts into stairs or does not see at all."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gconvbench.history.levels import step_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = ["Ramp", "drifts_in"]

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
    ramp: Ramp
    gain: float


def drifts_in(
    values: Values, starts: Sequence[int], *, sigma: float, memory: float, penalty: float
) -> tuple[list[Ramp], list[int]]:
    """The slow climbs and falls, and the steps that are left when their stairs are taken out.

    First each step is held against a climb around it, then each stretch without a step is looked
    at by its ends.

    Args:
        values: (n,), none missing.
        starts: of levels that differ.
        sigma: of the noise.
        memory: by which factor it inflates the variance of a mean.
        penalty: what a climb must explain more than a step, in units of the noise's variance.
    """
    found: list[Ramp] = []
    edges = [0, *starts, len(values)]
    for low, start, high in zip(edges, edges[1:], edges[2:], strict=False):
        region = max(low, start - _AROUND), min(high, start + _AROUND)
        found += _climb(values, region, sigma, memory, penalty)
    joined = _joined(found)
    left = [start for start in starts if not any(_covers(ramp, start) for ramp in joined)]
    for region in _stretches(left, joined, len(values)):
        if _ends_differ(values[slice(*region)], sigma, memory):
            joined += _climb(values, region, sigma, memory, penalty)
    return sorted(joined), left


def _climb(
    values: Values, region: tuple[int, int], sigma: float, memory: float, penalty: float
) -> list[Ramp]:
    """The climb in a region, where it explains the values clearly better than a step."""
    low, high = region
    if high - low < _FEWEST:
        return []
    fit = _fit(values[low:high], sigma, memory)
    if fit.gain <= penalty or abs(fit.ramp.change) < _SMALLEST:
        return []
    ramp = fit.ramp
    return [ramp._replace(first=low + ramp.first, last=low + ramp.last)]


def _fit(values: Values, sigma: float, memory: float) -> _Fit:
    """The best ramp by least squares, and what it explains more than the best step."""
    size = math.ceil(len(values) / _MOST_CELLS)
    count = len(values) // size
    cells = values[: count * size].reshape(count, size).mean(axis=1)
    shapes = _shapes(count)
    centred = cells - cells.mean()
    total = float(centred @ centred)
    along = shapes.unit @ centred
    left = np.maximum(total - along**2, 0.0) * size
    is_step = shapes.length == 1
    is_ramp = shapes.length * size >= _SHORTEST
    step = float(left[is_step].min())
    best = int(np.where(is_ramp, left, np.inf).argmin())
    variance = max(sigma**2, float(left[best]) / max(count - 4, 1))
    change = float(along[best] / shapes.norm[best])
    error = math.sqrt(memory * variance / size) / float(shapes.norm[best])
    start, length = int(shapes.start[best]) * size, int(shapes.length[best]) * size
    ramp = Ramp(start + 1, min(start + length, len(values) - 1), change, 1.96 * error)
    return _Fit(ramp, (step - float(left[best])) / variance)


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
    edges = [(0, 0), *((s, s) for s in starts), *((r.first, r.last + 1) for r in ramps), (n, n)]
    edges.sort()
    return [(a[1], b[0]) for a, b in itertools.pairwise(edges) if b[0] - a[1] >= _FEWEST]


def _ends_differ(values: Values, sigma: float, memory: float) -> bool:
    half = len(values) // 2
    first, last = values[: min(_ENDS[0], half)], values[-min(_ENDS[1], half) :]
    step = step_between(first, last, sigma, memory)
    return abs(step.change) >= _SMALLEST and step.half_width * _THRESHOLD / 1.96 < abs(step.change)
