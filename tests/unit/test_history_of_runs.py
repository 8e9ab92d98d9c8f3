"""What a history is made of: stored runs, asv's results, events over all series, acceptances."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from asv.results import Results
from asv.runner import BenchmarkResult
from asv.util import write_json
from histories import labelled
from msgspec.structs import replace

from gconvbench.acceptance import Acceptance, accepted_levels, unplaced
from gconvbench.errors import UsageError
from gconvbench.history import (
    ChangePoint,
    Findings,
    History,
    HistoryRun,
    asv_history,
    changed_between,
    collect_series,
    dispatch_changed,
    find_changes,
    group_changes,
    judge_history,
)
from gconvbench.records import Dispatch
from gconvbench.report.sparkline import sparkline
from gconvbench.store import list_runs, load_run
from tests.histories import commit_of, store_history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gconvbench.records import Header, Record

RUNS, STEP = 40, 24


def stored(folder: Path) -> list[tuple[Header, Sequence[Record]]]:
    runs = [load_run(path) for path in list_runs(folder)]
    return [(run.header, run.records) for run in runs]


def slower_from(index: int, factor: float, name: str = "") -> Callable[[int, Record], float]:
    return lambda i, record: factor if i >= index and name in record.job.case else 1.0


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> History:
    """All series of 40 runs, 10 % slower from the 25th on, with another PyTorch."""
    folder = tmp_path_factory.mktemp("history")
    store_history(
        folder, RUNS, slower_from(STEP, 1.1),
        under_test=lambda index: {"torch": "2.13.0" if index < STEP else "2.14.0"},
    )  # fmt: skip
    return collect_series(stored(folder))


def test_a_step_of_all_series_is_one_event_and_what_changed_with_it_is_named(
    stepped: History,
) -> None:
    (event,) = judge_history(stepped).events
    assert (event.index, event.last_before) == (STEP, STEP - 1)
    assert event.is_slower
    assert len(event.changes) == len(stepped.series) == 9
    assert dispatch_changed(event, stepped) == {}  # not known
    assert 0.08 < event.smallest <= event.largest < 0.12
    before, after = stepped.runs[STEP - 1 : STEP + 1]
    assert (before.commit, after.commit) == (commit_of(STEP - 1), commit_of(STEP))
    (change,) = changed_between(before, after)
    assert (change.field, change.before, change.after) == ("torch", "2.13.0", "2.14.0")


def test_a_run_that_is_accepted_starts_a_new_level(stepped: History) -> None:
    assert judge_history(stepped, accepted=[commit_of(STEP)[:8]]).events == ()
    with pytest.raises(UsageError, match="accepted run 'nowhere' is none of the 40 runs"):
        judge_history(stepped, accepted=["nowhere"])


ENTRY = Acceptance(
    cases="*", implementations="*", kinds=("slower",), from_=commit_of(STEP - 1),
    to=commit_of(STEP), largest_change=0.12, reason="exactness", expires=date(2027, 1, 1),
)  # fmt: skip


def test_an_accepted_slowdown_starts_a_new_level_where_it_is_no_larger(stepped: History) -> None:
    (level,) = accepted_levels(stepped, [ENTRY])
    assert level.index == STEP
    assert len(level.series) == 9
    own = {name: [level.index] for name in level.series}
    assert judge_history(stepped, levels=own).events == ()


@pytest.mark.parametrize(
    ("changed", "within", "beyond"),
    [
        ({"largest_change": 0.03}, 0, 9),  # it is 10 %
        ({"cases": "g2*"}, 3, 0),
        ({"implementations": "native"}, 3, 0),
        ({"from_": "torch 2.13.0", "to": "torch 2.14.0"}, 9, 0),
    ],
)
def test_an_acceptance_is_about_what_it_says(
    stepped: History, changed: dict[str, object], within: int, beyond: int
) -> None:
    (level,) = accepted_levels(stepped, [replace(ENTRY, **changed)])
    assert (len(level.series), len(level.exceeding)) == (within, beyond)
    assert level.index == STEP


@pytest.mark.parametrize(
    "changed",
    [
        {"expires": date(2026, 1, 10)},  # before it was measured
        {"kinds": ("missing",)},
        {"cases": "g77*"},
        {"from_": "torch 1.0", "to": "torch 2.0"},
    ],
)
def test_an_acceptance_of_something_else_changes_nothing(
    stepped: History, changed: dict[str, object]
) -> None:
    assert accepted_levels(stepped, [replace(ENTRY, **changed)]) == ()


REBASED = replace(ENTRY, to="0123456789ab")
"""Its commit has got another name since."""


def test_where_no_run_is_at_its_end_git_tells_where_an_entry_begins(stepped: History) -> None:
    has = {commit_of(index) for index in range(STEP, RUNS)}
    before = replace(REBASED, expires=date(2026, 2, 1), reason="not yet renewed")
    (level,) = accepted_levels(
        stepped, [REBASED], lambda commit: [before] if commit in has else []
    )  # fmt: skip
    assert (level.index, len(level.series)) == (STEP, 9)


@pytest.mark.parametrize("known", [False, True])
def test_an_entry_whose_beginning_nobody_knows_is_told(stepped: History, *, known: bool) -> None:
    levels = accepted_levels(stepped, [REBASED], (lambda _: []) if known else None)
    assert levels == ()
    assert unplaced(stepped, [REBASED], levels) == (REBASED,)
    elsewhere = replace(REBASED, from_="fedcba987654")
    assert unplaced(stepped, [elsewhere, replace(REBASED, cases="g77*")], levels) == ()
    assert unplaced(stepped, [ENTRY], accepted_levels(stepped, [ENTRY])) == ()


def test_an_entry_of_a_cache_mode_is_about_its_series_alone(stepped: History) -> None:
    assert accepted_levels(stepped, [replace(ENTRY, cache_mode="cold")]) == ()
    (level,) = accepted_levels(stepped, [replace(ENTRY, cache_mode="hot")])
    assert len(level.series) == 9


def test_a_series_that_has_ended_is_told_apart(tmp_path: Path) -> None:
    store_history(tmp_path, RUNS)
    runs = stored(tmp_path)
    header, records = runs[-1]
    runs[-1] = header, [one for one in records if "split" not in one.job.implementation]
    ended = judge_history(collect_series(runs)).ended
    assert {one.key.implementation for one in ended} == {"split_concat"}
    assert len(ended) == 3


def test_operators_and_kernels_that_changed_with_a_step_are_named(tmp_path: Path) -> None:
    store_history(
        tmp_path, RUNS, slower_from(STEP, 1.1),
        dispatch=lambda i: Dispatch(
            operators=("aten::conv2d", "aten::slow" if i >= STEP else "aten::fast"),
            kernels=("onednn::b" if i >= STEP else "onednn::a",),
        ),
    )  # fmt: skip
    judged = judge_history(collect_series(stored(tmp_path)))
    (event,) = judged.events
    changed = dispatch_changed(event, judged.history)
    assert set(changed) == set(event.changes)
    assert set(changed.values()) == {
        "operators aten::fast no longer, aten::slow now; kernels onednn::a no longer, onednn::b now"
    }


def test_a_run_of_another_machine_is_left_out(tmp_path: Path) -> None:
    store_history(tmp_path, 3)
    runs = stored(tmp_path)
    runs[0] = replace(runs[0][0], machine="another"), runs[0][1]
    history = collect_series(runs)
    assert (history.machine, len(history.runs)) == ("box-cpu", 2)
    assert history.left_out == {"another machine than the newest": 1}


def test_a_round_that_went_wrong_leaves_no_value_and_other_methods_stay_apart(
    tmp_path: Path,
) -> None:
    store_history(tmp_path, 3)
    runs = stored(tmp_path)
    header, records = runs[1]
    first = replace(records[0], outcome="crashed", detail="killed", timings=())
    runs[1] = header, [first, *records[1:]]
    history = collect_series(runs)
    key = (first.job.case, first.job.implementation)
    for series in history.series:
        known = [value is not None for value in series.values]
        is_spoilt = (series.key.case, series.key.implementation) == key
        assert known == [True, not is_spoilt, True]
    header, records = runs[0]
    runs[0] = replace(header, method=replace(header.method, threads=7)), records
    history = collect_series(runs)
    assert history.left_out == {"another threads than the newest": 1}
    assert len(history.runs) == 2
    header, _ = runs[1]
    runs[1] = header, []
    assert collect_series(runs).left_out["no times in them"] == 1


@pytest.mark.parametrize("side", ["baseline", "contender"])
def test_the_sides_of_a_gate_are_not_part_of_the_history(tmp_path: Path, side: str) -> None:
    store_history(tmp_path, 3)
    runs = stored(tmp_path)
    header, records = runs[1]
    runs[1] = replace(header, gate_side=side), records
    history = collect_series(runs)
    assert history.left_out == {f"{side}s of gates": 1}
    assert [run.name for run in history.runs] == [runs[0][0].run, runs[2][0].run]
    with_contenders = collect_series(runs, contenders=True)
    assert len(with_contenders.runs) == (3 if side == "contender" else 2)


def change(index: int, size: float) -> ChangePoint:
    return ChangePoint(index=index, last_before=index - 1, change=size, half_width=0.01)


def findings(*changes: ChangePoint) -> Findings:
    return Findings(runs=60, is_too_short=False, sigma=0.01, memory=1.0, changes=changes)


def test_changes_within_five_runs_are_one_event_at_the_place_that_most_share() -> None:
    events = group_changes({
        "a": findings(change(20, 0.1)),
        "b": findings(change(20, 0.2)),
        "c": findings(change(25, 0.3)),
        "d": findings(change(26, 0.4)),
        "e": findings(change(20, -0.1)),
    })  # fmt: skip
    assert [(one.index, one.is_slower, list(one.changes)) for one in events] == [
        (20, True, ["c", "b", "a"]),
        (20, False, ["e"]),
        (26, True, ["d"]),
    ]


def test_a_line_of_blocks_goes_from_the_lowest_value_to_the_highest() -> None:
    line = sparkline([1.0, 1.0, None, 2.0], 20)
    assert line[0] == line[1] == "▁"
    assert line[2] == " "
    assert line[3] == "█"
    assert len(sparkline(list(np.linspace(1, 2, 500)), 20)) == 20


@pytest.mark.parametrize("by_build", [True, False])
def test_the_labelled_regressions_are_found_and_nothing_beside_them(*, by_build: bool) -> None:
    """Slowdowns only, within five points of the mark; the rule was shaped on this set, too."""
    hits = false = 0
    for marked, values, places in labelled(by_build=by_build):
        slower = [places[one.index] for one in find_changes(values).changes if one.change > 0]
        hits += marked is not None and any(abs(place - marked) <= 5 for place in slower)
        false += marked is None and bool(slower)
    assert (hits, false) == (5, 0)


def asv_results(folder: Path, *, versions: Sequence[str]) -> Path:
    """What asv's own classes write: a benchmark with a parameter and one without, per commit."""
    day_ms = 86_400_000
    rng = np.random.default_rng(0)
    for index, version in enumerate(versions):
        results = Results(
            {"machine": "box", "arch": "x86_64"}, {}, commit_of(index), index * day_ms,
            "3.11", "existing-py3.11", {},
        )  # fmt: skip
        factor = (1.1 if index >= STEP else 1.0) * float(np.exp(rng.normal(0, 0.01)))
        for name, params, times in (
            ("bench.Conv.time_it", [["1", "2"]], [1e-3 * factor, float("nan")]),
            ("bench.Conv.peakmem_it", [], [1e6]),
        ):
            results.add_result(
                {"name": name, "version": version, "params": params},
                BenchmarkResult(times, [None] * len(times), [None] * len(times), 0, "", None),
            )
        results.save(str(folder))
    write_json(str(folder / "box" / "machine.json"), {"machine": "box"}, api_version=1)
    units = {"bench.Conv.time_it": {"unit": "seconds"}, "bench.Conv.peakmem_it": {"unit": "bytes"}}
    write_json(str(folder / "benchmarks.json"), units, api_version=2)
    return folder


def test_what_asv_has_stored_is_read_by_asv_and_judged(tmp_path: Path) -> None:
    history = asv_history(asv_results(tmp_path, versions=["1"] * RUNS))
    assert history.machine == "box"
    assert history.runs[3] == HistoryRun(
        name=commit_of(3), created="1970-01-04T00:00:00+00:00", commit=commit_of(3)
    )
    named = {series.key.name: series for series in history.series}
    assert set(named) == {"bench.Conv.peakmem_it", "bench.Conv.time_it(1)", "bench.Conv.time_it(2)"}
    assert named["bench.Conv.peakmem_it"].unit == "bytes"
    judged = judge_history(history)
    (event,) = judged.events
    assert (event.index, list(event.changes)) == (STEP, ["bench.Conv.time_it(1)"])
    assert [series.key.name for series in judged.too_short] == ["bench.Conv.time_it(2)"]


def test_a_new_version_of_an_asv_benchmark_is_another_series(tmp_path: Path) -> None:
    versions = ["1"] * STEP + ["2"] * (RUNS - STEP)
    history = asv_history(asv_results(tmp_path, versions=versions))
    assert "bench.Conv.time_it(1) version 2" in {series.key.name for series in history.series}
    assert judge_history(history).events == ()


def test_versions_of_an_asv_benchmark_that_begin_alike_stay_apart(tmp_path: Path) -> None:
    first, second = "0123456789abcdef", "0123456789fedcba"
    history = asv_history(asv_results(tmp_path, versions=[first] * STEP + [second] * STEP))
    names = {one.key.name for one in history.series if "time_it(1)" in one.key.name}
    assert names == {f"bench.Conv.time_it(1) version {one[:11]}" for one in (first, second)}


@pytest.mark.parametrize("content", ["[]", '{"version": 2}', "no json"])
def test_files_that_are_no_results_of_asv_are_counted_and_left_out(
    tmp_path: Path, content: str
) -> None:
    folder = asv_results(tmp_path, versions=["1"] * 3)
    (folder / "box" / "00000000-existing-py3.11.json").write_text(content)
    (folder / "benchmarks.json").write_text(content)
    history = asv_history(folder)
    assert len(history.runs) == 3
    assert history.left_out == {"a file that is no result of asv": 1}
    assert {one.unit for one in history.series} == {""}


def test_no_results_of_asv_and_no_such_machine_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        asv_history(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no result that asv can read"):
        asv_history(tmp_path)
    folder = asv_results(tmp_path, versions=["1"])
    with pytest.raises(UsageError, match="machine 'bix'"):
        asv_history(folder, "bix")
