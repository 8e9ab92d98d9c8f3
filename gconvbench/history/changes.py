"""Where a history changed: where two opinions agree; and slow climbs, looked for on their own."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gconvbench.history.drifts import added_up, drifts_in, flattened
from gconvbench.history.levels import clear_starts, rank_p, steps_at
from gconvbench.history.noise import memory_factor, sigma_of_differences, without_spikes
from gconvbench.history.partition import best_partition
from gconvbench.history.ramps import Noise
from gconvbench.history.windows import peaks, window_t

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from gconvbench.history.levels import Step
    from gconvbench.history.ramps import Ramp

    Values = NDArray[np.float64]

__all__ = ["FEWEST_RUNS", "ChangePoint", "Drift", "Findings", "find_changes"]

FEWEST_RUNS = 16
"""Two levels of the smallest size; of fewer runs nothing is said."""
TOLERANCE = 5
"""Runs by which two opinions on the same change may lie apart."""
_PENALTY = 4.0
"""Times ln n per level, in units of the noise's variance: twice what Schwarz's criterion asks for a
level and its place (Yao, 1988, *Estimating the Number of Change-Points via Schwarz' Criterion*),
because the noise of benchmarks has heavier tails than the normal distribution."""
_SMALLEST_LEVEL = 8
_EARLY_LEVEL = 3
"""At the end of the history, so that a slowdown is reported after three runs."""
_MOST_LOOKS = 4
"""For climbs; most histories have none, and are looked at once."""
_THRESHOLD = 5.0
_LARGEST_RANK_P = 1e-3
"""Three runs reach it where at least 18 were before: 1 / C(21, 3)."""


class ChangePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The first run at a new level.

    Attributes:
        index: of that run in the values as they were given.
        last_before: index of the run with a value before it; those between have none.
        change: of the level, on the log scale (0.05 is about 5 % slower, below 0 is faster).
        half_width: of its 95 % interval, on the log scale.
    """

    index: int
    last_before: int
    change: float
    half_width: float


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A slow climb or fall without a step.

    Attributes:
        first: index of the first run off the old level.
        last: index of the last run of the climb; it may go on where that is the last run of all.
        change: of the level over the climb, on the log scale.
        half_width: of its 95 % interval, on the log scale.
    """

    first: int
    last: int
    change: float
    half_width: float


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a history says.

    Attributes:
        runs: how many values there are; missing ones do not count.
        is_too_short: whether they are too few to say anything.
        sigma: the noise's standard deviation, on the log scale.
        memory: by which factor neighbours that resemble each other inflate the variance of a mean.
        changes: by time.
        drifts: by time.
    """

    runs: int
    is_too_short: bool
    sigma: float
    memory: float
    changes: tuple[ChangePoint, ...] = ()
    drifts: tuple[Drift, ...] = ()


class _Piece(msgspec.Struct, frozen=True):
    """A stretch without a step that somebody has accepted."""

    offset: int
    raw: Values
    values: Values
    is_last: bool

    @property
    def early(self) -> int:
        return _EARLY_LEVEL if self.is_last else _SMALLEST_LEVEL

    def without(self, ramps: Sequence[Ramp]) -> _Piece:
        raw, values = (flattened(one, ramps) for one in (self.raw, self.values))
        return msgspec.structs.replace(self, raw=raw, values=values)

    def starts(self, sigma: float, penalty: float) -> list[int]:
        return best_partition(
            self.values / sigma, penalty, smallest=_SMALLEST_LEVEL, last=self.early
        )


def find_changes(values: ArrayLike, *, accepted: Iterable[int] = ()) -> Findings:
    """Change points and drifts of one case's history, in both directions.

    A change point is where the best partition into levels and the two windows around each run
    agree within five runs. See `docs/method.md`, *History*.

    Args:
        values: natural logarithms of times, one per run, oldest first, (n,). NaN and infinities
            are missing. Logarithms of any positive figure will do, whatever its unit.
        accepted: indices of runs at which a new level starts on purpose: the step there is not
            reported, and levels before and after are never compared.

    Raises:
        ValueError: the values are not one row, or an accepted index is none.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1:
        message = f"values have shape {given.shape}; one value per run, (n,), is needed"
        raise ValueError(message)
    there = np.flatnonzero(np.isfinite(given))
    cuts = _cuts(accepted, len(given), there)
    known = given[there]
    sigma = sigma_of_differences(known, cuts)
    if len(known) < FEWEST_RUNS:
        return Findings(runs=len(known), is_too_short=True, sigma=sigma, memory=1.0)
    smooth = without_spikes(known, sigma)
    edges = [0, *cuts, len(known)]
    pieces = [
        _Piece(low, known[low:high], smooth[low:high], high == len(known))
        for low, high in itertools.pairwise(edges)
    ]
    return _found(pieces, there, sigma)


def _cuts(accepted: Iterable[int], n: int, there: NDArray[np.intp]) -> list[int]:
    """Places among the known values where accepted levels start."""
    indices = list(accepted)
    if wrong := [index for index in indices if not 0 <= index < n]:
        message = f"accepted index {wrong[0]} must be one of the {n} runs, counted from 0"
        raise ValueError(message)
    cuts = {int(place) for place in np.searchsorted(there, indices)}
    return sorted(cuts - {0, len(there)})


def _found(pieces: Sequence[_Piece], there: NDArray[np.intp], sigma: float) -> Findings:
    n = len(there)
    penalty = _PENALTY * math.log(n)
    firsts = [piece.starts(sigma, penalty) for piece in pieces]
    memory = memory_factor(
        np.concatenate([_residuals(p.values, s) for p, s in zip(pieces, firsts, strict=True)])
    )
    noise = Noise(sigma, memory, penalty * memory)
    changes: list[ChangePoint] = []
    drifts: list[Drift] = []
    for piece in pieces:
        flat, starts, ramps = _taken_apart(piece, noise)
        places = there[piece.offset : piece.offset + len(piece.values)]
        steps = steps_at(flat.values, starts, sigma, memory)
        changes += map(functools.partial(_change_point, places), starts, steps)
        drifts += [_drift(places, ramp) for ramp in ramps]
    return Findings(
        runs=n,
        is_too_short=False,
        sigma=sigma,
        memory=memory,
        changes=tuple(changes),
        drifts=tuple(drifts),
    )


def _taken_apart(piece: _Piece, noise: Noise) -> tuple[_Piece, list[int], list[Ramp]]:
    """The values less all climbs, the steps that show there, and the climbs.

    One climb hides others and the steps near it, so that what is left is looked at again.
    """
    found: list[Ramp] = []
    flat, starts = piece, _steps_in(piece, noise)
    for _ in range(_MOST_LOOKS):
        more = drifts_in(flat.values, starts, noise)
        if not more:
            break
        found += more
        flat = flat.without(more)
        starts = _steps_in(flat, noise)
    return flat, starts, added_up(found)


def _steps_in(piece: _Piece, noise: Noise) -> list[int]:
    return _agreed(piece, piece.starts(noise.sigma, noise.penalty), noise.sigma)


def _change_point(places: NDArray[np.intp], start: int, step: Step) -> ChangePoint:
    return ChangePoint(
        index=int(places[start]),
        last_before=int(places[start - 1]),
        change=step.change,
        half_width=step.half_width,
    )


def _drift(places: NDArray[np.intp], ramp: Ramp) -> Drift:
    return Drift(
        first=int(places[ramp.first]),
        last=int(places[ramp.last]),
        change=ramp.change,
        half_width=ramp.half_width,
    )


def _residuals(values: Values, starts: Sequence[int]) -> Values:
    levels = np.split(values, starts)
    return np.concatenate([level - level.mean() for level in levels])


def _agreed(piece: _Piece, starts: Sequence[int], sigma: float) -> list[int]:
    """The starts that are clear, that the windows see as well, and that chance does not explain."""
    values = piece.values
    clear = clear_starts(values, starts, sigma)
    if not clear:
        return []
    t = window_t(values, sigma, fewest_after=piece.early)
    seen = peaks(t, _THRESHOLD, TOLERANCE)
    steps = steps_at(values, clear, sigma, 1.0)
    agreed = [
        start
        for start, step in zip(clear, steps, strict=True)
        if any(abs(peak - start) <= TOLERANCE and t[peak] * step.change > 0 for peak in seen)
    ]
    return _beyond_chance(piece, clear_starts(values, agreed, sigma), sigma)


def _beyond_chance(piece: _Piece, starts: Sequence[int], sigma: float) -> list[int]:
    """The starts that are left when levels are joined that noise could have made, one by one."""
    left = list(starts)
    while left:
        changes = [step.change for step in steps_at(piece.values, left, sigma, 1.0)]
        p = rank_p(piece.raw, left, changes)
        if max(p) <= _LARGEST_RANK_P:
            break
        del left[p.index(max(p))]
    return left
