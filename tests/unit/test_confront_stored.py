"""A stored run in the baseline's place: what the contender has lost does not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec.structs import replace

from gconvbench.errors import ExitCode
from gconvbench.records import Job, Plan, PlannedCase
from gconvbench.runner.confront_stored import confront_stored
from gconvbench.runner.question import Stored
from gconvbench.store import Run, load_run
from tests.fakes import store_run
from tests.scripted_sides import CASES, METHOD, ScriptedSide, TwoSides

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import Comparison

ALL = [Job(case, name) for case in CASES for name in ("native", "split")]
NATIVE = ALL[::2]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Sixty jobs, of a sweep, in five rounds."""
    script, rng = ScriptedSide(jobs=ALL), np.random.default_rng(1)
    ready = script.ready()
    plan = Plan(
        cases=tuple(map(PlannedCase, CASES)),
        implementations=("native", "split"),
        rounds=5,
        sweeps=("ours",),
    )
    records = [script.record(job, number, rng) for number in range(1, 6) for job in ALL]
    path = store_run(
        tmp_path, records, plan=plan, method=METHOD, environment=ready.environment
    )  # fmt: skip
    return load_run(path)


def found_of(
    monkeypatch: pytest.MonkeyPatch, stored: Stored, *, baseline: Any = (), **contender: Any
) -> Comparison:
    contender = {"jobs": ALL} | contender
    sides = TwoSides(
        monkeypatch,
        ScriptedSide(**(contender | dict(baseline))),
        ScriptedSide(**contender),
    )
    return confront_stored(sides.question(), stored)


def kinds(found: Comparison) -> dict[str, int]:
    return {
        kind: sum(1 for job in found.jobs if job.kind == kind)
        for kind in {job.kind for job in found.jobs}
    }


@pytest.mark.parametrize("why_not", ["", "its commit is gone"])
def test_the_same_again_is_unchanged(
    monkeypatch: pytest.MonkeyPatch, run: Run, why_not: str
) -> None:
    found = found_of(monkeypatch, Stored(run, why_not))
    assert kinds(found) == {"unchanged": 60}
    assert found.exit_code == ExitCode.FINE


def test_a_slowdown_is_called_so_only_where_both_sides_are_measured_again(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    slower = {"times_s": {ALL[0]: 1.2e-3}}
    found = found_of(monkeypatch, Stored(run, ""), baseline={"times_s": {}}, **slower)
    assert kinds(found) == {"slower": 1, "unchanged": 59}
    assert found.exit_code == ExitCode.SLOWER
    found = found_of(monkeypatch, Stored(run, "its commit is gone"), **slower)
    assert kinds(found) == {"uncertain": 1, "unchanged": 59}
    assert found.exit_code == ExitCode.UNCERTAIN


@pytest.mark.parametrize("words", [("all",), ("default",), ("native", "split"), ("*",)])
def test_an_implementation_that_is_gone_is_missing(
    monkeypatch: pytest.MonkeyPatch, run: Run, words: tuple[str, ...]
) -> None:
    found = found_of(monkeypatch, Stored(run, ""), jobs=NATIVE, words=words)
    assert kinds(found) == {"missing": 30, "unchanged": 30}
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_an_implementation_that_is_not_asked_for_is_not_missing(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    found = found_of(monkeypatch, Stored(run, ""), jobs=NATIVE, words=("native",))
    assert kinds(found) == {"unchanged": 30}
    assert [finding.detail for finding in found.findings] == [
        "30 job(s) of the stored run are not among those asked for"
    ]


def test_a_case_that_its_commit_still_has_is_missing(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    found = found_of(monkeypatch, Stored(run, ""), baseline={"jobs": ALL}, jobs=ALL[2:])
    assert kinds(found) == {"missing": 2, "unchanged": 58}
    assert found.exit_code == ExitCode.NOT_MEASURED


@pytest.mark.parametrize(
    ("sweeps", "missing"),
    [(("ours",), 2), (("another",), 0), ((), 0)],
)
def test_where_its_commit_is_gone_the_sweep_says_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, run: Run, sweeps: tuple[str, ...], missing: int
) -> None:
    found = found_of(monkeypatch, Stored(run, "its commit is gone", sweeps), jobs=ALL[2:])
    assert kinds(found).get("missing", 0) == missing


def test_cases_of_a_run_without_a_sweep_are_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    header = replace(run.header, plan=replace(run.header.plan, sweeps=()))
    stored = Stored(replace(run, header=header), "its commit is gone")
    assert kinds(found_of(monkeypatch, stored, jobs=ALL[2:])) == {"unchanged": 58}
