"""Pure functions of samples: medians and their intervals. Imports no torch."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Estimate", "agree", "estimate_over_rounds", "median_half_width"]

_Z = 1.96
"""The normal distribution's .975 quantile, for nominal 95 % intervals."""
_FEWEST_FOR_RANKS = 10


def median_half_width(ordered: Sequence[float]) -> float | None:
    """Half the width of the order-statistic 95 % interval of the median, or None below 10 values.

    Ranks l = floor((n - 1.96 sqrt n) / 2) and u = ceil(1 + (n + 1.96 sqrt n) / 2), counted from 1
    (Conover, *Practical Nonparametric Statistics*, 1999, section 3.2, the normal approximation).
    Nominal: autocorrelated samples are covered less often.

    Args:
        ordered: the samples in ascending order.
    """
    n = len(ordered)
    if n < _FEWEST_FOR_RANKS:
        return None
    spread = _Z * math.sqrt(n)
    low = max(1, math.floor((n - spread) / 2))
    high = min(n, math.ceil(1 + (n + spread) / 2))
    return (ordered[high - 1] - ordered[low - 1]) / 2


class Estimate(NamedTuple):
    """A time over rounds.

    Attributes:
        median_s: the median over rounds of the rounds' medians.
        half_width: of the 95 % interval, on the log scale (0.02 is about 2 %); None for one round.
        rounds: how many rounds it stands on.
    """

    median_s: float
    half_width: float | None
    rounds: int


def estimate_over_rounds(medians_s: Sequence[float]) -> Estimate:
    """The time of a job from its rounds' medians, with a Student t interval on their logarithms.

    Rounds are fresh processes, whose spread dominates the spread within a process; an interval
    from the samples of one process covers far less than it claims.

    Args:
        medians_s: one median per round, in seconds, at least one.
    """
    rounds = len(medians_s)
    half_width = None
    if rounds > 1:
        from scipy.special import stdtrit  # noqa: PLC0415 (slow to import; `--help` needs none)

        spread = statistics.stdev(math.log(value) for value in medians_s)
        half_width = float(stdtrit(rounds - 1, 0.975)) * spread / math.sqrt(rounds)
    return Estimate(statistics.median(medians_s), half_width, rounds)


def agree(a: Estimate, b: Estimate) -> bool | None:
    """Whether two times are too close to tell apart: |log a - log b| <= sqrt(ha^2 + hb^2).

    None where one of them has no interval.
    """
    if a.half_width is None or b.half_width is None:
        return None
    difference = abs(math.log(a.median_s) - math.log(b.median_s))
    return difference <= math.hypot(a.half_width, b.half_width)
