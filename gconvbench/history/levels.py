"""Two neighbouring levels: how far apart, how surely; and levels that are none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from gconvbench.history.noise import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = ["SMALLEST_STEP", "Step", "clear_starts", "rank_p", "step_between", "steps_at"]

SMALLEST_STEP = 0.01
"""Time between builds of the same code differs by as much: code and data land elsewhere (Mytkowicz
et al., 2009, *Producing Wrong Data Without Doing Anything Obviously Wrong!*, section 3)."""
_SMALLEST_STEP_SIGMAS = 0.5
"""Thousands of runs make the smallest wave significant; one within the noise is nobody's news."""
_LARGEST_P = 1e-4
"""A history of 200 runs offers 200 places, a sweep hundreds of histories."""
_FEWEST_FOR_OWN_SPREAD = 12
_SMALLEST_SHARE = 0.5
_LARGEST_EXACT = 4000
"""Pairs of values; an exact test of more takes long, and the normal approximation is good."""


class Step(NamedTuple):
    """From one level to the next.

    Attributes:
        change: on the log scale.
        half_width: of its 95 % interval, on the log scale.
        p: two-sided, that there is none.
    """

    change: float
    half_width: float
    p: float

    def is_clear(self, sigma: float) -> bool:
        """Whether it is large enough and sure enough to be one."""
        smallest = max(SMALLEST_STEP, _SMALLEST_STEP_SIGMAS * sigma)
        return self.p <= _LARGEST_P and abs(self.change) >= smallest


def step_between(before: Values, after: Values, sigma: float, memory: float = 1.0) -> Step:
    """The difference of two levels' 20 %-trimmed means, with its interval and p.

    Yuen (1974), *The Two-Sample Trimmed t for Unequal Population Variances*. A level of fewer than
    twelve values has no spread of its own to speak of; then both share one, never below sigma.

    Args:
        before: (m,).
        after: (n,).
        sigma: of the noise.
        memory: by which factor the variance of a mean is larger than that of independent values.
    """
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415 (slow to import)

    (a,), (kept_a,), (squares_a,) = trimmed(before[None])
    (b,), (kept_b,), (squares_b,) = trimmed(after[None])
    few = min(len(before), len(after)) < _FEWEST_FOR_OWN_SPREAD
    if few:
        freedom = float(kept_a + kept_b - 2)
        pooled = max((squares_a + squares_b) / freedom, sigma**2)
        variance = pooled * (1 / kept_a + 1 / kept_b)
    else:
        floor = (_SMALLEST_SHARE * sigma) ** 2
        of_a = max(squares_a / (kept_a - 1), floor) / kept_a
        of_b = max(squares_b / (kept_b - 1), floor) / kept_b
        variance = of_a + of_b
        freedom = variance**2 / (of_a**2 / (kept_a - 1) + of_b**2 / (kept_b - 1))
    error = math.sqrt(memory * variance)
    change = float(b - a)
    p = 2 * float(stdtr(freedom, -abs(change) / error))
    return Step(change, float(stdtrit(freedom, 0.975)) * error, p)


def steps_at(values: Values, starts: Sequence[int], sigma: float, memory: float) -> list[Step]:
    """The step at each start of a level, between the whole level before and the whole one after."""
    edges = [0, *starts, len(values)]
    return [
        step_between(values[low:start], values[start:high], sigma, memory)
        for low, start, high in zip(edges, edges[1:], edges[2:], strict=False)
    ]


def clear_starts(values: Values, starts: Sequence[int], sigma: float) -> list[int]:
    """The starts that are left when levels are joined, the least different ones first."""
    left = list(starts)
    while left:
        found = steps_at(values, left, sigma, 1.0)
        unclear = [(one.p, place) for place, one in enumerate(found) if not one.is_clear(sigma)]
        if not unclear:
            break
        del left[max(unclear)[1]]
    return left


def rank_p(raw: Values, starts: Sequence[int], changes: Sequence[float]) -> list[float]:
    """At each start, how often chance alone puts the level after so far to one side of that before.

    The one-sided Mann-Whitney test of the values as measured, spikes and all, exact where the
    levels are short and no values are equal. No shape of the noise deceives it: where a fifth
    of all runs is slow, three slow ones in a row are no new level.

    Args:
        raw: (n,).
        starts: of levels.
        changes: at each start, which side by its sign.
    """
    edges = [0, *starts, len(raw)]
    return [
        _larger_p(*((after, before) if change > 0 else (before, after)))
        for low, start, high, change in zip(edges, edges[1:], edges[2:], changes, strict=False)
        for before, after in [(raw[low:start].tolist(), raw[start:high].tolist())]
    ]


def _larger_p(larger: list[float], smaller: list[float]) -> float:
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 (slow to import)

    has_ties = len({*larger, *smaller}) < len(larger) + len(smaller)
    is_short = len(larger) * len(smaller) <= _LARGEST_EXACT
    method: Literal["exact", "asymptotic"] = "exact" if is_short and not has_ties else "asymptotic"
    return float(mannwhitneyu(larger, smaller, alternative="greater", method=method).pvalue)
