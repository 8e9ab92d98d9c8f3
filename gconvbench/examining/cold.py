"""That cold is cold."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import torch

from gconvbench.examining.subject import duration, finding
from gconvbench.timing.calibration import calibrate
from gconvbench.timing.cuda import CudaEventClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check

__all__ = ["cold_is_cold"]

LEAST_RATIO = 1.1
"""Cold over hot, each less the time of an empty pair of events. A flush that does nothing gives 1.
Memory's bandwidth is below the cache's on every card: on an A100 1.6 TB/s against 5120 bytes a
clock, 7.2 TB/s (NVIDIA A100 Tensor Core GPU Architecture, 2020); a copy reads half of its bytes
from memory when it is cold and writes the others to the cache all the same, and its launch costs
some microseconds either way. So the ratio stays far below that of the bandwidths; a tenth is left
of it on any card, and is more than the noise."""
_SHARE = 4
"""Source and target are a quarter of the cache each, so that both stay in it, even in a half of it:
large cards have their cache in two."""
_INT_BYTES = 4
_TURNS = 4
_ABOUT_S = 1e-5


def cold_is_cold(subject: Subject) -> Check:
    """A copy that fits the last-level cache, hot and cold by the clocks that jobs are timed with.

    One launch per sample in both, in turns, so that nothing but the flush differs.
    """
    name = "cold_is_cold"
    cache_bytes = int(torch.cuda.get_device_properties(subject.device).L2_cache_size)
    count = cache_bytes // _SHARE // _INT_BYTES
    if not count:
        found = "the size of the last-level cache is not told: nothing shows what empties it"
        return finding(name, "advice", found, "compare cold times with care", cache_bytes=0)
    source, target = (
        torch.zeros(count, dtype=torch.int32, device=subject.device) for _ in range(2)
    )
    hot, cold, empty_s = _times(subject, lambda: target.copy_(source))
    net = [max(one - empty_s, hot / 1e3) for one in (hot, cold)]
    ratio = net[1] / net[0]
    return finding(
        name,
        "fine" if ratio >= LEAST_RATIO else "unfit",
        f"a copy of {count * _INT_BYTES / 2**20:.3g} MiB takes {duration(hot)} hot, "
        f"{duration(cold)} cold; without the {duration(empty_s)} of an empty pair of events "
        f"{ratio:.3g} times as long",
        "cold times are not cold: the cache is larger than told, or the flush does not reach it; "
        "believe hot times alone",
        ratio=ratio,
        hot_s=hot,
        cold_s=cold,
        empty_s=empty_s,
        copy_bytes=count * _INT_BYTES,
        cache_bytes=cache_bytes,
    )


def _times(subject: Subject, copy: Callable[[], object]) -> tuple[float, float, float]:
    """Hot, cold, and of an empty pair of events, in seconds."""
    calibration = calibrate(torch.device(subject.device))
    hot, cold = (
        CudaEventClock(subject.device, cold=cold, calibration=calibration) for cold in (False, True)
    )
    samples_s: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TURNS):
        for clock, taken_s in zip((hot, cold), samples_s, strict=True):
            clock.begin(copy, _ABOUT_S)
            taken_s.extend(clock.chunk(copy, 1))
    return _middle(samples_s[0]), _middle(samples_s[1]), calibration.empty_s


def _middle(samples_s: Sequence[float]) -> float:
    """The mean of the middle half: finer than the timer's tick, and deaf to a few outliers."""
    ordered = sorted(samples_s)
    quarter = len(ordered) // 4
    return statistics.fmean(ordered[quarter : len(ordered) - quarter])
