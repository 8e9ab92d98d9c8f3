"""The views of a job's time, with clocks and a card that a test makes."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench import telemetry, views
from gconvbench.records import ClockFacts, Method
from gconvbench.views import Views, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gconvbench.records import CacheMode, Timing

ALL: tuple[CacheMode, ...] = ("cold", "hot", "graph", "as_called")
OPERAND_BYTES = 10 << 20
LAUNCH_S = 1e-3


class ScriptedClock:
    """Reads how long launches took on the card's own time."""

    tick_s = 1e-9

    def __init__(self, card: Card) -> None:
        self._card = card

    def begin(self, launch: object, launch_s: float) -> int:
        return 1

    def chunk(self, launch: Callable[[], object], launches: int) -> Sequence[float]:
        return [self._card.time_of(launch)]

    def labels(self) -> tuple[str, ...]:
        return ()

    def facts(self) -> ClockFacts:
        return ClockFacts(tick_s=self.tick_s, empty_s=0.0, sleep_s=0.0, tried=10)


class Card:
    """Launches take time on it, and a capture keeps what it is given."""

    def __init__(self, *, launch_s: float = LAUNCH_S, free_bytes: int = 1 << 34) -> None:
        self.now_s = 0.0
        self.launched: list[int] = []
        self.waited_after: list[int] = []
        self.built_while_capturing: list[bool] = []
        self.is_capturing = False
        self.fault: Exception | None = None
        self.free_bytes = free_bytes
        self._launch_s = launch_s

    def launch(self, operands: int) -> tuple[()]:
        self.launched.append(operands)
        self.now_s += self._launch_s
        return ()

    def synchronize(self) -> None:
        self.waited_after.append(len(self.launched))

    def time_of(self, launch: Callable[[], object]) -> float:
        before = self.now_s
        launch()
        return self.now_s - before

    def work(self, **changes: Any) -> Work:
        def again() -> Callable[[], tuple[()]]:
            self.built_while_capturing.append(self.is_capturing)
            number = len(self.built_while_capturing)
            return lambda: self.launch(number)

        made: dict[str, Any] = {
            "launch": lambda: self.launch(0),
            "again": again,
            "operand_bytes": OPERAND_BYTES,
        }
        return Work(**(made | changes))

    @contextlib.contextmanager
    def capture_stream(self, _device: object) -> Iterator[None]:
        self.is_capturing = True
        yield
        self.is_capturing = False

    def capture(
        self, launches: Sequence[Callable[[], object]], *, calls: int, device: object
    ) -> Any:
        if self.fault:
            raise self.fault

        def replay() -> None:
            for call in range(calls):
                launches[call % len(launches)]()

        return SimpleNamespace(replay=replay)


@pytest.fixture
def time_on(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[dict[str, Timing], dict[str, str]]]:
    def timed(
        card: Card, work: Work | None = None, modes: tuple[CacheMode, ...] = ALL
    ) -> tuple[dict[str, Timing], dict[str, str]]:
        method = Method(
            clock="cuda_events", cache_modes=modes, target=0.01, min_time_s=0.0, warmup_time_s=0.0
        )
        clock: Any = ScriptedClock(card)
        scripted: dict[str, Any] = {
            "clocks_of": lambda _, modes, longest_s: dict.fromkeys(modes, clock),
            "capture_stream": card.capture_stream,
            "capture": card.capture,
            "free_bytes": lambda _: card.free_bytes,
            "synchronizer": lambda _: card.synchronize,
            "warm_up": lambda launch, _, time_s: card.time_of(launch),
        }
        for name, fake in scripted.items():
            monkeypatch.setattr(views, name, fake)
        properties = SimpleNamespace(L2_cache_size=50 << 20)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(telemetry, "device_telemetry", lambda _: {})
        monkeypatch.setattr("time.perf_counter", lambda: card.now_s)
        timings, left_out = Views("cuda", method).time(work or card.work())
        return {timing.cache_mode: timing for timing in timings}, left_out

    return timed


def test_all_views_of_a_job_are_taken_in_the_order_of_the_method(time_on: Any) -> None:
    timings, left_out = time_on(Card())
    assert tuple(timings) == ALL
    assert left_out == {}
    for timing in timings.values():
        assert timing.median_s == pytest.approx(LAUNCH_S)


def test_a_graph_has_twenty_calls_or_more_on_operands_that_no_cache_holds(time_on: Any) -> None:
    card = Card()
    timings, _ = time_on(card, modes=("graph",))
    graph = timings["graph"]
    assert graph.launches_per_sample == 20
    assert graph.clock is not None
    assert graph.clock.buffers == 10  # of 10 MiB, for a cache of 50 MiB
    assert graph.clock.rotated_bytes == 10 * OPERAND_BYTES
    assert card.built_while_capturing == [True] * 10
    assert card.launched[-20:] == [*range(1, 11)] * 2


@pytest.mark.parametrize(
    ("operand_bytes", "free_bytes", "buffers", "calls"),
    [(1 << 10, 1 << 34, 20, 20), (30 << 20, 1 << 34, 4, 20), (45 << 20, 1 << 34, 3, 21),
     (200 << 20, 1 << 34, 1, 20), (10 << 20, 80 << 20, 2, 20)],
    ids=["tiny", "four", "no divisor", "one is enough", "little memory"],
)  # fmt: skip
def test_operands_take_turns_as_far_as_cache_calls_and_memory_ask(
    operand_bytes: int, free_bytes: int, buffers: int, calls: int, time_on: Any
) -> None:
    card = Card(free_bytes=free_bytes)
    timings, _ = time_on(card, card.work(operand_bytes=operand_bytes), ("graph",))
    assert timings["graph"].clock.buffers == buffers
    assert timings["graph"].launches_per_sample == calls


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"why_not_captured": "it is a graph already"}, "it is a graph already"),
        ({"again": None}, "only implementations can be captured"),
    ],
)
def test_what_has_no_graph_has_the_other_views_and_a_reason(
    changes: dict[str, Any], reason: str, time_on: Any
) -> None:
    card = Card()
    timings, left_out = time_on(card, card.work(**changes))
    assert tuple(timings) == ("cold", "hot", "as_called")
    assert left_out == {"graph": reason}


def test_a_capture_that_fails_costs_that_view_alone(time_on: Any) -> None:
    card = Card()
    card.fault = RuntimeError("cannot be captured in a CUDA graph: it waits for the host")
    timings, left_out = time_on(card)
    assert tuple(timings) == ("cold", "hot", "as_called")
    assert left_out == {"graph": "RuntimeError: " + str(card.fault)}


def test_a_card_that_is_lost_while_it_captures_costs_the_job(time_on: Any) -> None:
    card = Card()
    card.fault = RuntimeError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(RuntimeError, match="illegal memory access"):
        time_on(card)


def test_a_launch_of_which_twenty_take_too_long_is_not_unrolled(time_on: Any) -> None:
    _, left_out = time_on(Card(launch_s=0.05))
    assert left_out == {"graph": "20 calls take longer than 0.5 s"}


def test_the_device_has_something_to_do_while_its_clock_is_read(
    time_on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card()
    read_after: list[int] = []

    def read(_device: str) -> dict[str, int]:
        read_after.append(len(card.launched))
        return {}

    method = Method(clock="cuda_events", cache_modes=("hot",), target=0.01)
    time_on(card, modes=("hot",))
    monkeypatch.setattr(telemetry, "device_telemetry", read)
    card.launched.clear()
    Views("cuda", method).time(card.work())
    before, after = read_after
    assert before >= 5  # milliseconds of work, which nobody waits for
    assert after - before >= 5
    assert before in card.waited_after  # and what was enqueued for it is in no sample
    assert card.waited_after[-1] == len(card.launched) == after  # nor still at work afterwards


def test_on_the_cpu_there_is_one_view_and_nothing_is_enqueued_beside_it() -> None:
    launched: list[int] = []
    method = Method(clock="host", cache_modes=("hot",), target=0.5, min_time_s=0.0)

    def launch() -> tuple[()]:
        launched.append(1)
        return ()

    timings, left_out = Views("cpu", method).time(Work(launch=launch))
    assert [timing.cache_mode for timing in timings] == ["hot"]
    assert left_out == {}
    assert timings[0].clock is None
