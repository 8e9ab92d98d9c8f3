"""Whether looking at what a launch runs leaves later launches slower."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from gconvbench.device import synchronizer
from gconvbench.dispatch import cuda_kernels, dispatch_of
from gconvbench.examining.subject import duration, finding
from gconvbench.examining.work import native_launch
from gconvbench.failure import one_line
from gconvbench.timing import HostClock

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
    """A short launch as called, before and after the pass that looks at what it runs.

    On CUDA that is PyTorch's profiler with the card's activities. The process is of no use for
    times afterwards, so this is the last check.
    """
    launch, synchronize = native_launch(subject, "short"), synchronizer(subject.device)
    look = dispatch_of if subject.on_cpu else cuda_kernels
    return aftermath_of(launch, synchronize, lambda: look(launch, synchronize))


def aftermath_of(
    launch: Callable[[], object],
    synchronize: Callable[[], None],
    look: Callable[[], object],
    now: Callable[[], float] = time.perf_counter,
) -> Check:
    """The time of a launch as called, before and after `look`."""
    name, clock = "profiler_aftermath", HostClock(now, synchronize)
    _as_called_s(clock, launch)  # warms up
    before_s = _as_called_s(clock, launch)
    try:
        look()
    except RuntimeError as error:
        return finding(name, "skipped", one_line(error))
    after_s = _as_called_s(clock, launch)
    ratio = after_s / before_s
    return finding(
        name,
        "fine" if ratio <= LARGEST_RATIO else "advice",
        f"a short launch takes {duration(before_s)} before and {duration(after_s)} after the "
        f"profiler's pass: {ratio:.3g} times as long",
        "times are taken before that pass, so those of a run are right; do not time anything in a "
        "process that was profiled",
        before_s=before_s,
        after_s=after_s,
        ratio=ratio,
    )


def _as_called_s(clock: HostClock, launch: Callable[[], object]) -> float:
    return statistics.median(clock.chunk(launch, _LAUNCHES)[0] for _ in range(_SAMPLES))
