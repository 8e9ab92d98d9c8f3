"""The statistics that pytest-benchmark stores beside its samples."""

from __future__ import annotations

import bisect
import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["statistics_of"]

_FENCE = 1.5
"""Interquartile ranges beyond a quartile (Tukey, *Exploratory Data Analysis*, 1977)."""


def statistics_of(samples_s: Sequence[float]) -> dict[str, Any]:
    """Every field of `pytest_benchmark.stats.Stats` (5.3.1), to the last bit.

    Args:
        samples_s: one or more, in seconds.
    """
    ordered = sorted(samples_s)
    mean, total = statistics.mean(samples_s), sum(samples_s)
    stddev = statistics.stdev(samples_s) if len(samples_s) > 1 else 0
    q1, q3 = _quartiles(ordered)
    iqr = q3 - q1
    low, high = q1 - _FENCE * iqr, q3 + _FENCE * iqr
    beyond = _count_beyond(samples_s, mean - stddev, mean + stddev)
    outside = _count_beyond(samples_s, low, high)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": len(ordered),
        "median": statistics.median(ordered),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outside,
        "stddev_outliers": beyond,
        "outliers": f"{beyond};{outside}",
        "ld15iqr": ordered[bisect.bisect_left(ordered, low)],
        "hd15iqr": ordered[bisect.bisect_right(ordered, high) - 1],
        "ops": len(ordered) / total,
        "total": total,
    }


def _count_beyond(samples_s: Sequence[float], low: float, high: float) -> int:
    return sum(not low <= sample_s <= high for sample_s in samples_s)


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """Of an even number the medians of both halves, else between two samples.

    https://en.wikipedia.org/wiki/Quartile#Computing_methods, methods 2 and 3.
    """
    count = len(ordered)
    if count == 1:
        return ordered[0], ordered[0]
    if count % 2 == 0:
        return statistics.median(ordered[: count // 2]), statistics.median(ordered[count // 2 :])
    n = count // 4
    if count % 4 == 1:
        first = 0.25 * ordered[n - 1] + 0.75 * ordered[n]
        return first, 0.75 * ordered[3 * n] + 0.25 * ordered[3 * n + 1]
    first = 0.75 * ordered[n] + 0.25 * ordered[n + 1]
    return first, 0.25 * ordered[3 * n + 1] + 0.75 * ordered[3 * n + 2]
