"""`gconvbench history` as people type it, on histories of stored runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gconvbench.records import Dispatch
from tests.fakes import make_record, store_run
from tests.functional.conftest import ROOT
from tests.histories import commit_of, store_history

if TYPE_CHECKING:
    from pathlib import Path

RUNS, STEP = 40, 24
ACCEPTED = f"""
[[accepted]]
cases = "*"
implementations = "*"
kinds = ["slower"]
from = "{commit_of(STEP - 1)[:10]}"
to = "{commit_of(STEP)[:10]}"
largest_change = 0.15
reason = "exactness costs"
expires = 2030-01-01
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty runs, the split ones a tenth slower from the 25th on, with another PyTorch."""
    found = tmp_path_factory.mktemp("history")
    store_history(
        found / "results", RUNS,
        lambda index, record: 1.1 if index >= STEP and "split" in record.job.implementation else 1,
        under_test=lambda index: {"torch": "2.13.0" if index < STEP else "2.14.0"},
        dispatch=lambda index: Dispatch(kernels=("jit" if index < STEP else "ref",)),
    )  # fmt: skip
    return found


def history(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gconvbench", "history", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_planted_step_is_one_event_with_what_changed_and_a_line_per_series(folder: Path) -> None:
    done = history(folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "box-cpu, 40 runs: of 9 series 3 slower; 1 event"
    before, after = commit_of(STEP - 1)[:7], commit_of(STEP)[:7]
    assert any(line.startswith("3 series slower by") for line in lines)
    assert sum(f"between {before}..{after}" in line for line in lines) == 4
    assert "  with it changed: torch 2.13.0 to 2.14.0" in [line.rstrip() for line in lines]
    assert "  3 series: kernels jit no longer, ref now" in [line.rstrip() for line in lines]
    drawn = [line for line in lines if "split_concat hot" in line]
    assert len(drawn) == 3
    assert all("▁▁" in line and "██" in line for line in drawn)
    assert max(map(len, lines)) <= 80


def test_every_number_is_in_the_json(folder: Path) -> None:
    found = [json.loads(line) for line in history(folder, "--json").stdout.splitlines()]
    kinds = [one["kind"] for one in found]
    assert kinds == ["history", "event", *["series"] * 9]
    event = found[1]
    assert (event["before"]["commit"], event["after"]["commit"]) == (
        commit_of(STEP - 1), commit_of(STEP),
    )  # fmt: skip
    assert event["differences"][0]["field"] == "torch"
    assert set(event["dispatch"].values()) == {"kernels jit no longer, ref now"}
    assert all(len(one["values"]) == RUNS for one in found[2:])


def test_what_was_accepted_starts_a_new_level_and_is_said(folder: Path) -> None:
    file = folder / "accepted.toml"
    file.write_text(ACCEPTED)
    lines = history(folder, "--accepted", "accepted.toml").stdout.splitlines()
    assert lines[0] == "box-cpu, 40 runs: of 9 series none changed"
    assert f"9 series with a new level at {commit_of(STEP)[:7]}, accepted: exactness costs" in [
        line.rstrip() for line in lines
    ]
    file.write_text(ACCEPTED.replace("0.15", "0.02"))
    text = history(folder, "--accepted", "accepted.toml").stdout
    assert "of 9 series 3 slower; 1 event" in text
    assert "3 series beyond what was accepted at" in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--machine", "box-gpu"], 2, "machine 'box-gpu' is not known; did you mean 'box-cpu'?"),
        (["--case", "g99*"], 5, "case 'g99*' is in none of the 3 that these runs have"),
        (["--accept", "beef"], 2, "accepted run 'beef' is none of the 40 runs"),
        (["--accepted", "none.toml"], 2, "file of accepted changes 'none.toml': No such file"),
        (["--results", "elsewhere"], 2, "no stored runs under 'elsewhere/runs'"),
        (["--asv", "elsewhere"], 2, "folder 'elsewhere' does not exist"),
        (["--asv", "elsewhere", "--gates"], 2, "leave out --gates or --asv"),
    ],
)
def test_what_it_cannot_do_is_one_line(
    folder: Path, arguments: list[str], code: int, words: str
) -> None:
    done = history(folder, *arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_where_there_are_gates_alone_it_says_how_they_count(tmp_path: Path) -> None:
    for index, side in enumerate(("baseline", "contender")):
        store_run(tmp_path / "results", [make_record()], run=f"2025010{index}T0-aa", gate_side=side)
    done = history(tmp_path)
    assert done.returncode == 5
    assert "of 2 stored (baselines of gates: 1, contenders of gates: 1); --gates" in done.stderr
    lines = history(tmp_path, "--gates").stdout.splitlines()
    assert "1 run left out: baselines of gates" in lines


def test_too_few_runs_are_said_to_be(tmp_path: Path) -> None:
    store_history(tmp_path / "results", 5)
    done = history(tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == [
        "box-cpu, 5 runs: of 9 series none can be judged yet",
        "9 series too short to judge: fewer than 16 runs with a value",
    ]
