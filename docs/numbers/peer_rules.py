"""The rules by which other tools call a case slower, by their defaults, on any samples.

Where a tool's own function can be called it is: pytest-benchmark's check and asv's comparison. What
is written in other languages, and pyperf, which need not be installed for this, is done here as its
source does it; each function says where.

Sides are arrays of seconds, shape (cases, processes, samples), baseline first; what comes back says
per case whether the tool calls it slower, shape (cases,).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from asv.commands.compare import _is_result_better
from asv.results import compute_stats
from numpy.typing import NDArray
from pytest_benchmark.utils import parse_compare_fail

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "RULES",
    "PeerRule",
    "Plan",
    "action",
    "asv",
    "criterion",
    "pyperf",
    "pyperf_t",
    "pytest_benchmark",
]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

PYPERF_CRITICAL = ((200, 1.960), (100, 1.984), (80, 1.990), (60, 2.000), (50, 2.009), (40, 2.021))
"""Degrees of freedom and two-sided 5 % points of t, as pyperf has them (2.11, `_utils.py`)."""
CRITERION_LEVEL, CRITERION_NOISE = 0.05, 0.01
"""Of the test and, as 1 - confidence, of the interval; and what counts as noise (`lib.rs`)."""
CRITERION_RESAMPLES = 100_000
ACTION_RATIO = 2.0
"""`alert-threshold: 200%` (`action.yml`)."""


class Plan(NamedTuple):
    """What a tool measures by its defaults.

    Attributes:
        order: the sides of fresh processes, one after the other.
        samples: of each case in each process.
    """

    order: str
    samples: int

    @property
    def processes(self) -> int:
        """Of one side."""
        return self.order.count("A")


class PeerRule(NamedTuple):
    """One tool with its options.

    Attributes:
        title: its name and options.
        plan: what it measures.
        slower: what it says of both sides.
    """

    title: str
    plan: Plan
    slower: Callable[[Floats, Floats], Bools]


def pytest_benchmark(a_s: Floats, b_s: Floats, option: str = "median:5%") -> Bools:
    """`--benchmark-compare-fail` (pytest-benchmark 5.3, `utils.PercentageRegressionCheck`)."""
    check = parse_compare_fail(option)  # type: ignore[no-untyped-call]
    medians_s = zip(np.median(a_s, axis=(1, 2)), np.median(b_s, axis=(1, 2)), strict=True)
    return np.array([bool(check.fails({"median": b}, {"median": a})) for a, b in medians_s])


def asv(a_s: Floats, b_s: Floats, factor: float = 1.1) -> Bools:
    """`continuous --factor` (asv 0.6.6, `commands.compare`).

    A case is worse when its median exceeds the baseline's by the factor and both samples differ by
    Mann and Whitney's test, p < 0.002. Only where the first holds is asv asked for both.
    """
    a_s, b_s = a_s.reshape(len(a_s), -1), b_s.reshape(len(b_s), -1)
    slower = np.median(a_s, axis=1) < np.median(b_s, axis=1) / factor
    for case in np.flatnonzero(slower):
        samples = a_s[case].tolist(), b_s[case].tolist()
        (a, a_stats), (b, b_stats) = (compute_stats(one, 1) for one in samples)
        slower[case] = _is_result_better(a, b, (a_stats, samples[0]), (b_stats, samples[1]), factor)
    return slower


def pyperf_t(a_s: Floats, b_s: Floats) -> Floats:
    """Student's t of all values with pooled variance, B over A (pyperf 2.11, `_utils.tscore`)."""
    count = a_s.shape[1]
    pooled = (a_s.var(axis=1, ddof=1) + b_s.var(axis=1, ddof=1)) / 2
    return (b_s.mean(axis=1) - a_s.mean(axis=1)) / np.sqrt(pooled * 2 / count)


def pyperf(a_s: Floats, b_s: Floats, min_speed: float = 0.0) -> Bools:
    """`compare_to --min-speed` in per cent (pyperf 2.11, `_compare.CompareResult`).

    Values of one process count as independent. At least 20 a side: below, pyperf's table goes on.
    """
    a_s, b_s = a_s.reshape(len(a_s), -1), b_s.reshape(len(b_s), -1)
    degrees = 2 * a_s.shape[1] - 2
    critical = next(value for least, value in PYPERF_CRITICAL if degrees >= least)
    change = b_s.mean(axis=1) / a_s.mean(axis=1) - 1
    is_significant = np.abs(pyperf_t(a_s, b_s)) >= critical
    return is_significant & (change * 100 >= min_speed)


def criterion(a_s: Floats, b_s: Floats, resamples: int = CRITERION_RESAMPLES) -> Bools:
    """What prints *has regressed* (criterion.rs, `report.rs`, `analysis/compare.rs`).

    The bootstrapped interval of the change of the mean lies above the noise threshold, and a t test
    whose distribution is bootstrapped from both samples together rejects. Beside criterion's:
    all cases share the resamples' indices; both sides are drawn anew each time, where criterion
    pairs each of about 316 resamples of one side with as many of the other; and only cases whose
    mean is above the threshold are looked at, as no interval lies above it otherwise.
    """
    a_s, b_s = a_s.reshape(len(a_s), -1), b_s.reshape(len(b_s), -1)
    slower = b_s.mean(axis=1) / a_s.mean(axis=1) - 1 > CRITERION_NOISE
    rows = np.flatnonzero(slower)
    slower[rows] = criterion_low(a_s[rows], b_s[rows], resamples) > CRITERION_NOISE
    rows = np.flatnonzero(slower)
    slower[rows] = criterion_p(a_s[rows], b_s[rows], resamples) < CRITERION_LEVEL
    return slower


def criterion_low(a_s: Floats, b_s: Floats, resamples: int) -> Floats:
    """Lower end of the percentile interval of the mean's change, of sides (cases, samples)."""
    a_means, b_means = (
        side @ _shares(side.shape[1], side.shape[1], resamples, stream)
        for stream, side in enumerate((a_s, b_s))
    )
    low: Floats = np.quantile(b_means / a_means - 1, CRITERION_LEVEL / 2, axis=1)
    return low


def criterion_p(a_s: Floats, b_s: Floats, resamples: int) -> Floats:
    """Two-sided p of Welch's t among resamples of both sides together (`stats/univariate`)."""
    together = np.concatenate([a_s, b_s], axis=1)
    together = together / together.mean(axis=1, keepdims=True) - 1  # squares lose fewer digits
    sizes = a_s.shape[1], b_s.shape[1]
    sides = together[:, : sizes[0]], together[:, sizes[0] :]
    found = _welch(*((one.mean(axis=1), one.var(axis=1), one.shape[1]) for one in sides))
    parts = []
    for stream, size in enumerate(sizes):
        shares = _shares(sum(sizes), size, resamples, stream)
        means = together @ shares
        parts.append((means, together**2 @ shares - means**2, size))
    hits = (_welch(*parts) < found[:, np.newaxis]).sum(axis=1)
    p: Floats = np.minimum(hits, resamples - hits) / resamples * 2
    return p


def _welch(a: tuple[Floats, Floats, int], b: tuple[Floats, Floats, int]) -> Floats:
    """Welch's t of B over A from means, variances (divided by the size) and sizes."""
    return (b[0] - a[0]) / np.sqrt(a[1] / (a[2] - 1) + b[1] / (b[2] - 1))


@functools.cache
def _shares(count: int, size: int, resamples: int, stream: int) -> Floats:
    """How much of each sample is in each resample, shape (count, resamples); columns sum to 1."""
    rng = np.random.default_rng([count, size, stream])
    draws = rng.multinomial(size, np.full(count, 1 / count), size=resamples)
    return np.ascontiguousarray(draws.T) / size


def action(a_s: Floats, b_s: Floats) -> Bools:
    """github-action-benchmark of pytest-benchmark's `ops`, 1 / mean (`extract.ts`, `write.ts`)."""
    slower: Bools = b_s.mean(axis=(1, 2)) / a_s.mean(axis=(1, 2)) > ACTION_RATIO
    return slower


_PYTEST = Plan("AB", 200)
"""Rounds until 1 s is over (`--benchmark-max-time`): 200 of a case of 5 ms, of others more."""
_ASV = Plan("ABBA", 5)
"""Two interleaved rounds of five samples (`rounds`, `repeat`, `--interleave-rounds`)."""
_PYPERF = Plan("A" * 20 + "B" * 20, 3)
"""20 processes of three values (`--processes`, `--values`), one file after the other."""
_CRITERION = Plan("AB", 100)
"""`sample_size`."""

RULES = (
    PeerRule("pytest-benchmark, 5 %", _PYTEST, pytest_benchmark),
    PeerRule("asv continuous", _ASV, asv),
    PeerRule("asv continuous -f 1.05", _ASV, functools.partial(asv, factor=1.05)),
    PeerRule("pyperf compare_to", _PYPERF, pyperf),
    PeerRule("pyperf --min-speed 5", _PYPERF, functools.partial(pyperf, min_speed=5)),
    PeerRule("criterion.rs", _CRITERION, criterion),
    PeerRule("github-action-benchmark", _PYTEST, action),
)
