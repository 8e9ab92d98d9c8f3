"""Whether looking at what a launch runs leaves later launches slower."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch

from gconvbench.device import synchronizer
from gconvbench.dispatch import dispatch_of
from gconvbench.examining.subject import duration, finding
from gconvbench.examining.work import native_launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check

__all__ = ["aftermath_of", "profiler_aftermath"]

LARGEST_RATIO = 1.1
"""After over before, both as called. More than the noise of short launches on a quiet host, and
less than what a tracer that stays attached to every launch costs."""
_LAUNCHES = 200
_SAMPLES = 21


def profiler_aftermath(subject: Subject) -> Check:
    """A short launch as called, before and after a pass of the profiler in the same process.

    On CUDA PyTorch's profiler with the card's activities, on the CPU what records the dispatch.
    The process is of no use for times afterwards, so this is the last check.
    """
    launch, synchronize = native_launch(subject, "short"), synchronizer(subject.device)

    def profile() -> None:
        if subject.on_cpu:
            dispatch_of(launch, synchronize)
        else:
            _trace(launch, synchronize)

    return aftermath_of(launch, synchronize, profile)


def _trace(launch: Callable[[], object], synchronize: Callable[[], None]) -> None:
    activities = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[activities.CPU, activities.CUDA]):
        launch()
        synchronize()


def aftermath_of(
    launch: Callable[[], object],
    synchronize: Callable[[], None],
    profile: Callable[[], None],
    now: Callable[[], float] = time.perf_counter,
) -> Check:
    """The time of a launch as called, before and after `profile`."""
    _as_called_s(launch, synchronize, now)  # warms up
    before_s = _as_called_s(launch, synchronize, now)
    profile()
    after_s = _as_called_s(launch, synchronize, now)
    ratio = after_s / before_s
    return finding(
        "profiler_aftermath",
        "fine" if ratio <= LARGEST_RATIO else "advice",
        f"a short launch takes {duration(before_s)} before and {duration(after_s)} after "
        f"the profiler's pass: {ratio:.3g} times as long",
        "times as called hold for the first job of a process; of the others they may be too long",
        before_s=before_s,
        after_s=after_s,
        ratio=ratio,
    )


def _as_called_s(
    launch: Callable[[], object], synchronize: Callable[[], None], now: Callable[[], float]
) -> float:
    samples_s = []
    for _ in range(_SAMPLES):
        synchronize()
        start = now()
        for _ in range(_LAUNCHES):
            launch()
        synchronize()
        samples_s.append((now() - start) / _LAUNCHES)
    return statistics.median(samples_s)
