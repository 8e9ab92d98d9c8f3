"""The noise floor from jobs that were measured twice."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from gconvbench.records import Job, Record
from gconvbench.report.floor import floor_of, floors
from gconvbench.report.summary import summarise
from tests.fakes import SMALL, make_records, make_run


def twins(time_s: float, *ratios: float, batch: int = 1) -> list[Record]:
    """A job and its twin, one ratio per round."""
    case = replace(SMALL, batch=batch)
    once = make_records("native", *[time_s] * len(ratios), case=case)
    twice = make_records("native", *[time_s * ratio for ratio in ratios], case=case)
    return once + [replace(record, job=Job(record.job.case, "native", twin=1)) for record in twice]


def test_without_twins_there_is_no_floor() -> None:
    run = make_run(make_records("native", 1.0, 1.0))
    assert floors(run) == ()
    assert floor_of(floors(run), 1.0) == 0.0


def test_each_class_of_times_has_its_own_floor() -> None:
    run = make_run([*twins(50e-6, 1.10), *twins(1e-3, 0.98, batch=2), *twins(1.0, 1.0, batch=3)])
    found = floors(run)
    assert [floor.name for floor in found] == ["under 100 µs", "100 µs to 10 ms", "over 10 ms"]
    assert [floor.pairs for floor in found] == [1, 1, 1]
    assert [floor.upper for floor in found] == pytest.approx([math.log(1.1), -math.log(0.98), 0.0])
    assert floor_of(found, 99e-6) == pytest.approx(math.log(1.1))
    assert floor_of(found, 100e-6) == pytest.approx(-math.log(0.98))


def test_a_difference_is_that_of_the_times_over_rounds() -> None:
    (floor,) = floors(make_run(twins(1e-3, 1.1, 1 / 1.1)))
    assert floor.upper == pytest.approx(0.0)


def test_of_few_pairs_the_largest_counts_and_of_many_the_95_percent_quantile() -> None:
    few = [r for n in range(1, 6) for r in twins(1e-3, 1 + n / 100, batch=n)]
    (floor,) = floors(make_run(few))
    assert floor.is_largest
    assert floor.upper == pytest.approx(math.log(1.05))
    assert floor.median == pytest.approx(math.log(1.03))
    many = [r for n in range(1, 41) for r in twins(1e-3, math.exp(n / 1000), batch=n)]
    (floor,) = floors(make_run(many))
    assert not floor.is_largest
    assert floor.upper == pytest.approx(0.03895)


def test_a_twin_without_its_first_is_no_pair() -> None:
    assert floors(make_run(twins(1e-3, 1.1)[1:])) == ()


def test_a_twin_is_no_row_of_its_own_and_its_floor_limits_the_digits() -> None:
    (summary,) = summarise(make_run(twins(1e-3, 1.25, 1.25)))
    assert [row.rounds_s for row in summary.rows] == [{1: 1e-3, 2: 1e-3}]
    assert summary.rows[0].floor == pytest.approx(math.log(1.25))
