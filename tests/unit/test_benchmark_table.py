"""Benchmarks of other tools in `show` and its kin."""

from __future__ import annotations

import io

from gconvbench.records import Job, PlannedCase, Record
from gconvbench.report.accuracy_table import print_accuracy
from gconvbench.report.console import make_console
from gconvbench.report.table import print_run
from tests.fakes import make_accuracy, make_plan, make_record, make_run, make_timing


def shown(*records: Record, accuracy: bool = False) -> str:
    stream = io.StringIO()
    cases = dict.fromkeys(one.job.case for one in records)
    plan = make_plan(map(PlannedCase, cases), rounds=max(one.round for one in records))
    run = make_run(records, plan=plan)
    (print_accuracy if accuracy else print_run)(run, make_console(stream))
    return stream.getvalue()


def test_a_row_has_name_time_interval_and_samples() -> None:
    times_s = [1e-3 + 1e-5 * n for n in range(20)]
    text = shown(make_record("benchmark", case="t.py::test_a[1]", timings=(make_timing(*times_s),)))
    assert "  benchmark           time     95 %  samples\n" in text
    assert "  t.py::test_a[1]  1.09 ms  ± 4.9 %       20\n" in text
    assert "1 benchmarks that are no cases" in text


def test_over_rounds_the_interval_is_theirs() -> None:
    timings = [(make_timing(*[1e-3 * number] * 20),) for number in (1, 2)]
    text = shown(
        *(
            make_record("benchmark", case="a", number=number, timings=timing)
            for number, timing in enumerate(timings, start=1)
        )
    )
    assert "×/÷ >10" in text


def test_implementations_and_cache_modes_have_columns_where_they_tell() -> None:
    text = shown(
        make_record("version 1", case="a", timings=(make_timing(1e-3, labels=("[odd]",)),)),
        make_record("version 1", case="b", timings=(make_timing(1e-3, mode="cold"),)),
    )
    assert "benchmark  implementation  cache" in text
    assert "1 of 2: [odd]\n" in text


def test_those_without_a_time_are_counted_by_their_reason() -> None:
    text = shown(
        make_record("benchmark", case="[a]", outcome="failed", detail="asv stored no value"),
        make_record("benchmark", case="[b]", outcome="failed", detail="asv stored no value"),
    )
    assert "2 failed: asv stored no value" in text
    assert "time" not in text.splitlines()[3]


def test_cases_beside_them_are_shown_as_ever() -> None:
    text = shown(make_record(), make_record("benchmark", case="a"))
    assert "use native; nothing else was measured" in text
    assert "1 cases; jobs: 1 measured\n1 benchmarks that are no cases" in text


def test_they_have_no_errors_to_show() -> None:
    record = make_record("benchmark", case="a", accuracy=make_accuracy())
    assert "no errors: these are benchmarks of another tool" in shown(record, accuracy=True)


def test_twins_are_not_shown() -> None:
    assert "2 benchmarks" not in shown(
        make_record("x", case="a"), make_record(job=Job("a", "x", 1))
    )
