"""The host's clock: how fine, how dear, and whether twice the work takes twice the time."""

from __future__ import annotations

import math
import statistics
import time
import zlib
from typing import TYPE_CHECKING

from gconvbench.environment.reading import Field, Reader, first_line
from gconvbench.examining.subject import duration, finding, state_of
from gconvbench.timing import HostClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check

__all__ = ["host_linearity", "host_timer"]

SHORTEST_SAMPLE_S = 1e-3
"""Samples of the host's clock last at least this long (`timing.clock`)."""
ADVISABLE_TICK = 1e-3
"""A thousandth of the shortest sample: what reading the clock may cost of it, too."""
LARGEST_TICK = 2e-2
"""Of the shortest sample: the default target on the CPU, which no sample could then meet."""
ADVISABLE_NONLINEARITY = 0.02
"""The default target on the CPU."""
LARGEST_NONLINEARITY = 0.10
"""Differences that people look for are smaller than this."""
_PAIRS = 15
_ONCE_S = 3e-3
_MOST_LAUNCHES = 1 << 14
"""Where the clock stands still, no number of them is enough."""
_BLOCK = bytes(1 << 16)
_SOURCE = Field(
    "clocksource",
    "/sys clocksource0/current_clocksource",
    lambda: first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
)


def host_timer(
    subject: Subject,  # noqa: ARG001 (every check is asked alike)
    now: Callable[[], float] = time.perf_counter,
) -> Check:
    """Resolution of the clock and cost of reading it, against the shortest sample."""
    clock = HostClock(now)
    source = Reader().read([_SOURCE])["clocksource"]
    worst = math.inf if not clock.tick_s else max(clock.tick_s, clock.overhead_s)
    told = f"steps of {duration(clock.tick_s)}, {duration(clock.overhead_s)} a reading"
    return finding(
        "host_timer",
        state_of(worst / SHORTEST_SAMPLE_S, advice=ADVISABLE_TICK, unfit=LARGEST_TICK),
        f"{told} ({source or 'unknown source'})",
        "let Linux take the processor's own counter (clocksource tsc), where it is stable",
        tick_s=clock.tick_s,
        overhead_s=clock.overhead_s,
        clocksource=source,
    )


def host_linearity(
    subject: Subject,  # noqa: ARG001
    now: Callable[[], float] = time.perf_counter,
    launch: Callable[[], object] = lambda: zlib.crc32(_BLOCK),
) -> Check:
    """So many launches against twice as many of the same work: the time must double.

    Pairs stand close together, and every other one begins with the longer: what slows the machine
    down for a while does not look like a crooked clock.
    """
    clock = HostClock(now)
    launches = _launches(launch, now)
    times_s: list[dict[int, float]] = []
    for number in range(_PAIRS):
        order = (1, 2) if number % 2 else (2, 1)
        times_s.append({
            many: clock.chunk(launch, many * launches)[0] * many * launches for many in order
        })  # fmt: skip
    short_s, long_s = (statistics.median(pair[many] for pair in times_s) for many in (1, 2))
    ratio = statistics.median(pair[2] / pair[1] if pair[1] else math.inf for pair in times_s) / 2
    return finding(
        "host_linearity",
        state_of(abs(ratio - 1), advice=ADVISABLE_NONLINEARITY, unfit=LARGEST_NONLINEARITY),
        f"twice {duration(short_s)} of work took {2 * ratio:.4g} times as long",
        "the machine's speed or clock changes within milliseconds: see contention and governor",
        short_s=short_s,
        long_s=long_s,
        ratio=ratio,
    )


def _launches(launch: Callable[[], object], now: Callable[[], float]) -> int:
    """As many as take about `_ONCE_S`; at least one."""
    launches = 1
    while True:
        start = now()
        for _ in range(launches):
            launch()
        taken_s = now() - start
        if taken_s >= _ONCE_S / 2 or launches >= _MOST_LAUNCHES:
            wanted = launches * _ONCE_S / max(taken_s, 1e-9)
            return max(1, min(_MOST_LAUNCHES, round(wanted)))
        launches *= 2
