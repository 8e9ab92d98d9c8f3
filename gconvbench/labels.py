"""Which labels samples earn, and why: pure functions of what was recorded. Imports no torch.

Nothing is discarded for a label: the samples stay, and whoever reads them is warned.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gconvbench.stats import drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.records import Telemetry

__all__ = [
    "ALLOCATOR_GREW",
    "CLEARLY_MORE",
    "CLOCK_SLOWED",
    "CONTENDED",
    "DRIFTING",
    "HELD_BACK",
    "HOST_BOUND",
    "LARGEST_SHARE_AWAY",
    "MEANINGS",
    "TARGET_NOT_REACHED",
    "THROTTLED",
    "device_labels",
    "drift_labels",
    "load_labels",
    "share_away",
]

TARGET_NOT_REACHED = "target not reached"
CONTENDED = "contended"
DRIFTING = "drifting"
HOST_BOUND = "host_bound"
ALLOCATOR_GREW = "allocator grew"
THROTTLED = "throttled"
CLOCK_SLOWED = "clock-slowed"

MEANINGS = {
    TARGET_NOT_REACHED: "the median's interval was wider than the target at the cap",
    CONTENDED: "others used the cores meanwhile; the time may be too long",
    DRIFTING: "samples went up or down by more than the target while they were taken",
    HOST_BOUND: "the device waited for the host to enqueue; the time is not the device's alone",
    ALLOCATOR_GREW: "memory was taken from the device within a sample",
    THROTTLED: "power or temperature held the device's clock back",
    CLOCK_SLOWED: "the device's clock fell by more than the target meanwhile",
}
"""What `show` says beside a label."""

LARGEST_SHARE_AWAY = 0.05
"""A core may be lost for this share of the time. The median of samples bears as much: fewer than
one sample in ten is hit. Alone on two virtual cores 0.1 % is seen, beside one busy neighbour on
the same core 50 %."""
_SHORTEST_SLICE_S = 0.7e-3
"""Linux's smallest time slice (kernel/sched/fair.c, `sysctl_sched_base_slice`): the least that a
task which takes a core away may use of it."""
CLEARLY_MORE = 0.5
"""The load average counts the worker's own threads, and other tasks that are ready for a moment."""
_TICK_S = 0.01
"""Stolen time is counted in ticks of a hundredth of a second (proc(5), /proc/stat)."""
HELD_BACK = {
    0x04: "software power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
"""Clock-event reasons that hold a clock back (NVML API reference, `nvmlClocksEventReasons`). Idle
and clocks that were set on purpose are none."""


def load_labels(
    telemetry: Telemetry, *, on_cpu: bool, online_cores: int | None = None
) -> tuple[str, ...]:
    """`contended` where others had the cores that the worker needed.

    It is so where the worker was ready and had no core, was interrupted or lay idle for more than
    5 % of the time, where the hypervisor took as much of all cores, where clearly more tasks than
    there are cores wanted to run during the last minute, or where another process computed on the
    GPU. A worker that waits for a GPU lies idle by right.

    Args:
        telemetry: of the time while samples were taken.
        on_cpu: whether the work is done by the worker itself.
        online_cores: of the machine, not only the worker's; those of this one by default.
    """
    cores = online_cores or os.cpu_count() or 1
    share = share_away(telemetry, on_cpu=on_cpu, online_cores=cores)
    crowded = telemetry.load > cores + CLEARLY_MORE or _shared(telemetry)
    return (CONTENDED,) if crowded or share > LARGEST_SHARE_AWAY else ()


def share_away(telemetry: Telemetry, *, on_cpu: bool, online_cores: int | None = None) -> float:
    """For which share of the time the worker had no core although it was ready, by any sign of it.

    Args:
        telemetry: as of `load_labels`.
        on_cpu: likewise.
        online_cores: likewise.
    """
    wall_s, cores = telemetry.wall_s, online_cores or os.cpu_count() or 1
    busy_s = telemetry.cpu_s if telemetry.main_s is None else telemetry.main_s
    away_s = [
        telemetry.waited_s or 0.0,
        telemetry.involuntary_switches * _SHORTEST_SLICE_S,
        ((telemetry.stolen_s or 0.0) - _TICK_S) / cores,
        wall_s - busy_s if on_cpu else 0.0,
    ]
    return max(away_s) / wall_s


def _shared(telemetry: Telemetry) -> bool:
    """Whether processes beside the worker computed on the device."""
    return any((one.get("compute_processes") or 0) > 1 for one in telemetry.device.values())


def drift_labels(
    samples_s: Sequence[float], *, target: float, tick_s: float = 0.0
) -> tuple[str, ...]:
    """`drifting` where the last third of the samples is surely and noticeably not like the first.

    Noticeably is by more than the target: the median is then not known as well as it seems.

    Args:
        samples_s: in the order taken.
        target: share of the median.
        tick_s: the smallest difference that a sample can show.
    """
    found = drift(samples_s, tick_s=tick_s)
    if found is None or abs(found.change) <= max(target, found.half_width):
        return ()
    return (DRIFTING,)


def device_labels(telemetry: Telemetry, *, target: float) -> tuple[str, ...]:
    """`throttled` and `clock-slowed`, by the device's readings before and after the samples.

    The clock is judged against itself, never against its maximum, which a card need not hold.

    Args:
        telemetry: of the time while samples were taken.
        target: share by which the clock may fall.
    """
    readings: list[dict[str, Any]] = [telemetry.device.get(key, {}) for key in ("before", "after")]
    reasons = [reading.get("clock_event_reasons") or 0 for reading in readings]
    before, after = (reading.get("sm_clock_mhz") for reading in readings)
    throttled = any(reason & mask for reason in reasons for mask in HELD_BACK)
    slowed = bool(before and after and after < before * (1 - target))
    labels = {THROTTLED: throttled, CLOCK_SLOWED: slowed}
    return tuple(label for label, earned in labels.items() if earned)
