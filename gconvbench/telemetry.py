"""What machine and device did meanwhile."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from gconvbench.environment import device_telemetry
from gconvbench.records import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Watch"]

_SCHEDSTAT = Path("/proc/thread-self/schedstat")
_STAT = Path("/proc/stat")
_STEAL = 8
"""Column of stolen ticks in the first line of /proc/stat (proc(5)), the line's name included."""


class Watch:
    """Reads what the process, the machine and the device did between entry and exit.

    Args:
        device: whose clocks to read; `cpu` for none.
        busy: gives the device something to do while its clocks are read.
        settle: waits until it is done, so that none of it is left when others begin.
        now: what the duration is measured with.
    """

    def __init__(
        self,
        device: str,
        *,
        busy: Callable[[], object] = lambda: None,
        settle: Callable[[], object] = lambda: None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._device = device
        self._busy = busy
        self._settle = settle
        self._now = now

    def __enter__(self) -> Self:
        self._device_before = self._read_device()
        self._before = _read(self._now)
        return self

    def __exit__(self, *_: object) -> None:
        before, after = self._before, _read(self._now)
        device = self._read_device()
        self.telemetry = Telemetry(
            wall_s=after.now_s - before.now_s,
            cpu_s=after.cpu_s - before.cpu_s,
            involuntary_switches=after.involuntary_switches - before.involuntary_switches,
            load=os.getloadavg()[0],
            waited_s=_difference(before.waited_s, after.waited_s),
            stolen_s=_difference(before.stolen_s, after.stolen_s),
            main_s=after.main_s - before.main_s,
            device={"before": self._device_before, "after": device} if device else {},
        )

    def _read_device(self) -> dict[str, Any]:
        self._busy()
        readings = device_telemetry(self._device)
        self._settle()
        return readings


class _Reading(NamedTuple):
    now_s: float
    cpu_s: float
    involuntary_switches: int
    waited_s: float | None
    stolen_s: float | None
    main_s: float


def _read(now: Callable[[], float]) -> _Reading:
    waited_s, stolen_s = _waited_s(), _stolen_s()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = usage.ru_utime + usage.ru_stime
    return _Reading(now(), cpu_s, usage.ru_nivcsw, waited_s, stolen_s, time.thread_time())


def _waited_s() -> float | None:
    """How long this thread has waited for a core in its life (the kernel's sched-stats.rst)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_SCHEDSTAT.read_text("ascii").split()[1]) / 1e9
    return None


def _stolen_s() -> float | None:
    """What the hypervisor gave to others since the machine started, over all cores."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with _STAT.open(encoding="ascii") as file:
            ticks = int(file.readline().split()[_STEAL])
        return ticks / os.sysconf("SC_CLK_TCK")
    return None


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)
