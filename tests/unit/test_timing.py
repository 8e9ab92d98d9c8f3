"""Clocks and the sampling loop, on scripted time."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from gconvbench.stopping import MedianPrecision
from gconvbench.timing import HostClock, take_samples, warm_up

if TYPE_CHECKING:
    from collections.abc import Sequence


class ScriptedTime:
    """A clock that moves only when work is done or it is read."""

    def __init__(self, reading_s: float = 0.0) -> None:
        self.now_s = 0.0
        self._reading_s = reading_s

    def __call__(self) -> float:
        self.now_s += self._reading_s
        return self.now_s

    def work(self, seconds: float) -> None:
        self.now_s += seconds


def stopping(tick_s: float) -> MedianPrecision:
    return MedianPrecision(
        target=0.02, min_samples=10, max_samples=50, min_time_s=0.0, max_time_s=100.0,
        tick_s=tick_s,
    )  # fmt: skip


def test_a_sample_is_the_mean_over_its_launches() -> None:
    time = ScriptedTime()
    clock = HostClock(now=time)
    durations_s = iter([1.0, 2.0, 6.0])
    assert clock.chunk(lambda: time.work(next(durations_s)), 3) == (3.0,)


def test_short_launches_are_batched_to_a_millisecond() -> None:
    clock = HostClock(now=ScriptedTime(reading_s=1e-7))
    assert clock.begin(print, 1e-5) == 100
    assert clock.begin(print, 1e-3) == 1
    assert clock.begin(print, 1.0) == 1


def test_a_slow_clock_may_cost_a_thousandth_of_a_sample() -> None:
    assert HostClock(now=ScriptedTime(reading_s=1e-5)).begin(print, 1e-3) in {10, 11}


def test_the_tick_is_the_smallest_step_seen() -> None:
    assert HostClock(now=ScriptedTime(reading_s=1e-6)).tick_s == pytest.approx(1e-6)


def test_steady_work_stops_at_the_fewest_samples() -> None:
    time = ScriptedTime()
    sampling = take_samples(
        lambda: time.work(0.5), HostClock(now=time), stopping, launch_s=0.5, now=time
    )
    assert sampling.samples_s == (0.5,) * 10
    assert sampling.target_reached
    assert sampling.labels == ()


def test_unsteady_work_goes_on_to_the_cap_and_says_so() -> None:
    time = ScriptedTime()
    durations_s = iter([1.0, 2.0] * 100)
    sampling = take_samples(
        lambda: time.work(next(durations_s)),
        HostClock(now=time),
        stopping,
        launch_s=1.0,
        now=time,
    )
    assert len(sampling.samples_s) == 50
    assert sampling.labels == ("target not reached",)


def test_slow_work_stops_at_the_time_cap_with_what_it_has() -> None:
    time = ScriptedTime()
    sampling = take_samples(
        lambda: time.work(40.0), HostClock(now=time), stopping, launch_s=40.0, now=time
    )
    assert len(sampling.samples_s) == 3
    assert not sampling.target_reached


class ChunkClock:
    """Delivers samples in chunks, as a GPU's clock does."""

    tick_s = 0.0

    def begin(self, launch: object, launch_s: float) -> int:
        return 1

    def chunk(self, launch: object, launches: int) -> Sequence[float]:
        return [1.0] * 7

    def labels(self) -> tuple[str, ...]:
        return ("host_bound",)

    def facts(self) -> None:
        return None


def test_chunks_are_taken_whole_and_labels_are_kept() -> None:
    sampling = take_samples(lambda: None, ChunkClock(), stopping, launch_s=1.0, now=lambda: 0.0)
    assert len(sampling.samples_s) == 14
    assert sampling.labels == ("host_bound",)


def test_no_garbage_is_collected_within_a_sample_and_the_setting_is_restored() -> None:
    time = ScriptedTime()
    seen = set()

    def launch() -> None:
        seen.add(gc.isenabled())
        time.work(1.0)

    take_samples(launch, HostClock(now=time), stopping, launch_s=1.0, now=time)
    assert seen == {False}
    assert gc.isenabled()


def test_warming_up_lasts_as_long_as_asked_and_tells_the_time_of_a_launch() -> None:
    time = ScriptedTime()
    launched: list[float] = []
    synchronised: list[int] = []

    def launch() -> None:
        launched.append(time.now_s)
        time.work(1.0 if not launched[1:] else 0.25)

    launch_s = warm_up(launch, lambda: synchronised.append(len(launched)), time_s=2.0, now=time)
    assert launch_s == 0.25
    assert synchronised == [1, 3, 7]
    assert warm_up(lambda: time.work(9.0), lambda: None, time_s=1.0, now=time) == 9.0
