from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gconvbench.errors import UsageError
from gconvbench.records import Environment
from gconvbench.report.gather import gather
from tests.fakes import SMALL_ID, make_record, make_records, store_run

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.report.gather import Gathered


def gathered(results: Path, *, named: bool = False) -> Gathered:
    return gather(sorted(results.glob("runs/*/*.jsonl")), named=named)


def stored(results: Path, day: int, *, time_s: float | None = 1e-3, **header: Any) -> Path:
    run = f"202501{day:02d}T000000Z-abc"
    outcome = "measured" if time_s else "checked"
    return store_run(
        results, [make_record(time_s=time_s, outcome=outcome)],
        run=run, created=f"2025-01-{day:02d}T00:00:00Z", **header,
    )  # fmt: skip


def test_a_case_is_shown_of_the_newest_run_that_timed_it(tmp_path: Path) -> None:
    stored(tmp_path, 1, time_s=1e-3)
    stored(tmp_path, 2, time_s=2e-3)
    stored(tmp_path, 3, time_s=None, check_only=True)
    (machine,) = gathered(tmp_path).machines
    (entry,) = machine.entries
    assert entry.run.header.run.startswith("20250102")
    assert entry.summary.measured[0].times["hot"].median_s == 2e-3
    assert len(machine.runs) == 3
    assert machine.elsewhere == 2


def test_where_nothing_was_timed_it_is_the_newest_proof(tmp_path: Path) -> None:
    stored(tmp_path, 1, time_s=None, check_only=True)
    stored(tmp_path, 2, time_s=None, check_only=True)
    (machine,) = gathered(tmp_path).machines
    assert machine.entries[0].run.header.run.startswith("20250102")
    assert machine.timed == ()


def test_a_newer_run_that_failed_does_not_hide_an_older_time(tmp_path: Path) -> None:
    stored(tmp_path, 1)
    store_run(
        tmp_path, [make_record(outcome="crashed")],
        run="20250102T000000Z-abc", created="2025-01-02T00:00:00Z",
    )  # fmt: skip
    (machine,) = gathered(tmp_path).machines
    assert machine.entries[0].summary.measured


def test_machines_stand_apart_that_with_the_newest_run_first(tmp_path: Path) -> None:
    stored(tmp_path, 1, machine="old")
    stored(tmp_path, 3, machine="new")
    stored(tmp_path, 2, machine="old")
    found = gathered(tmp_path)
    assert [one.slug for one in found.machines] == ["new", "old"]
    assert [len(one.runs) for one in found.machines] == [1, 2]
    assert found.runs == 3


def test_sides_of_gates_are_left_out_unless_they_are_named(tmp_path: Path) -> None:
    stored(tmp_path, 1)
    stored(tmp_path, 2, gate_side="contender")
    assert gathered(tmp_path).left_out == {"sides of gates": 1}
    assert gathered(tmp_path).runs == 1
    assert gathered(tmp_path, named=True).runs == 2


def test_what_cannot_be_read_is_counted_or_where_it_was_named_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, 1)
    (path.parent / "20250102T000000Z-abc.jsonl").write_text("no run\n")
    assert gathered(tmp_path).left_out == {"cannot be read": 1}
    with pytest.raises(UsageError, match="no readable header"):
        gathered(tmp_path, named=True)


def test_nothing_to_report_says_why(tmp_path: Path) -> None:
    stored(tmp_path, 1, gate_side="baseline")
    with pytest.raises(UsageError, match=r"nothing to report of 1 run\(s\): 1 sides of gates"):
        gathered(tmp_path)


def test_twins_are_no_rows_and_benchmarks_of_others_no_cases(tmp_path: Path) -> None:
    records = [*make_records("native", 1e-3, 2e-3), make_record("benchmark", case="a_benchmark")]
    store_run(tmp_path, records, environment=Environment(identity={}, under_test={}, soft={}))
    (machine,) = gathered(tmp_path).machines
    assert [one.summary.planned.case for one in machine.entries] == [SMALL_ID]
    assert [len(found) for found in machine.entries[0].records.values()] == [2]
    assert machine.benchmarks == 1
