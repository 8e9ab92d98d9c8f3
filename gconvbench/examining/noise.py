"""The noise floor within a process: the same work against itself (A/A)."""

from __future__ import annotations

import math
import statistics
import time
from typing import TYPE_CHECKING

from gconvbench.device import synchronizer
from gconvbench.examining.subject import finding, percent, state_of
from gconvbench.examining.work import LENGTHS, native_launch
from gconvbench.timing import HostClock, warm_up
from gconvbench.timing.cuda import CudaEventClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check, Scalar
    from gconvbench.timing import Clock

__all__ = ["LARGEST_NOISE", "noise_floor", "noise_of"]

LARGEST_NOISE = 5
"""Targets. Two medians of ten samples, each as precise as the target, lie half a target apart at
the median; at five times the target nothing that a job says of itself is worth much."""
_PAIRS = 9
_SAMPLES = 10
"""On each side of a pair; a run takes as many at least."""
_WARM_UP_S = 0.05


def noise_floor(subject: Subject) -> Check:
    """Short, medium and long launches of the native convolution."""
    launches = {length: native_launch(subject, length) for length in LENGTHS}
    clock: Clock = HostClock() if subject.on_cpu else CudaEventClock(subject.device, cold=False)
    return noise_of(subject, launches, clock, synchronizer(subject.device))


def noise_of(
    subject: Subject,
    launches: Mapping[str, Callable[[], object]],
    clock: Clock,
    synchronize: Callable[[], None],
    now: Callable[[], float] = time.perf_counter,
) -> Check:
    """How far two medians of the same work lie apart, pair by pair; judged by half of the pairs.

    Args:
        subject: whose target counts.
        launches: by a word for their length.
        clock: what jobs are timed with.
        synchronize: waits for the device.
        now: what the warm-up is measured with.
    """
    figures: dict[str, Scalar] = {}
    labels: dict[str, tuple[str, ...]] = {}
    for length, launch in launches.items():
        launch_s = warm_up(launch, synchronize, time_s=_WARM_UP_S, now=now)
        many = clock.begin(launch, launch_s)
        sides = [(_median_s(clock, launch, many), _median_s(clock, launch, many)) for _ in _RANGE]
        apart = [abs(math.log(b / a)) for a, b in sides]
        figures[f"{length}_s"] = statistics.median(a for a, _ in sides)
        figures[f"{length}_apart"] = statistics.median(apart)
        figures[f"{length}_largest"] = max(apart)
        if found := clock.labels():
            labels[length] = found
            figures[f"{length}_labels"] = ", ".join(found)
    worst = max(float(figures[f"{length}_apart"] or 0) for length in launches)
    target = subject.method.target
    told = ", ".join(
        f"{length} {percent(float(figures[f'{length}_apart'] or 0))}" for length in launches
    )
    state = state_of(worst, advice=target, unfit=LARGEST_NOISE * target)
    advice = [] if state == "fine" else [_noisy(target)]
    if labels:
        state, advice = "advice" if state == "fine" else state, [*advice, _LABELLED]
    earned = "".join(f"; {length} is {', '.join(found)}" for length, found in labels.items())
    return finding(
        "noise_floor",
        state,
        f"the same work against itself: {told} apart in half of {_PAIRS} pairs{earned}",
        "; ".join(advice),
        **figures,
    )


def _noisy(target: float) -> str:
    return (
        f"more than the target of {percent(target)}: see contention, governor and clocks; without "
        "a quieter machine more --rounds, or a wider --target"
    )


_LABELLED = (
    "where the clock labels its samples the noise is not the device's alone: see idle stream and "
    "contention"
)


_RANGE = range(_PAIRS)


def _median_s(clock: Clock, launch: Callable[[], object], many: int) -> float:
    samples_s: list[float] = []
    while len(samples_s) < _SAMPLES:
        samples_s += clock.chunk(launch, many)
    return statistics.median(samples_s)
