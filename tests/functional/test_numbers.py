"""The scripts of docs/numbers end and print their tables, in their smallest settings."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch

from tests.functional.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SMALLEST = {
    "peers": ("--combinations 1 --repeat 1", ("gconvbench", "asv", "torch Timer", "at most")),
    "overhead": ("--jobs 2 --rounds 1", ("imports", "overhead")),
    "reproduction": ("--runs 2 --rounds 2 --cases 1", ("over rounds", "of one process")),
    "capacity": ("--jobs 20", ("slope per 1000 jobs", "storing a record", "show --json")),
    "estimate": ("--run=--case=g1mb1ic4ih6oc4kh3", ("seen before", "within 1.5")),
    "gate": ("--runs 10 --jobs 2 --only all", ("alarms", "power", "of 3,000 cases")),
    "gate_end_to_end": (
        "--gates 1 --pairs 2 --only unchanged --axis groups=2 --axis channels=8 --axis size=8",
        ("processes", "unchanged: exit code 0 from", "10 % more: exit code 1 from 0 of 0"),
    ),
    "gate_peers": (
        "--runs 2 --changed 1 --cases 5 --resamples 100",
        ("A/A", "asv continuous -f 1.05", "criterion.rs", "gconvbench, P = 5"),
    ),
    "histories": ("--histories 5 --watched 5 --timed 5", ("labelled set", "hits")),
    "asv_cost": ("--combinations 1 --repeat 1", ("asv's default", "gconvbench's suite", "at most")),
    "pytest_benchmark_versions": ("installed", ("bit for bit", "refused", "yes")),
    "report": (
        "--records 20 --axis groups=2 --axis channels=4 --implementation native --rounds 1",
        ("records", "page", "MB"),
    ),
    "card": ("", ("cold / hot", "A/A", "host-bound", "NVIDIA H200")),
    "allocator": ("--outputs 1 --repeat 1", ("64.0 KiB  native training", "faults")),
}
ON_A_CARD = {
    "triton_against_cudnn": (
        "--layers 1 --rounds 1",
        ("copy: ", "NHWC tried", "kept", "which is"),
        "triton_against_cudnn: device 'cuda' is not available",
    ),
}
"""What each prints there, and says elsewhere."""


def test_every_script_is_tried_here() -> None:
    scripts = [path for path in (ROOT / "docs" / "numbers").glob("*.py") if _is_script(path)]
    assert {path.stem for path in scripts} == SMALLEST.keys() | ON_A_CARD.keys()


@pytest.mark.parametrize("name", SMALLEST)
def test_a_script_ends_well_and_prints_its_table_in_80_columns(name: str, tmp_path: Path) -> None:
    arguments, words = SMALLEST[name]
    done = run_script(name, arguments, tmp_path)
    assert_table(done, words)
    assert str(tmp_path) not in done.stdout


@pytest.mark.parametrize("name", ON_A_CARD)
def test_what_needs_a_card_says_so_in_one_line(name: str, tmp_path: Path) -> None:
    arguments, words, refusal = ON_A_CARD[name]
    done = run_script(name, arguments, tmp_path)
    if torch.cuda.is_available():
        assert_table(done, words)
    else:
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith(refusal)
        assert done.stderr.count("\n") == 1


def run_script(name: str, arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "docs" / "numbers" / f"{name}.py"), *arguments.split()],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def assert_table(done: subprocess.CompletedProcess[str], words: tuple[str, ...]) -> None:
    assert done.returncode == 0, done.stderr
    machine, *table = done.stdout.splitlines()
    assert "1 thread(s), torch" in machine
    assert all(word in done.stdout for word in words)
    assert max(map(len, table)) <= 80


def _is_script(path: Path) -> bool:
    return 'if __name__ == "__main__"' in path.read_text("utf-8")
