"""That cold is cold."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

import torch

from gconvbench.examining.subject import duration, finding
from gconvbench.timing.calibration import calibrate
from gconvbench.timing.cuda import CudaEventClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check

__all__ = ["cold_is_cold"]

LEAST_RATIO = 1.03
"""Cold over hot, each less the time of an empty pair of events. A flush that does nothing gives 1,
give or take the some per mille by which the card's clock moves. How much more a good one gives is
not known beforehand: an A100 reads 1.6 TB/s from memory and 5120 bytes a clock, 7.2 TB/s, from its
cache (NVIDIA A100 Tensor Core GPU Architecture, 2020), on later cards the two lie closer together;
a copy reads half of its bytes from memory when it is cold and writes the others to the cache all
the same, and its launch costs some microseconds either way. So it has to be slower, no more, and
for certain: the middle halves of the samples have to lie apart, too."""
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
    net = [max(one.middle_s - empty_s, hot.middle_s / 1e3) for one in (hot, cold)]
    ratio, is_apart = net[1] / net[0], cold.lower_s > hot.upper_s
    told = "" if is_apart else "; the middle halves of the samples overlap"
    return finding(
        name,
        "fine" if ratio >= LEAST_RATIO and is_apart else "unfit",
        f"a copy of {count * _INT_BYTES / 2**20:.3g} MiB takes {duration(hot.middle_s)} hot, "
        f"{duration(cold.middle_s)} cold; without the {duration(empty_s)} of an empty pair of "
        f"events {ratio:.3g} times as long{told}",
        "cold times are not cold: the cache is larger than told, or the flush does not reach it; "
        "believe hot times alone",
        ratio=ratio,
        hot_s=hot.middle_s,
        hot_upper_s=hot.upper_s,
        cold_s=cold.middle_s,
        cold_lower_s=cold.lower_s,
        empty_s=empty_s,
        copy_bytes=count * _INT_BYTES,
        cache_bytes=cache_bytes,
    )


class _Half(NamedTuple):
    """The middle half of samples, in seconds: finer than the timer's tick, and deaf to outliers."""

    lower_s: float
    middle_s: float
    upper_s: float


def _times(subject: Subject, copy: Callable[[], object]) -> tuple[_Half, _Half, float]:
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
    return _half(samples_s[0]), _half(samples_s[1]), calibration.empty_s


def _half(samples_s: Sequence[float]) -> _Half:
    """Its least, its mean and its most."""
    ordered = sorted(samples_s)
    quarter = len(ordered) // 4
    half = ordered[quarter : len(ordered) - quarter]
    return _Half(half[0], statistics.fmean(half), half[-1])
