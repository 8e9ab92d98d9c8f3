"""Pure functions of samples: medians and their intervals. Imports no torch."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Drift",
    "Estimate",
    "Ratio",
    "drift",
    "estimate_over_rounds",
    "median_half_width",
    "paired_ratio",
]

_Z = 1.96
"""The normal distribution's .975 quantile, for nominal 95 % intervals."""
_Z_99 = 2.576
"""Its .995 quantile, for nominal 99 %."""
_FEWEST_FOR_RANKS = 10
_T_975 = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
)  # fmt: skip
"""Student's t at .975 for 1 to 20 degrees of freedom (scipy.special.stdtrit, which a test asks)."""


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


class Drift(NamedTuple):
    """How the last samples differ from the first, as shares of the first ones' median.

    Attributes:
        change: median of the last over that of the first third, minus 1.
        half_width: of its 99 % interval; a smaller change may be chance.
    """

    change: float
    half_width: float


def drift(samples_s: Sequence[float], *, tick_s: float = 0.0) -> Drift | None:
    """Compare the first third of the samples with the last; None for fewer than ten.

    Of ten to fourteen samples halves of five are compared. Each end's median has its
    order-statistic interval, below ten samples from the smallest to the largest (94 % for five:
    1 - 2 / 2^5), and never less than half a tick; both together are widened from 95 % to 99 %.

    Args:
        samples_s: in the order taken.
        tick_s: the smallest difference that a sample can show.
    """
    count = max(len(samples_s) // 3, _FEWEST_FOR_RANKS // 2)
    if len(samples_s) < 2 * count:
        return None
    ends = sorted(samples_s[:count]), sorted(samples_s[-count:])
    widths = [max(_half_width(end), tick_s / 2) for end in ends]
    first, last = map(statistics.median, ends)
    return Drift(last / first - 1, _Z_99 / _Z * math.hypot(*widths) / first)


def _half_width(ordered: Sequence[float]) -> float:
    half_width = median_half_width(ordered)
    return (ordered[-1] - ordered[0]) / 2 if half_width is None else half_width


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
    half_width = _log_half_width([math.log(value) for value in medians_s])
    return Estimate(statistics.median(medians_s), half_width, len(medians_s))


class Ratio(NamedTuple):
    """How many times longer one time is than another, over the rounds that have both.

    Attributes:
        value: the geometric mean of the rounds' ratios.
        half_width: of the 95 % interval, on the log scale; None for one common round.
    """

    value: float
    half_width: float | None

    def is_clearly_longer(self, floor: float = 0.0) -> bool:
        """Whether the whole interval lies above 1, and the ratio above the noise floor.

        Args:
            floor: on the log scale.
        """
        return self.half_width is not None and math.log(self.value) > max(self.half_width, floor)


def paired_ratio(a_s: Mapping[int, float], b_s: Mapping[int, float]) -> Ratio | None:
    """The ratio a / b of two jobs' times, paired by round; None without a common round.

    Both were measured in the same process and close together, so whatever slowed that process
    down cancels (Student's paired t interval, on logarithms).

    Args:
        a_s: median in seconds by round.
        b_s: likewise.
    """
    logs = [math.log(a_s[number] / b_s[number]) for number in sorted(a_s.keys() & b_s.keys())]
    return Ratio(math.exp(statistics.fmean(logs)), _log_half_width(logs)) if logs else None


def _log_half_width(logs: Sequence[float]) -> float | None:
    """Half the width of the t interval of the mean; None for fewer than two values."""
    if len(logs) < 2:  # noqa: PLR2004 (a standard deviation needs two)
        return None
    mean = statistics.fmean(logs)
    variance = math.fsum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
    return _t_quantile(len(logs) - 1) * math.sqrt(variance / len(logs))


def _t_quantile(degrees: int) -> float:
    """Student's t at .975."""
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    from scipy.special import stdtrit  # noqa: PLC0415 (importing it takes longer than `show` may)

    return float(stdtrit(degrees, 0.975))
