"""The order and the time of `make gpu-check`; its commands need a card."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests import gpu_check
from tests.gpu_check import LIMIT_S, STEPS, Step, carry_out

ROOT = Path(__file__).parents[2]


def test_it_is_exactly_the_doctor_the_tests_the_roofline_and_three_sweeps() -> None:
    names = [step.name for step in STEPS]
    assert names == ["doctor", "gpu tests", "roofline", "forum", "quick", "groups"]
    for step in STEPS[3:]:
        assert step.arguments[2:5] == ("run", "--sweep", step.name)


def test_whatever_each_takes_the_whole_is_over_in_ten_minutes() -> None:
    time_s = [0.0]
    limits_s = []

    def run(step: Step, limit_s: float) -> int:
        limits_s.append(limit_s)
        time_s[0] += limit_s
        return 0

    codes = carry_out(STEPS, run=run, now=lambda: time_s[0])
    assert sum(limits_s) <= LIMIT_S
    assert codes["groups"] == 124


def test_one_that_fails_keeps_no_other_from_being_done() -> None:
    codes = carry_out(STEPS, run=lambda step, _: 3 if step.name == "doctor" else 0)
    assert codes.pop("doctor") == 3
    assert set(codes.values()) == {0}


def test_what_an_interpreter_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "NEEDED", ("sys", "no_such_module"))
    assert gpu_check.why_not("python3") == (
        "python3 lacks no_such_module; install them, or name another PYTHON="
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_card_it_says_so_and_claims_nothing() -> None:
    done = subprocess.run(
        ["make", "gpu-check", f"PYTHON={sys.executable}"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "finds no CUDA device; nothing was checked" in done.stderr


def test_gpu_tests_are_collected_with_no_plugin_of_pytest() -> None:
    plugins = ("benchmark", "timeout", "xdist", "hypothesispytest", "gconvbench", "anyio")
    done = subprocess.run(
        [sys.executable, *gpu_check._PYTEST, "--collect-only",
         *(f"-pno:{name}" for name in plugins)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_cuda.py" in done.stdout
