"""The examination of a real card. Skipped, and said to be, where there is none."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
import torch

from gconvbench.device import set_math_mode
from gconvbench.examining import examine, precision
from gconvbench.examining.aftermath import profiler_aftermath
from gconvbench.examining.card import card_clocks, card_setup, other_processes
from gconvbench.examining.card_clock import event_against_host, idle_stream, timer_linearity
from gconvbench.examining.cold import cold_is_cold
from gconvbench.examining.noise import noise_floor
from gconvbench.examining.precision import math_modes
from gconvbench.examining.subject import Subject
from gconvbench.planning import make_method
from gconvbench.protocol import Examine
from gconvbench.timing import cuda

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import Check

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.alone,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

METHOD = make_method("cuda")
SUBJECT = Subject("cuda", METHOD)
NOT_SHOWN = "the check itself failed"


@pytest.mark.parametrize("check", [timer_linearity, event_against_host, idle_stream, cold_is_cold])
def test_the_card_s_clock_is_fit(check: Callable[[Subject], Check]) -> None:
    found = check(SUBJECT)
    assert found.state in {"fine", "advice"}, f"{found.found} {found.figures}"


def test_a_flush_that_does_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda._Flush, "run", lambda _: None)
    found = cold_is_cold(SUBJECT)
    assert found.state == "unfit", f"{found.found} {found.figures}"


def test_events_that_always_say_that_they_were_reached_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Reached(torch.cuda.Event):
        def query(self) -> bool:
            return True

    monkeypatch.setattr(torch.cuda, "Event", Reached)
    assert idle_stream(SUBJECT).state == "unfit"


def test_a_host_clock_that_is_one_per_cent_off_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: 1.01 * real())
    found = event_against_host(SUBJECT)
    assert found.state == "unfit"
    assert found.figures["disagreement"] == pytest.approx(0.01, abs=2e-3)


def test_the_card_is_described() -> None:
    for check in (other_processes, card_clocks, card_setup):
        found = check(SUBJECT)
        assert found.found
        assert NOT_SHOWN not in found.found


def test_the_clock_at_work_is_a_clock() -> None:
    found = card_clocks(SUBJECT)
    if found.state == "skipped":
        pytest.skip(found.found)
    clock, heat = found.figures["sm_clock_mhz"], found.figures["temperature_c"]
    assert isinstance(clock, int | float)
    assert 100 < clock < 5000
    assert heat is None or 0 < float(heat) < 120


def test_float32_is_computed_as_it_is_asked_for() -> None:
    found = math_modes(SUBJECT)
    assert found.state in {"fine", "advice"}, f"{found.found} {found.figures}"
    assert found.figures["ieee"] == "ieee"
    has_tf32 = torch.cuda.get_device_capability() >= (8, 0)
    assert ("tf32" in found.figures) == has_tf32
    if has_tf32 and os.environ.get("NVIDIA_TF32_OVERRIDE") != "0":
        assert found.figures["tf32"] == "tf32", found.found


def test_tf32_that_was_not_asked_for_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no TF32 below compute capability 8.0")
    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        pytest.skip("NVIDIA_TF32_OVERRIDE=0 forbids it")
    monkeypatch.setattr(precision, "set_math_mode", lambda _, device: set_math_mode("tf32", device))
    try:
        found = math_modes(SUBJECT)
    finally:
        set_math_mode("ieee", "cuda")
    assert found.state == "unfit", f"{found.found} {found.figures}"
    assert found.figures["ieee"] == "tf32"


def test_the_noise_floor_has_three_lengths_in_order() -> None:
    figures = noise_floor(SUBJECT).figures
    short, medium, long = (float(figures[f"{one}_s"] or 0) for one in ("short", "medium", "long"))
    assert 0 < short < medium < long


def test_every_quick_check_can_be_made() -> None:
    checks = examine(Examine("quick"), "cuda", METHOD).checks
    assert {"other_processes", "card_clocks", "contention"} <= {check.name for check in checks}
    assert not [check.found for check in checks if NOT_SHOWN in check.found]


def test_the_profiler_s_aftermath_is_told() -> None:
    """Last: later launches of this process may be slower."""
    found = profiler_aftermath(SUBJECT)
    assert found.state in {"fine", "advice", "skipped"}
    assert NOT_SHOWN not in found.found
