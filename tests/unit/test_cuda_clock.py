"""The logic of the CUDA clock, on a scripted device. What a real one does is in tests/gpu."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.timing import UnrolledClock, cuda
from gconvbench.timing.calibration import calibrate
from tests.scripted_cuda import CYCLES_PER_S, TICK_S, ScriptedDevice, install

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[ScriptedDevice], None]:
    def become(device: ScriptedDevice) -> None:
        install(monkeypatch, device)

    return become


@pytest.fixture
def make_clock(
    script: Callable[[ScriptedDevice], None],
) -> Callable[[ScriptedDevice], cuda.CudaEventClock]:
    def make(device: ScriptedDevice) -> cuda.CudaEventClock:
        script(device)
        return cuda.CudaEventClock("cuda", cold=False)

    return make


def test_a_card_is_calibrated_by_what_its_events_show(script: Any) -> None:
    script(ScriptedDevice(launch_s=0.0, enqueue_s=0.0, empty_s=1.6e-6))
    found = calibrate(torch.device("cuda"))
    assert found.cycles_per_s == pytest.approx(CYCLES_PER_S, rel=1e-3)
    assert found.tick_s == pytest.approx(TICK_S, rel=1e-6)
    assert found.empty_s == pytest.approx(1.6e-6)


@pytest.mark.parametrize("tick_s", [1e-6, 0.5e-6, 32e-9])
def test_a_coarse_clock_is_seen_to_be_coarse(tick_s: float, script: Any) -> None:
    script(ScriptedDevice(launch_s=0.0, enqueue_s=0.0, tick_s=tick_s))
    assert calibrate(torch.device("cuda")).tick_s == pytest.approx(tick_s, rel=1e-6)


def test_a_sample_is_device_time_although_the_host_is_slower(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=10e-6, enqueue_s=40e-6)
    clock = make_clock(device)
    launches = clock.begin(device.launch, 40e-6)  # so long a launch seems by the host's clock
    assert launches in {5, 6}
    samples_s = clock.chunk(device.launch, launches)
    assert samples_s == pytest.approx([10e-6] * len(samples_s), rel=1e-2)
    assert clock.labels() == ()
    assert clock.facts().idle == 0
    assert clock.facts().tried == len(samples_s)


def test_a_host_that_grew_slow_is_noticed_and_its_samples_are_thrown_away(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=100e-6, enqueue_s=10e-6)
    clock = make_clock(device)
    launches = clock.begin(device.launch, 100e-6)
    device._enqueue_s = 300e-6
    samples_s = clock.chunk(device.launch, launches)
    assert samples_s == pytest.approx([100e-6] * len(samples_s), rel=1e-2)
    assert clock.labels() == ()
    facts = clock.facts()
    assert facts.idle > 0
    assert facts.repeated_chunks > 0
    assert facts.tried > len(samples_s)


def test_a_launch_of_many_kernels_gets_chunks_that_the_queue_holds(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=3e-6, enqueue_s=4e-6, kernels=200, queue=1000)
    clock = make_clock(device)
    launches = clock.begin(device.launch, 800e-6)
    samples_s = clock.chunk(device.launch, launches)
    assert samples_s == pytest.approx([600e-6] * len(samples_s), rel=1e-2)
    assert clock.labels() == ()


def test_work_that_no_sleep_can_hide_is_labelled_and_the_sleep_does_not_grow(
    make_clock: Any,
) -> None:
    device = ScriptedDevice(launch_s=1e-6, enqueue_s=0.2)
    clock = make_clock(device)
    launches = clock.begin(device.launch, 0.2)
    for _ in range(5):
        clock.chunk(device.launch, launches)
    assert clock.labels() == ("host_bound",)
    assert max(device.slept_s) <= 0.05
    assert clock.facts().idle == clock.facts().tried


def test_a_new_launch_forgets_what_was_learnt_of_the_one_before(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=1e-6, enqueue_s=0.2)
    clock = make_clock(device)
    clock.chunk(device.launch, clock.begin(device.launch, 1e-3))
    assert clock.labels()
    clock.begin(device.launch, 1e-3)
    assert clock.labels() == ()
    assert clock.facts().tried == 0


def test_memory_taken_from_the_device_within_a_chunk_is_labelled(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=1e-3, enqueue_s=1e-6)
    clock = make_clock(device)

    def launch() -> None:
        device.allocations += 1
        device.launch()

    clock.chunk(launch, clock.begin(device.launch, 1e-3))
    assert clock.labels() == ("allocator grew",)
    assert clock.facts().repeated_chunks == 4


def test_a_chunk_of_long_launches_is_short(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=0.06, enqueue_s=1e-6)
    clock = make_clock(device)
    assert len(clock.chunk(device.launch, clock.begin(device.launch, 0.06))) == 1
    quick = ScriptedDevice(launch_s=1e-4, enqueue_s=1e-6)
    clock = make_clock(quick)
    assert len(clock.chunk(quick.launch, clock.begin(quick.launch, 1e-4))) == 50


def test_events_are_made_once_and_used_again(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=1e-4, enqueue_s=1e-6)
    clock = make_clock(device)
    launches = clock.begin(device.launch, 1e-4)
    clock.chunk(device.launch, launches)
    made = device.made_events
    clock.chunk(device.launch, launches)
    assert device.made_events == made


@pytest.mark.parametrize(
    ("tick_s", "empty_s", "launches"),
    [(TICK_S, 0.0, 17), (1e-6, 0.0, 34), (TICK_S, 2e-6, 68)],
    ids=["the shortest sample", "a coarse clock", "events that take time"],
)
def test_short_launches_are_batched_where_the_cache_may_be_hot(
    tick_s: float, empty_s: float, launches: int, make_clock: Any
) -> None:
    device = ScriptedDevice(launch_s=3e-6, enqueue_s=1e-6, tick_s=tick_s, empty_s=empty_s)
    clock = make_clock(device)
    assert clock.begin(device.launch, 3e-6) == launches
    assert clock.begin(lambda: None, 1.0) == 1


def test_one_launch_is_a_sample_where_the_cache_must_be_cold(
    monkeypatch: pytest.MonkeyPatch, script: Any
) -> None:
    device = ScriptedDevice(launch_s=3e-6, enqueue_s=5e-6)
    script(device)
    flushed: list[float] = []

    class Flush:
        bytes = 1 << 20

        def __init__(self, _device: object) -> None:
            pass

        def run(self) -> None:
            flushed.append(device.host_s)
            device.enqueue(50e-6, 5e-6)

    monkeypatch.setattr(cuda, "_Flush", Flush)
    clock = cuda.CudaEventClock("cuda", cold=True)
    assert clock.begin(device.launch, 3e-6) == 1
    samples_s = clock.chunk(device.launch, 1)
    assert len(flushed) == len(samples_s)
    assert samples_s == pytest.approx([3e-6] * len(samples_s), rel=2e-2)
    assert clock.facts().flush_bytes == 1 << 20


@pytest.mark.parametrize(("cache_bytes", "flushed"), [(50 << 20, 100 << 20), (0, 256 << 20)])
def test_a_flush_is_twice_the_cache_and_ends_with_a_read(
    cache_bytes: int, flushed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    properties = SimpleNamespace(L2_cache_size=cache_bytes)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    flush = cuda._Flush(torch.device("cpu"))
    assert flush.bytes == flushed
    flush._buffer.fill_(1)
    flush.run()
    assert not flush._buffer.any()
    assert flush._sum.item() == 0


def test_a_call_of_an_unrolled_launch_is_timed_as_one_of_many(make_clock: Any) -> None:
    device = ScriptedDevice(launch_s=40e-6, enqueue_s=10e-6)
    clock = UnrolledClock(make_clock(device), calls=20, buffers=4)
    launches = clock.begin(device.launch, 40e-6)
    assert launches == 40
    samples_s = clock.chunk(device.launch, launches)
    assert samples_s == pytest.approx([2e-6] * len(samples_s), rel=1e-2)
    facts = clock.facts()
    assert facts is not None
    assert (facts.buffers, facts.tried) == (4, len(samples_s))
