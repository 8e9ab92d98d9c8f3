"""What machine and device did during one job."""

from __future__ import annotations

import os
import resource
import time
from typing import Self

from gconvbench.environment import device_telemetry
from gconvbench.records import Telemetry

__all__ = ["Watch"]


class Watch:
    """Reads what the process and the device did between entry and exit."""

    def __init__(self, device: str) -> None:
        self._device = device

    def __enter__(self) -> Self:
        self._before = device_telemetry(self._device)
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        wall_s = time.perf_counter() - self._start
        usage = resource.getrusage(resource.RUSAGE_SELF)
        after = device_telemetry(self._device)
        self.telemetry = Telemetry(
            wall_s=wall_s,
            cpu_s=usage.ru_utime + usage.ru_stime - self._usage.ru_utime - self._usage.ru_stime,
            involuntary_switches=usage.ru_nivcsw - self._usage.ru_nivcsw,
            load=os.getloadavg()[0],
            device={"before": self._before, "after": after} if after else {},
        )
