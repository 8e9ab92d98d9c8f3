"""Each check of a card passes on a good one, and trips on one that has exactly that fault."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.examining import examine
from gconvbench.examining.card import BUSY, card_clocks, card_setup, other_processes
from gconvbench.examining.card_clock import event_against_host, idle_stream, timer_linearity
from gconvbench.examining.cold import cold_is_cold
from gconvbench.examining.subject import Subject
from gconvbench.planning import make_method
from gconvbench.protocol import Examine
from gconvbench.timing.calibration import calibrate
from tests.fakes import make_telemetry
from tests.scripted_cuda import CYCLES_PER_S, MIB, ScriptedDevice, install, install_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import Check

METHOD = make_method("cuda")
SUBJECT = Subject("cuda", METHOD)


class SickError(Exception):
    """As a driver's."""


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def make(device: dict[str, Any] | None = None, **card: object) -> None:
        scripted = ScriptedDevice(**({"sleep_enqueue_s": 1e-6} | (device or {})))
        install(monkeypatch, scripted)
        install_card(monkeypatch, scripted, **card)

    return make


CLOCK_CHECKS = (timer_linearity, event_against_host, idle_stream, cold_is_cold)
GOOD: tuple[dict[str, Any], ...] = (
    {},
    {"empty_s": 3e-6},
    {"tick_s": 0.5e-6, "empty_s": 2e-6},
    {"cache_bytes": 4 * MIB, "enqueue_s": 20e-6},
)


@pytest.mark.parametrize("device", GOOD, ids=["ideal", "pair", "tick", "small cache, slow host"])
@pytest.mark.parametrize("check", CLOCK_CHECKS)
def test_a_good_device_passes(
    make: Callable[..., None], check: Callable[[Subject], Check], device: dict[str, Any]
) -> None:
    make(device)
    found = check(SUBJECT)
    assert (found.state, found.advice) == ("fine", ""), found.found
    assert found.figures


FAULTS: tuple[tuple[Callable[[Subject], Check], dict[str, Any], str, str], ...] = (
    (timer_linearity, {"event_power": 1.02}, "advice", "off a straight line by"),
    (timer_linearity, {"event_power": 1.2}, "unfit", "off a straight line by"),
    (timer_linearity, {"tick_s": 20e-6}, "advice", "off a straight line by"),
    (timer_linearity, {"tick_s": 60e-6}, "unfit", "off a straight line by"),
    (timer_linearity, {"tick_s": 1.0}, "unfit", "off a straight line by inf"),
    (timer_linearity, {"empty_s": 50e-6}, "advice", "an empty pair of events takes 50 µs"),
    (timer_linearity, {"event_offset_s": -40e-6}, "advice", "takes -40 µs"),
    (event_against_host, {"event_rate": 1.01}, "unfit", "counts -9.9 per mille"),
    (event_against_host, {"event_rate": 0.998}, "unfit", "counts +2 per mille"),
    (idle_stream, {"query": "never"}, "unfit", "an empty stream is not seen"),
    (idle_stream, {"query": "always"}, "unfit", "reached before the sleep can be over"),
    (idle_stream, {"blocking": True}, "unfit", "reached before the sleep can be over"),
    (cold_is_cold, {"told_bytes": 0}, "advice", "is not told"),
    (cold_is_cold, {"cache_bytes": 256 * MIB, "told_bytes": 16 * MIB}, "unfit", "1 times as"),
    (cold_is_cold, {"cache_bytes": MIB, "told_bytes": 256 * MIB}, "unfit", "1 times as"),
    (cold_is_cold, {"memory_bytes_per_s": 3.9e12}, "unfit", "1.01 times as long"),
    (
        cold_is_cold,
        {"memory_bytes_per_s": 3.3e12, "jitter_s": 10e-6},
        "unfit",
        "the middle halves of the samples overlap",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("check", "fault", "state", "said"), FAULTS)
def test_each_fault_of_the_clock_is_found_and_gets_advice(
    make: Callable[..., None],
    check: Callable[[Subject], Check],
    fault: dict[str, Any],
    state: str,
    said: str,
) -> None:
    make(fault)
    found = check(SUBJECT)
    assert found.state == state, found.found
    assert said in found.found
    assert found.advice


@pytest.mark.parametrize("jitter_s", [0.0, 0.5e-6])
def test_a_memory_that_is_nearly_as_fast_as_the_cache_is_slower_all_the_same(
    make: Callable[..., None], jitter_s: float
) -> None:
    make({"memory_bytes_per_s": 3.3e12, "jitter_s": jitter_s})
    found = cold_is_cold(SUBJECT)
    assert found.state == "fine", found.found
    figures: Any = found.figures
    assert 1.03 < figures["ratio"] < 1.1
    assert figures["hot_upper_s"] < figures["cold_lower_s"]


LATE_PAIR, CROOKED = "the time of such a pair", "fix the clock"


@pytest.mark.parametrize(
    ("fault", "state", "advice"),
    [
        ({"empty_s": 50e-6}, "advice", {LATE_PAIR}),
        ({"event_offset_s": -40e-6}, "advice", {LATE_PAIR}),
        ({"tick_s": 60e-6}, "unfit", {CROOKED}),
        ({"tick_s": 60e-6, "empty_s": 300e-6}, "advice", {CROOKED, LATE_PAIR}),
    ],
)
def test_what_is_wrong_with_a_timer_is_what_the_advice_is_about(
    make: Callable[..., None], fault: dict[str, Any], state: str, advice: set[str]
) -> None:
    make(fault)
    found = timer_linearity(SUBJECT)
    assert found.state == state, found.found
    assert {one for one in (LATE_PAIR, CROOKED) if one in found.advice} == advice, found.advice


@pytest.mark.parametrize(("busy", "state"), [(60, "fine"), (75, "fine"), (76, "unfit")])
def test_the_calibration_of_the_own_clock_is_not_taken_for_others(
    make: Callable[..., None], busy: int, state: str
) -> None:
    """That is up to half of NVML's shortest period."""
    make(UtilizationRates=SimpleNamespace(gpu=busy))
    assert other_processes(SUBJECT).state == state


def test_the_calibration_takes_as_much_of_the_card_as_its_threshold_reckons_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = ScriptedDevice()
    install(monkeypatch, device)
    calibrate(torch.device("cuda"))
    assert sum(device.slept_s) * CYCLES_PER_S == pytest.approx(83e6, rel=0.01)
    shortest_period_s = 1 / 6
    assert 83e6 / 1e9 / shortest_period_s < BUSY < 1


def test_a_clock_that_is_off_by_less_than_a_per_mille_is_fine(make: Callable[..., None]) -> None:
    make({"event_rate": 1.0009, "enqueue_s": 50e-6})
    assert event_against_host(SUBJECT).state == "fine"


def test_the_figures_are_those_of_the_device(make: Callable[..., None]) -> None:
    make({"empty_s": 3e-6, "tick_s": 0.0})
    found = timer_linearity(SUBJECT).figures
    assert found["s_per_cycle"] == pytest.approx(1e-9)
    assert found["intercept_s"] == pytest.approx(3e-6, rel=1e-2)
    cold = cold_is_cold(SUBJECT).figures
    assert cold["copy_bytes"] == 8 * MIB
    assert cold["hot_s"] == pytest.approx(13e-6 + 16 * MIB / 4e12)
    assert cold["cold_s"] == pytest.approx(13e-6 + 16 * MIB / 1e12)
    assert cold["empty_s"] == pytest.approx(3e-6)


CARD_FAULTS: tuple[tuple[Callable[[Subject], Check], dict[str, Any], str, str], ...] = (
    (other_processes, {"ComputeRunningProcesses": ["me", "you"]}, "advice", "1 other process"),
    (
        other_processes,
        {"ComputeRunningProcesses": ["me", "you"], "UtilizationRates": SimpleNamespace(gpu=97)},
        "unfit",
        "kernels ran for 97 % of the time",
    ),
    (
        other_processes,
        {"ComputeRunningProcesses": [], "UtilizationRates": SimpleNamespace(gpu=97)},
        "unfit",
        "others that NVML does not show",
    ),
    (other_processes, {"ComputeRunningProcesses": SickError()}, "skipped", "NVML does not tell"),
    (card_clocks, {"CurrentClocksEventReasons": 0x04}, "advice", "software power cap"),
    (card_clocks, {"CurrentClocksEventReasons": 0x08}, "unfit", "hardware slowdown"),
    (card_clocks, {"CurrentClocksEventReasons": 0x20}, "unfit", "software thermal slowdown"),
    (card_clocks, {"CurrentClocksEventReasons": 0x40}, "unfit", "hardware thermal slowdown"),
    (card_clocks, {"CurrentClocksEventReasons": 0x80}, "unfit", "hardware power brake"),
    (card_clocks, {"ClockInfo": 1400}, "advice", "1400 MHz, 300 W of 700, 45 °C; below the 1980"),
    (card_clocks, {"Temperature": 87}, "advice", "slows down at 90 °C"),
    (card_clocks, {"ClockInfo": SickError()}, "skipped", "does not tell the clock"),
    (card_setup, {"PersistenceMode": 0}, "advice", "persistence off"),
    (card_setup, {"MigMode": [1, 1]}, "advice", "MIG on"),
    (card_setup, {"EnforcedPowerLimit": 500_000}, "advice", "ECC on"),
)  # fmt: skip


@pytest.mark.parametrize(("check", "card", "state", "said"), CARD_FAULTS)
def test_each_state_of_the_card_is_told(
    make: Callable[..., None],
    check: Callable[[Subject], Check],
    card: dict[str, Any],
    state: str,
    said: str,
) -> None:
    make(**card)
    found = check(SUBJECT)
    assert found.state == state, found.found
    assert said in found.found
    assert bool(found.advice) == (state in {"advice", "unfit"})


@pytest.mark.parametrize("check", [other_processes, card_clocks, card_setup])
def test_a_card_of_one_s_own_is_fine(
    make: Callable[..., None], check: Callable[[Subject], Check]
) -> None:
    make()
    assert check(SUBJECT).state == "fine"


def test_a_clock_below_the_highest_there_is_but_as_set_is_fine(make: Callable[..., None]) -> None:
    make(ClockInfo=1410, ApplicationsClock=1275, MaxClockInfo=2100)
    assert card_clocks(SUBJECT).state == "fine"
    make(ClockInfo=1410, ApplicationsClock=SickError())
    assert card_clocks(SUBJECT).state == "fine"


def test_a_card_at_rest_is_not_judged_by_its_clock(make: Callable[..., None]) -> None:
    make(ClockInfo=345, CurrentClocksEventReasons=0x1)
    found = card_clocks(SUBJECT)
    assert (found.state, found.found) == ("fine", "345 MHz at rest, 300 W of 700, 45 °C")


def test_clocks_are_read_while_the_card_is_busy(
    make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = ScriptedDevice()
    install(monkeypatch, device)
    # Each of NVML's answers takes a millisecond, so that 50 ms of sleep end within some reading.
    install_card(
        monkeypatch,
        device,
        ClockInfo=lambda: 1980 if device.host_s < 0.05 else 210,
        CurrentClocksEventReasons=lambda: 0x2 if device.host_s < 0.05 else 0x1,
    )
    found = card_clocks(Subject("cuda", METHOD, "quick"))
    assert found.figures["sm_clock_mhz"] == 1980
    assert found.figures["clock_event_reasons"] == 0x2
    assert device.host_s > 0.05


def test_what_raises_has_not_shown_the_instrument_to_be_fit(
    make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()

    def broken(cycles: int) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")  # noqa: EM101, TRY003

    monkeypatch.setattr("torch.cuda._sleep", broken)
    monkeypatch.setattr("gconvbench.examining.processor._spin", lambda: make_telemetry(0.1))
    checks = {check.name: check for check in examine(Examine("quick"), "cuda", METHOD).checks}
    assert checks["card_clocks"].state == "unfit"
    assert "RuntimeError: CUDA error: unspecified launch failure" in checks["card_clocks"].found
    assert checks["other_processes"].state == "fine"
