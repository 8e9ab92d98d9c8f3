"""The card's clock: is it proportional, does it agree with the host's, does it see idle streams?

Only `Event`, `_sleep` and `synchronize` of `torch.cuda` are used beside gconvbench's own clock.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from gconvbench.examining.subject import duration, finding, percent, state_of
from gconvbench.labels import HOST_BOUND
from gconvbench.timing.calibration import Calibration, calibrate
from gconvbench.timing.cuda import CudaEventClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check

__all__ = ["event_against_host", "idle_stream", "timer_linearity"]

ADVISABLE_RESIDUAL = 0.01
"""Twice the default target on CUDA: the card's own clock may move by some per mille meanwhile."""
LARGEST_RESIDUAL = 0.05
"""Differences of the size that people look for would be the timer's."""
LARGEST_INTERCEPT_S = 20e-6
"""What a pair of events adds to a sample. Some microseconds are usual; more than this is a gap in
which the host enqueued, and kernels of that length are what grouped convolutions take."""
LARGEST_DISAGREEMENT = 1e-3
"""Between event time and host time. Crystals are right within 1e-4, and the host's wake-up, the
same for short and long kernels, is taken out."""
_CYCLES = tuple(int(103_711 * 1.83**power) for power in range(9))
"""50 µs to 7 ms at 2 GHz. No two have a round ratio, or a coarse tick could divide them all."""
_REPEATS = 7
_BEFORE_CYCLES = 400_000
"""Keeps the stream busy for 0.2 ms while the host enqueues events and kernel."""
_WARM_UP_CYCLES = 200_000_000
_LONG_S = (0.04, 0.12)
"""Both 20 ms or more: their difference is 80 ms, of which a per mille is 80 µs, several times what
a host's wake-up varies by."""
_LONG_REPEATS = 5
_GAP_S = 2e-3
_HIDDEN_BY = 10
"""The stream sleeps for so many times the gap."""
_UNHIDABLE_S = 0.1
"""No sleep of the clock's is as long."""
_KNOWN_S = 1e-3


class _Line(NamedTuple):
    intercept_s: float
    s_per_cycle: float
    residual: float


def timer_linearity(subject: Subject) -> Check:
    """Event times of `torch.cuda._sleep` over its cycles: a straight line, through almost nothing.

    Nine lengths from 50 µs to 7 ms, each seven times in turn, so that a clock that rises or falls
    meets all alike; medians; least squares of the relative residuals.
    """
    torch.cuda._sleep(_WARM_UP_CYCLES)  # noqa: SLF001 (there is no public one)
    rows = [[_event_s(subject, cycles) for cycles in _CYCLES] for _ in range(_REPEATS)]
    line = _fitted(_CYCLES, [statistics.median(column) for column in zip(*rows, strict=True)])
    state = state_of(line.residual, advice=ADVISABLE_RESIDUAL, unfit=LARGEST_RESIDUAL)
    advice = [] if state == "fine" else [_MENDS_THE_LINE]
    if abs(line.intercept_s) > LARGEST_INTERCEPT_S:
        state, advice = "advice" if state == "fine" else state, [*advice, _MENDS_THE_INTERCEPT]
    rate = f"{1e-6 / line.s_per_cycle:.0f} MHz" if line.s_per_cycle > 0 else "no rate"
    return finding(
        "timer_linearity",
        state,
        f"off a straight line by {percent(line.residual)} at most, at {rate}; an empty pair of "
        f"events takes {duration(line.intercept_s)}",
        "; ".join(advice),
        residual=line.residual,
        intercept_s=line.intercept_s,
        s_per_cycle=line.s_per_cycle,
        lengths=len(_CYCLES),
    )


_MENDS_THE_LINE = (
    "the card's clock moved meanwhile or its timer is coarse; fix the clock (sudo nvidia-smi -lgc "
    "MHZ) and examine again"
)
_MENDS_THE_INTERCEPT = (
    f"every cold sample has the time of such a pair in it: compare no cold times under "
    f"{duration(100 * LARGEST_INTERCEPT_S)}; look for what delays events, such as a profiler or "
    "debugger that is attached, or a virtual card"
)


def _event_s(subject: Subject, cycles: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(_BEFORE_CYCLES)  # noqa: SLF001
    start.record()
    torch.cuda._sleep(cycles)  # noqa: SLF001
    end.record()
    torch.cuda.synchronize(subject.device)
    return float(start.elapsed_time(end)) / 1e3


def _fitted(cycles: Sequence[int], times_s: Sequence[float]) -> _Line:
    """Least squares of (a + b c - t) / t; the residual is the largest of these."""
    x, t = np.array(cycles, dtype=float), np.array(times_s)
    if not (t > 0).all():
        return _Line(0.0, 0.0, float("inf"))
    slope, intercept = np.polyfit(x, t, 1, w=1 / t)
    return _Line(
        float(intercept), float(slope), float(np.abs((intercept + slope * x - t) / t).max())
    )


def event_against_host(subject: Subject) -> Check:
    """Event time against the host's over kernels of 40 ms and 120 ms.

    What the host has more, the enqueuing and the wake-up, is least in one of five; between the two
    lengths that least may grow by nothing.
    """
    rate = _calibrated(subject).cycles_per_s
    pairs = [[_both_s(subject, int(s * rate)) for s in _LONG_S] for _ in range(_LONG_REPEATS)]
    short, long = zip(*pairs, strict=True)
    grown_s = min(host - event for host, event in long) - min(host - event for host, event in short)
    lengths_s = [statistics.median(event for _, event in kind) for kind in (short, long)]
    off = grown_s / (lengths_s[1] - lengths_s[0])
    return finding(
        "event_against_host",
        "fine" if abs(off) <= LARGEST_DISAGREEMENT else "unfit",
        f"over {duration(lengths_s[1] - lengths_s[0])} the host's clock counts "
        f"{1e3 * off:+.2g} per mille against events",
        "one of the clocks is wrong, or the host was busy: see contention; a virtual machine may "
        "have to be told to take the processor's own counter (clocksource tsc)",
        disagreement=off,
        short_s=lengths_s[0],
        long_s=lengths_s[1],
    )


def _both_s(subject: Subject, cycles: int) -> tuple[float, float]:
    """The host's time around one sleep and its event time."""
    torch.cuda.synchronize(subject.device)
    start_s = time.perf_counter()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    torch.cuda._sleep(cycles)  # noqa: SLF001
    end.record()
    torch.cuda.synchronize(subject.device)
    host_s = time.perf_counter() - start_s
    return host_s, float(start.elapsed_time(end)) / 1e3


def idle_stream(subject: Subject) -> Check:
    """Is a stream that waits for the host seen to do so, and a busy one not?

    `query()` of the first event is asked after the host has dawdled: with nothing before the event
    the device has long reached it, behind a sleep it has not. Then the clock that jobs are timed
    with has to label work which no sleep can hide `host_bound`, and to leave device work alone.
    """
    calibration = _calibrated(subject)
    clock = CudaEventClock(subject.device, cold=False, calibration=calibration)
    rate = calibration.cycles_per_s
    seen = {
        "empty": _reached(subject, cycles=0),
        "busy": _reached(subject, cycles=int(_HIDDEN_BY * _GAP_S * rate)),
        "dawdling_labelled": _is_labelled(clock, _UNHIDABLE_S, lambda: time.sleep(_UNHIDABLE_S)),
        "device_work_labelled": _is_labelled(
            clock,
            _KNOWN_S,
            lambda: torch.cuda._sleep(int(_KNOWN_S * rate)),  # noqa: SLF001
        ),
    }
    wanted = {
        "empty": True, "busy": False, "dawdling_labelled": True, "device_work_labelled": False,
    }  # fmt: skip
    wrong = [_WORDS[one] for one in wanted if seen[one] != wanted[one]]
    return finding(
        "idle_stream",
        "unfit" if wrong else "fine",
        "; ".join(wrong) or "an empty stream is seen to wait for the host, a busy one is not",
        "times contain the host's without being labelled, or the other way round; CUDA_LAUNCH_"
        "BLOCKING and debuggers do that, see environment variables",
        **seen,
    )


_WORDS = {
    "empty": "an event at the head of an empty stream is not seen to be reached",
    "busy": "an event behind a sleep is reached before the sleep can be over",
    "dawdling_labelled": "work that waits for the host is not labelled host_bound",
    "device_work_labelled": "work of the device alone is labelled host_bound",
}


def _calibrated(subject: Subject) -> Calibration:
    return calibrate(torch.device(subject.device))


def _reached(subject: Subject, *, cycles: int) -> bool:
    """Whether the device has reached the first event when the host has dawdled behind it."""
    torch.cuda.synchronize(subject.device)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    if cycles:
        torch.cuda._sleep(cycles)  # noqa: SLF001
    start.record()
    time.sleep(_GAP_S)
    end.record()
    reached = bool(start.query())
    torch.cuda.synchronize(subject.device)
    return reached


def _is_labelled(clock: CudaEventClock, launch_s: float, launch: Callable[[], object]) -> bool:
    clock.chunk(launch, clock.begin(launch, launch_s))
    return HOST_BOUND in clock.labels()
