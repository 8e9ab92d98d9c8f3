"""Labels are earned by what was recorded, beyond thresholds that have reasons."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gconvbench.labels import device_labels, drift_labels, load_labels
from gconvbench.records import Telemetry

QUIET = Telemetry(
    wall_s=1.0, cpu_s=1.0, involuntary_switches=2, load=0.5, waited_s=0.001, stolen_s=0.0
)


def load(*, on_cpu: bool = True, **changes: Any) -> tuple[str, ...]:
    return load_labels(replace(QUIET, **changes), on_cpu=on_cpu, online_cores=4)


def test_a_quiet_machine_earns_no_label() -> None:
    assert load() == ()
    assert load(cpu_s=3.9) == ()


@pytest.mark.parametrize(
    ("enough", "too_much"),
    [
        ({"main_s": 0.9501, "cpu_s": 1.9}, {"main_s": 0.949, "cpu_s": 1.9}),
        ({"waited_s": 0.05}, {"waited_s": 0.0501}),
        ({"involuntary_switches": 71}, {"involuntary_switches": 72}),
        ({"stolen_s": 0.21}, {"stolen_s": 0.211}),  # a tick, and 5 % of four cores
        ({"cpu_s": 0.9501}, {"cpu_s": 0.949}),
        ({"load": 4.5}, {"load": 4.51}),
    ],
    ids=["its threads hide it", "waited", "interrupted", "stolen", "idle", "crowded"],
)
def test_each_sign_of_others_is_enough(enough: dict[str, Any], too_much: dict[str, Any]) -> None:
    assert load(**enough) == ()
    assert load(**too_much) == ("contended",)


def test_a_worker_may_lie_idle_while_a_gpu_works() -> None:
    assert load(cpu_s=0.1, on_cpu=False) == ()
    assert load(cpu_s=0.1, waited_s=0.2, on_cpu=False) == ("contended",)


@pytest.mark.parametrize(
    ("processes", "labels"), [(None, ()), (0, ()), (1, ()), (2, ("contended",))]
)
def test_another_process_on_the_card_is_said(
    processes: int | None, labels: tuple[str, ...]
) -> None:
    device = {"before": {}, "after": {"compute_processes": processes}}
    assert load(device=device, on_cpu=False) == labels


def test_what_the_system_does_not_tell_earns_nothing() -> None:
    assert load(waited_s=None, stolen_s=None) == ()


@pytest.mark.parametrize(
    ("last_s", "label"), [(1.019, ()), (1.021, ("drifting",)), (0.9, ("drifting",))]
)
def test_a_drift_beyond_the_target_is_said(last_s: float, label: tuple[str, ...]) -> None:
    assert drift_labels([1.0] * 10 + [1.0] * 10 + [last_s] * 10, target=0.02) == label


def test_a_drift_that_may_be_chance_is_not_said() -> None:
    spread = [1.0, 2.0] * 5
    assert drift_labels([*spread, *spread, *(1.2 * s for s in spread)], target=0.02) == ()


def device(
    reasons: tuple[int | None, int | None] = (0, 0), clocks: tuple[Any, Any] = (1980, 1980)
) -> tuple[str, ...]:
    keys = ("clock_event_reasons", "sm_clock_mhz")
    before, after = (
        dict(zip(keys, pair, strict=True)) for pair in zip(reasons, clocks, strict=True)
    )
    telemetry = replace(QUIET, device={"before": before, "after": after})
    return device_labels(telemetry, target=0.005)


@pytest.mark.parametrize("reason", [0x4, 0x8, 0x20, 0x40, 0x80, 0x44])
def test_power_or_heat_that_hold_the_clock_back_are_said(reason: int) -> None:
    assert device(reasons=(0, reason)) == ("throttled",)
    assert device(reasons=(reason, 0)) == ("throttled",)


@pytest.mark.parametrize("reason", [0x0, 0x1, 0x2, 0x10, 0x100, None])
def test_an_idle_device_and_clocks_set_on_purpose_are_not_throttled(reason: int | None) -> None:
    assert device(reasons=(reason, reason)) == ()


@pytest.mark.parametrize(
    ("clocks", "labels"),
    [
        ((1980, 1971), ()),
        ((1980, 1965), ("clock-slowed",)),
        ((1980, None), ()),
        ((None, 1980), ()),
        ((1200, 1980), ()),
        ((1200, 1200), ()),  # far below its maximum, which says nothing
    ],
)
def test_a_clock_that_falls_meanwhile_is_said(
    clocks: tuple[Any, Any], labels: tuple[str, ...]
) -> None:
    assert device(clocks=clocks) == labels


def test_without_a_device_there_is_nothing_to_say() -> None:
    assert device_labels(QUIET, target=0.005) == ()
