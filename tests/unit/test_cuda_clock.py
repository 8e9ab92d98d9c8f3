"""The logic of the CUDA clock, on a scripted device. What a real one does is in tests/gpu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.timing import cuda

if TYPE_CHECKING:
    from collections.abc import Callable

CYCLES_PER_S = 1e9


class ScriptedDevice:
    """A stream that works through what is enqueued while the host goes on by itself."""

    def __init__(self, *, launch_s: float, enqueue_s: float) -> None:
        self.host_s = 0.0
        self.stream_s = 0.0
        self.slept_s: list[float] = []
        self.allocations = 0
        self._launch_s = launch_s
        self._enqueue_s = enqueue_s

    def launch(self) -> None:
        self.host_s += self._enqueue_s
        self.stream_s = max(self.stream_s, self.host_s) + self._launch_s

    def sleep(self, cycles: int) -> None:
        self.slept_s.append(cycles / CYCLES_PER_S)
        self.stream_s = max(self.stream_s, self.host_s) + cycles / CYCLES_PER_S

    def synchronize(self, _device: object = None) -> None:
        self.host_s = max(self.host_s, self.stream_s)

    def event(self, **_: object) -> ScriptedEvent:
        return ScriptedEvent(self)

    def memory_stats(self, _device: object) -> dict[str, int]:
        return {"num_device_alloc": self.allocations}


class ScriptedEvent:
    def __init__(self, device: ScriptedDevice) -> None:
        self._device = device
        self.at_s = 0.0

    def record(self) -> None:
        self.at_s = max(self._device.stream_s, self._device.host_s)

    def query(self) -> bool:
        return self.at_s <= self._device.host_s

    def elapsed_time(self, other: ScriptedEvent) -> float:
        return 1e3 * (other.at_s - self.at_s)


@pytest.fixture
def make_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[ScriptedDevice], cuda.CudaEventClock]:
    def make(device: ScriptedDevice) -> cuda.CudaEventClock:
        names: dict[str, Any] = {
            "Event": device.event,
            "_sleep": device.sleep,
            "synchronize": device.synchronize,
            "memory_stats": device.memory_stats,
        }
        for name, fake in names.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        monkeypatch.setattr("time.perf_counter", lambda: device.host_s)
        return cuda.CudaEventClock("cuda", cold=False)

    return make


def test_a_sample_is_device_time_although_the_host_is_slower(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=10e-6, enqueue_s=40e-6)
    clock = make_clock(device)
    launches = clock.launches_per_sample(10e-6)
    assert launches == 5
    samples_s = clock.chunk(device.launch, launches)
    assert samples_s == pytest.approx([10e-6] * len(samples_s), rel=1e-3)
    assert clock.labels() == ()


def test_work_that_no_sleep_can_hide_is_labelled_and_the_sleep_does_not_grow(
    make_clock: Any,
) -> None:
    device = ScriptedDevice(launch_s=1e-6, enqueue_s=0.2)
    clock = make_clock(device)
    launches = clock.launches_per_sample(1e-3)
    for _ in range(5):
        clock.chunk(device.launch, launches)
    assert clock.labels() == ("host_bound",)
    assert max(device.slept_s) <= 0.05


def test_a_new_launch_forgets_the_labels_of_the_one_before(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=1e-6, enqueue_s=0.2)
    clock = make_clock(device)
    clock.chunk(device.launch, clock.launches_per_sample(1e-3))
    assert clock.labels()
    clock.launches_per_sample(1e-3)
    assert clock.labels() == ()


def test_memory_taken_from_the_device_within_a_chunk_is_labelled(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=1e-3, enqueue_s=1e-6)
    clock = make_clock(device)

    def launch() -> None:
        device.allocations += 1
        device.launch()

    clock.chunk(launch, clock.launches_per_sample(1e-3))
    assert clock.labels() == ("allocator grew",)


def test_a_chunk_of_long_launches_is_short(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=0.06, enqueue_s=1e-6)
    clock = make_clock(device)
    assert len(clock.chunk(device.launch, clock.launches_per_sample(0.06))) == 1
    quick = ScriptedDevice(launch_s=1e-4, enqueue_s=1e-6)
    clock = make_clock(quick)
    assert len(clock.chunk(quick.launch, clock.launches_per_sample(1e-4))) == 50


def test_short_launches_are_batched_where_the_cache_may_be_hot(make_clock: Any) -> None:
    clock = make_clock(ScriptedDevice(launch_s=1e-6, enqueue_s=1e-6))
    assert clock.launches_per_sample(3e-6) == 17
    assert clock.launches_per_sample(1.0) == 1
