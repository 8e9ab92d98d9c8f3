"""The order and the time of `make gpu-check`; its commands need a card."""

from __future__ import annotations

import os
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
    tests = ["gpu tests alone", "gpu tests"]
    assert names == ["doctor", *tests, "roofline", "forum", "quick", "groups"]
    for step in STEPS[-3:]:
        assert step.arguments[2:7] == ("run", "--device", "cuda", "--sweep", step.name)


def test_all_steps_together_have_the_ten_minutes_that_there_are() -> None:
    assert sum(step.limit_s for step in STEPS) <= LIMIT_S
    for step in STEPS[-3:]:
        budget_s = float(step.arguments[step.arguments.index("--budget") + 1].rstrip("s"))
        assert budget_s + 20 <= step.limit_s  # to start, to look at kernels and to be shown


def test_what_has_no_time_left_is_not_begun() -> None:
    time_s = [0.0]

    def run(step: Step, limit_s: float) -> int:
        time_s[0] += LIMIT_S / 3
        return 0

    codes = carry_out(STEPS, run=run, now=lambda: time_s[0])
    assert list(codes.values()) == [0, 0, 0, 124, 124, 124, 124]


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


def collected(*arguments: str, shard: str = "") -> set[str]:
    plugins = ("benchmark", "timeout", "xdist", "hypothesispytest", "gconvbench", "anyio")
    done = subprocess.run(
        [sys.executable, *gpu_check._PYTEST, *arguments, "--collect-only",
         *(f"-pno:{name}" for name in plugins)],
        cwd=ROOT, env=os.environ | {"SHARD": shard}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_each_gpu_test_is_done_once_with_no_plugin_of_pytest() -> None:
    alone, others = (step for step in STEPS if step.name.startswith("gpu tests"))
    parts = [collected(*alone.arguments[-2:])]
    parts += [collected(*others.arguments[-2:], shard=f"{number}/3") for number in range(3)]
    everything = collected("-m", "gpu")
    assert set.union(*parts) == everything
    assert sum(map(len, parts)) == len(everything)
    assert any("test_doctor.py" in one for one in parts[0])


@pytest.mark.parametrize(
    ("program", "shards", "code"),
    [
        ("import os; print(os.environ['SHARD'])", 3, 0),
        ("import os; raise SystemExit(int(os.environ['SHARD'][0]))", 3, 2),
        ("import time; time.sleep(60)", 2, 124),
        ("raise SystemExit(5)", 1, 5),
    ],
)
def test_a_step_ends_with_the_worst_of_its_processes_and_shows_all(
    program: str, shards: int, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    limit_s = 1.0 if code == 124 else 60.0
    assert gpu_check._run(Step("it", ("-c", program), limit_s, shards), limit_s) == code
    said = capfd.readouterr().out
    assert f"== it: exit code {code}" in said
    if program.startswith("import os; print"):
        assert said.splitlines()[1:-1] == ["0/3", "1/3", "2/3"]
