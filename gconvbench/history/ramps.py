"""The best ramp between two levels beside given steps, by trying all of them."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = ["SHORTEST", "Fit", "Noise", "Ramp", "best_place", "course", "fit_ramp", "placed"]

SHORTEST = 8
"""As a level: within fewer runs a climb is a step that spikes have rounded."""
_MOST_CELLS = 64
"""Longer stretches are averaged down, so that all ramps can be tried in a millisecond."""
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


class Fit(NamedTuple):
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


def course(ramp: Ramp, n: int) -> Values:
    """A ramp over n runs, from 0 to 1, (n,)."""
    before = ramp.first - 1
    return np.clip((np.arange(n) - before) / (ramp.last - before), 0, 1)


def best_place(values: Values, places: Sequence[int], steps: Sequence[int]) -> int:
    """Where one more step, with the ramp that suits it best, explains most."""
    region = _region(values, steps)
    step = region.beside(_courses(places, *region.grid))
    step /= np.maximum(np.linalg.norm(step, axis=0), _LEAST_OWN)
    common = region.unit @ step  # (shapes, places)
    own = np.sqrt(np.maximum(1 - common**2, 0))
    of_step = step.T @ region.centred
    along = ((region.unit @ region.centred)[:, None] - common * of_step) / np.maximum(own, 1e-9)
    is_ramp = region.is_ramp[:, None] & (own * region.own[:, None] > _LEAST_OWN)
    explained = of_step**2 + np.where(is_ramp, along**2, 0).max(axis=0)
    return places[int(explained.argmax())]


def placed(values: Values, ramp: Ramp, steps: Sequence[int]) -> tuple[Ramp, list[float]]:
    """The ramp to the run, where its cells were wider, and the size of each step beside it."""
    size = _grid(len(values))[1]
    n, place = len(values), np.arange(len(values))
    others = [np.ones(n), *(place >= step for step in steps)]
    best, least, found = ramp, math.inf, [ramp.change]
    for first, last in itertools.product(
        range(max(1, ramp.first - size + 1), ramp.first + size),
        range(ramp.last - size + 1, min(ramp.last + size, n)),
    ):
        if last - first + 1 < SHORTEST:
            continue
        one = ramp._replace(first=first, last=last)
        columns = np.stack([course(one, n), *others], axis=1).astype(np.float64)
        fitted = np.linalg.lstsq(columns, values)[0]
        left = float(np.sum((values - columns @ fitted) ** 2))
        if left < least:
            best, least, found = one, left, fitted.tolist()
    return best._replace(change=found[0]), found[2:]


def _grid(n: int) -> tuple[int, int]:
    """How many cells, and how many runs in each."""
    size = math.ceil(n / _MOST_CELLS)
    return n // size, size


class _Region(NamedTuple):
    """Some runs as cells, with given steps taken out of them and of all ramps.

    Attributes:
        grid: how many cells, and how many runs in each.
        shapes: all ramps.
        known: an orthonormal basis of the steps, (cells, steps).
        centred: what is left of the cells' means, (cells,).
        unit: what is left of the ramps, each of length 1, (shapes, cells).
        own: which share of its length that is, (shapes,).
    """

    grid: tuple[int, int]
    shapes: _Shapes
    known: Values
    centred: Values
    unit: Values
    own: Values

    @property
    def is_ramp(self) -> NDArray[np.bool_]:
        """Which shapes are long enough, and no mixture of the steps, (shapes,)."""
        is_long: NDArray[np.bool_] = self.shapes.length * self.grid[1] >= SHORTEST
        return is_long & (self.own > _LEAST_OWN)

    def beside(self, columns: Values) -> Values:
        """What the steps leave of other courses, (cells, n)."""
        return columns - self.known @ (self.known.T @ columns)


def _region(values: Values, steps: Sequence[int]) -> _Region:
    count, size = _grid(len(values))
    cells = values[: count * size].reshape(count, size).mean(axis=1)
    shapes = _shapes(count)
    known: Values = np.linalg.qr(_courses(steps, count, size))[0]
    bare = _Region((count, size), shapes, known, cells - cells.mean(), shapes.unit, np.ones(1))
    if not steps:
        return bare._replace(own=np.ones(len(shapes.unit)))
    unit = bare.beside(shapes.unit.T).T
    own: Values = np.linalg.norm(unit, axis=1)
    return bare._replace(
        centred=bare.beside(bare.centred),
        unit=unit / np.maximum(own, _LEAST_OWN)[:, None],
        own=own,
    )


def _courses(steps: Sequence[int], count: int, size: int) -> Values:
    """Steps as the cells' means have them, centred, (cells, steps)."""
    place = np.arange(count * size).reshape(count, size, 1)
    found: Values = (place >= np.array(steps, dtype=np.intp)).mean(axis=1)
    return found - found.mean(axis=0)


def fit_ramp(values: Values, noise: Noise, steps: Sequence[int] = ()) -> Fit:
    """The best ramp by least squares, beside steps at these places."""
    region = _region(values, steps)
    (count, size), shapes = region.grid, region.shapes
    total = float(region.centred @ region.centred)
    along = region.unit @ region.centred
    left = np.maximum(total - along**2, 0.0) * size
    best = int(np.where(region.is_ramp, left, np.inf).argmin())
    variance = max(noise.sigma**2, float(left[best]) / max(count - 4 - len(steps), 1))
    norm = float(shapes.norm[best] * max(region.own[best], _LEAST_OWN))
    error = math.sqrt(noise.memory * variance / size) / norm
    start, length = int(shapes.start[best]) * size, int(shapes.length[best]) * size
    return Fit(
        Ramp(
            start + 1,
            min(start + length, len(values) - 1),
            float(along[best]) / norm,
            1.96 * error,
        ),
        left=float(left[best]),
        flat=total * size,
        step=float(left[shapes.length == 1].min()),
        variance=variance,
    )


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
