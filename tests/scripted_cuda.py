"""A CUDA device on scripted time, as far as clocks see one: a stream, events, a cache, a card.

Each fault that an instrument can have is one argument; without any the device is a good one.
"""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    import pytest

__all__ = [
    "COLD_BYTES_PER_S",
    "CYCLES_PER_S",
    "HOT_BYTES_PER_S",
    "MIB",
    "TICK_S",
    "ScriptedDevice",
    "install",
    "install_card",
]

CYCLES_PER_S = 1e9
TICK_S = 32e-9
MIB = 1 << 20
HOT_BYTES_PER_S = 4e12
COLD_BYTES_PER_S = 1e12


class ScriptedDevice:
    """A stream that works through what is enqueued while the host goes on by itself.

    Its queue holds so many entries; then the host waits for room. Its cache holds what was used
    last.

    Args:
        launch_s: of a kernel of a launch, on the device.
        enqueue_s: of that, on the host.
        sleep_enqueue_s: of a sleep, on the host.
        empty_s: what a pair of events around nothing takes.
        tick_s: events are rounded to this; 0 is not at all.
        kernels: of a launch.
        queue: entries.
        event_rate: how fast the clock of events goes; 1.01 is 1 % too fast.
        event_power: what lengths are raised to, in units of a millisecond; 1 is linear.
        event_offset_s: what events say more than there is.
        query: whether events tell if they were reached, or always say the same.
        blocking: each kernel is waited for, as with CUDA_LAUNCH_BLOCKING.
        cache_bytes: of the last-level cache.
        told_bytes: what the device's properties say of it; the truth by default.
        memory_bytes_per_s: of what the cache does not hold.
        jitter_s: what a pass over memory takes more at the most, any of it as likely.
    """

    def __init__(  # noqa: PLR0913 (one per property)
        self,
        *,
        launch_s: float = 10e-6,
        enqueue_s: float = 5e-6,
        sleep_enqueue_s: float = 0.0,
        empty_s: float = 0.0,
        tick_s: float = TICK_S,
        kernels: int = 1,
        queue: int = 1000,
        event_rate: float = 1.0,
        event_power: float = 1.0,
        event_offset_s: float = 0.0,
        query: Literal["right", "never", "always"] = "right",
        blocking: bool = False,
        cache_bytes: int = 32 * MIB,
        told_bytes: int | None = None,
        memory_bytes_per_s: float = COLD_BYTES_PER_S,
        jitter_s: float = 0.0,
    ) -> None:
        self.host_s = 0.0
        self.stream_s = 0.0
        self.slept_s: list[float] = []
        self.allocations = 0
        self.tick_s = tick_s
        self.empty_s = empty_s
        self.event_rate = event_rate
        self.event_power = event_power
        self.event_offset_s = event_offset_s
        self.answer = query
        self.told_bytes = cache_bytes if told_bytes is None else told_bytes
        self.made_events = 0
        self._launch_s = launch_s
        self._enqueue_s = enqueue_s
        self._sleep_enqueue_s = sleep_enqueue_s
        self._kernels = kernels
        self._queue = queue
        self._blocking = blocking
        self._ends_s: list[float] = []
        self._cache_bytes = cache_bytes
        self._cached: dict[int, int] = {}
        self._memory_bytes_per_s = memory_bytes_per_s
        self._jitter_s = jitter_s
        self._chance = np.random.default_rng(1)

    def launch(self) -> None:
        for _ in range(self._kernels):
            self.enqueue(self._launch_s, self._enqueue_s)

    def sleep(self, cycles: int) -> None:
        self.slept_s.append(cycles / CYCLES_PER_S)
        self.enqueue(cycles / CYCLES_PER_S, self._sleep_enqueue_s)

    def enqueue(self, takes_s: float, enqueue_s: float) -> None:
        self.host_s += enqueue_s
        self._ends_s = [end_s for end_s in self._ends_s if end_s > self.host_s]
        if len(self._ends_s) >= self._queue:
            self.host_s = self._ends_s.pop(0)
        self.stream_s = max(self.stream_s, self.host_s) + takes_s
        self._ends_s.append(self.stream_s)
        if self._blocking:
            self.synchronize()

    def synchronize(self, _device: object = None) -> None:
        self.host_s = max(self.host_s, self.stream_s)

    def dawdle(self, seconds: float) -> None:
        self.host_s += seconds

    def event(self, **_: object) -> ScriptedEvent:
        self.made_events += 1
        return ScriptedEvent(self)

    def memory_stats(self, _device: object) -> dict[str, int]:
        return {"num_device_alloc": self.allocations}

    def zeros(self, *shape: Any, **_: object) -> ScriptedBuffer:
        sizes = shape[0] if shape and isinstance(shape[0], tuple) else shape
        return ScriptedBuffer(self, 4 * math.prod(sizes))

    def sum(self, buffer: ScriptedBuffer, **_: object) -> None:
        self.pass_over(buffer)

    def pass_over(self, *buffers: ScriptedBuffer) -> None:
        """Read or write them whole."""
        seconds = self._launch_s + self._jitter_s * self._chance.random()
        for buffer in buffers:
            held = self._cached.pop(id(buffer), 0)
            seconds += held / HOT_BYTES_PER_S + (buffer.bytes - held) / self._memory_bytes_per_s
            self._cached[id(buffer)] = min(buffer.bytes, self._cache_bytes)
            self._evict()
        self.enqueue(seconds, self._enqueue_s)

    def _evict(self) -> None:
        """What was used longest ago leaves first."""
        while (excess := sum(self._cached.values()) - self._cache_bytes) > 0:
            oldest = next(iter(self._cached))
            if self._cached[oldest] <= excess:
                del self._cached[oldest]
            else:
                self._cached[oldest] -= excess


class ScriptedBuffer:
    def __init__(self, device: ScriptedDevice, size: int) -> None:
        self._device = device
        self.bytes = size

    def numel(self) -> int:
        return self.bytes // 4

    def element_size(self) -> int:
        return 4

    def zero_(self) -> None:
        self._device.pass_over(self)

    def copy_(self, source: ScriptedBuffer) -> None:
        self._device.pass_over(source, self)


class ScriptedEvent:
    def __init__(self, device: ScriptedDevice) -> None:
        self._device = device
        self.at_s = 0.0

    def record(self) -> None:
        self._device.enqueue(self._device.empty_s, 0.0)
        self.at_s = self._device.stream_s

    def query(self) -> bool:
        if self._device.answer != "right":
            return self._device.answer == "always"
        return self.at_s <= self._device.host_s

    def elapsed_time(self, other: ScriptedEvent) -> float:
        device = self._device
        length_ms = 1e3 * (other.at_s - self.at_s + device.event_offset_s) * device.event_rate
        if device.event_power != 1.0:
            length_ms **= device.event_power
        tick_ms = 1e3 * device.tick_s
        return tick_ms * round(length_ms / tick_ms) if tick_ms else length_ms


def install(monkeypatch: pytest.MonkeyPatch, device: ScriptedDevice) -> None:
    """Make it the device that `torch.cuda` has, and its host's time the time."""
    names: dict[str, Any] = {
        "Event": device.event,
        "_sleep": device.sleep,
        "synchronize": device.synchronize,
        "memory_stats": device.memory_stats,
        "get_device_properties": lambda _: SimpleNamespace(
            L2_cache_size=device.told_bytes, uuid="12ab"
        ),
    }
    for name, fake in names.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch, "zeros", device.zeros)
    monkeypatch.setattr(torch, "sum", device.sum)
    monkeypatch.setattr("time.perf_counter", lambda: device.host_s)
    monkeypatch.setattr("time.sleep", device.dawdle)


def install_card(
    monkeypatch: pytest.MonkeyPatch, device: ScriptedDevice, **changes: object
) -> None:
    """What NVML says of the card, each answer taking a millisecond; an exception is raised.

    Args:
        monkeypatch: pytest's.
        device: whose host asks.
        changes: other answers, by NVML's function without `nvmlDeviceGet`.
    """
    answers: dict[str, object] = {
        "HandleByUUID": "handle",
        "ComputeRunningProcesses": ["this one"],
        "UtilizationRates": SimpleNamespace(gpu=3, memory=1),
        "ClockInfo": 1980,
        "ApplicationsClock": 1980,
        "MaxClockInfo": 2100,
        "PowerUsage": 300_000,
        "EnforcedPowerLimit": 700_000,
        "PowerManagementDefaultLimit": 700_000,
        "TotalEnergyConsumption": 5000,
        "Temperature": 45,
        "TemperatureThreshold": 90,
        "CurrentClocksEventReasons": 0,
        "MigMode": [0, 0],
        "EccMode": [1, 1],
        "PersistenceMode": 1,
        "UUID": "GPU-12ab",
        "VbiosVersion": "96.00",
        "MaxPcieLinkGeneration": 5,
        "CurrPcieLinkWidth": 16,
    } | changes

    def function(answer: object) -> Any:
        def asked(*_: object) -> object:
            device.dawdle(1e-3)
            if isinstance(answer, Exception):
                raise answer
            return answer() if callable(answer) else answer

        return asked

    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        NVMLError=LookupError,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        NVML_TEMPERATURE_GPU=0,
        NVML_TEMPERATURE_THRESHOLD_SLOWDOWN=1,
    )
    for name, answer in answers.items():
        setattr(nvml, f"nvmlDeviceGet{name}", function(answer))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
