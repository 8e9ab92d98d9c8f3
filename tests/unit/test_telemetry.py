"""What is read before and after, on scripted time and files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from gconvbench import telemetry
from gconvbench.telemetry import Watch

if TYPE_CHECKING:
    from pathlib import Path


def test_a_watch_tells_what_happened_between_entry_and_exit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    schedstat, stat = tmp_path / "schedstat", tmp_path / "stat"
    monkeypatch.setattr(telemetry, "_SCHEDSTAT", schedstat)
    monkeypatch.setattr(telemetry, "_STAT", stat)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 0.0, 0.0))
    ticks = os.sysconf("SC_CLK_TCK")
    schedstat.write_text("5000000000 1000000000 17\n")
    stat.write_text("cpu  1 2 3 4 5 6 7 100 0 0\ncpu0 1\n")
    times = iter([10.0, 12.5])
    with Watch("cpu", now=lambda: next(times)) as watch:
        schedstat.write_text("6000000000 1250000000 19\n")
        stat.write_text(f"cpu  1 2 3 4 5 6 7 {100 + ticks // 2} 0 0\ncpu0 1\n")
    found = watch.telemetry
    assert (found.wall_s, found.load, found.device) == (2.5, 1.5, {})
    assert found.waited_s == pytest.approx(0.25)
    assert found.stolen_s == pytest.approx(0.5)
    assert found.cpu_s >= 0
    assert found.main_s is not None
    assert found.involuntary_switches >= 0


@pytest.mark.parametrize("content", [None, "", "no numbers here"])
def test_what_the_system_does_not_tell_is_null(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    for name in ("_SCHEDSTAT", "_STAT"):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        monkeypatch.setattr(telemetry, name, path)
    with Watch("cpu") as watch:
        pass
    assert (watch.telemetry.waited_s, watch.telemetry.stolen_s) == (None, None)


def test_a_device_is_read_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks: list[dict[str, Any]] = [{"sm_clock_mhz": 1980}, {"sm_clock_mhz": 1200}]
    monkeypatch.setattr(telemetry, "device_telemetry", lambda device: clocks.pop(0))
    with Watch("cuda:1") as watch:
        pass
    assert watch.telemetry.device == {
        "before": {"sm_clock_mhz": 1980},
        "after": {"sm_clock_mhz": 1200},
    }
