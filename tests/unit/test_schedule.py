"""What a round has: all that is open, or with a budget the cases whose times are least known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from gconvbench.cases import case_id
from gconvbench.records import Job
from gconvbench.runner.order import jobs_of, round_order
from gconvbench.runner.schedule import (
    FixedRounds,
    WithinBudget,
    schedule_of,
    with_sampling_cap,
)
from tests.fakes import SMALL, make_header, make_plan, make_record, make_telemetry, make_timing

if TYPE_CHECKING:
    from gconvbench.records import Header, Record

CASES = [replace(SMALL, batch=batch) for batch in (1, 2, 3)]
IDS = [case_id(case) for case in CASES]


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def header(budget_s: float | None = None, *, rounds: int = 20, **plan: Any) -> Header:
    made = make_header(make_plan(CASES, rounds=rounds, **plan), start_s=2.0)
    return replace(made, method=replace(made.method, budget_s=budget_s, target=0.01))


def measured(job: Job, number: int, time_s: float = 1e-3, wall_s: float = 1.0) -> Record:
    return make_record(
        job.implementation, case=job.case, number=number, time_s=time_s,
        telemetry=make_telemetry(wall_s), waited_s=wall_s,
    )  # fmt: skip


def do_round(
    schedule: WithinBudget, number: int, time: Time, times_s: dict[str, float] | None = None
) -> list[str]:
    """Measure what the schedule asks for, each job in a second; the cases, in order."""
    jobs = schedule.round(number)
    time.now_s += 2.0 if number > 1 and jobs else 0.0
    for job in jobs:
        if schedule.is_spent():
            break
        time.now_s += 1.0
        schedule.add(measured(job, number, (times_s or {}).get(job.case, 1e-3)))
    return list(dict.fromkeys(job.case for job in jobs))


def test_without_a_budget_every_round_has_every_job_in_its_shuffled_order() -> None:
    schedule = schedule_of(header(), [])
    assert isinstance(schedule, FixedRounds)
    for number in (1, 2):
        assert schedule.round(number) == round_order(header().plan, seed=0, number=number)
    assert not schedule.is_spent()
    assert schedule.rest() == []


def test_twins_are_jobs_of_their_own_next_to_the_others_of_their_case() -> None:
    plan = replace(make_plan(CASES), twins=("native",))
    jobs = jobs_of(plan)
    assert len(jobs) == 9
    assert [job.twin for job in jobs[:3]] == [0, 0, 1]
    order = round_order(plan, seed=1, number=1)
    assert sorted(order, key=str) == sorted(jobs, key=str)
    cases = [job.case for job in order]
    assert cases == [case for case in dict.fromkeys(cases) for _ in range(3)]


def test_the_first_rounds_have_every_case_and_then_it_ends_where_all_is_known() -> None:
    time = Time()
    schedule = WithinBudget(header(1000.0), [], now=time)
    for number in (1, 2, 3):
        assert sorted(do_round(schedule, number, time)) == sorted(IDS)
    assert do_round(schedule, 4, time) == []
    assert schedule.rest() == []


def test_later_rounds_have_the_cases_that_are_wider_than_the_target() -> None:
    time = Time()
    schedule = WithinBudget(header(1000.0), [], now=time)
    for number, factor in ((1, 1.0), (2, 1.1), (3, 0.9)):
        do_round(schedule, number, time, {IDS[1]: factor * 1e-3})
    assert do_round(schedule, 4, time) == [IDS[1]]


def test_where_time_is_short_the_widest_come_first() -> None:
    time = Time()
    budget_s = 2 + 6 + 2 * (2 + 6) + 2 + 4.5  # three rounds, and one with two cases
    schedule = WithinBudget(header(budget_s), [], now=time)
    for number, factor in ((1, 1.0), (2, 1.1), (3, 0.9)):
        times_s = {IDS[0]: 1e-3 * factor**2, IDS[1]: 1e-3 * factor**0.5, IDS[2]: 1e-3 * factor}
        do_round(schedule, number, time, times_s)
    assert sorted(do_round(schedule, 4, time)) == sorted([IDS[0], IDS[2]])
    assert do_round(schedule, 5, time) == []


def test_what_the_budget_did_not_reach_is_a_record_with_the_reason() -> None:
    time = Time()
    schedule = WithinBudget(header(2 + 2.5), [], now=time)
    do_round(schedule, 1, time)
    assert schedule.is_spent()
    rest = schedule.rest()
    assert len(rest) == 3
    assert {record.outcome for record in rest} == {"not_reached"}
    assert rest[0].detail == "the budget of 4.5 s was spent before its turn"


def test_a_job_that_failed_is_not_asked_again_and_its_case_goes_on() -> None:
    time = Time()
    schedule = WithinBudget(header(1000.0), [], now=time)
    jobs = schedule.round(1)
    schedule.add(make_record("native", case=jobs[0].case, outcome="crashed"))
    again = schedule.round(2)
    assert Job(jobs[0].case, "native") not in again
    assert Job(jobs[0].case, "split_concat") in again


def test_a_resumed_run_has_spent_what_its_records_took() -> None:
    time = Time()
    stored = [measured(job, 1) for job in jobs_of(header().plan)[:4]]
    schedule = WithinBudget(header(2 + 4 + 2.5), stored, now=time)
    left = schedule.round(1)
    assert len(left) == 2
    assert not schedule.is_spent()
    time.now_s += 2.6
    assert schedule.is_spent()


def test_a_failure_that_took_long_is_spent_too() -> None:
    job = jobs_of(header().plan)[0]
    hung = replace(
        make_record(job.implementation, case=job.case, outcome="timed_out"), waited_s=600.0
    )
    assert WithinBudget(header(500.0), [hung], now=Time()).is_spent()


def test_a_case_interrupted_in_a_later_round_is_finished_before_anything_is_judged() -> None:
    done = [measured(job, n, 1e-3) for n in (1, 2, 3) for job in jobs_of(header().plan)]
    wide = jobs_of(header().plan)[0]
    partial = measured(wide, 4, 1e-3)
    schedule = WithinBudget(header(1000.0), [*done, partial], now=Time())
    assert [(job.case, job.implementation) for job in schedule.round(4)] == [
        (wide.case, "split_concat")
    ]
    assert schedule.round(5) == []


@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_the_widest_interval_of_all_cache_modes_counts(mode: str) -> None:
    made = header(1000.0)
    made = replace(made, method=replace(made.method, cache_modes=("cold", "hot")))
    schedule = WithinBudget(made, [], now=Time())
    for number, factor in ((1, 1.0), (2, 1.2), (3, 0.8)):
        for job in schedule.round(number):
            times_s = {"hot": 1e-3, "cold": 2e-3}
            times_s[mode] *= factor if job.case == IDS[1] else 1.0
            timings = tuple(make_timing(s, mode=m) for m, s in times_s.items())  # type: ignore[arg-type]
            schedule.add(replace(measured(job, number), timings=timings))
    assert {job.case for job in schedule.round(4)} == {IDS[1]}


@pytest.mark.parametrize(
    ("budget_s", "jobs", "cap_s"),
    [(300, 20, 1.0), (300, 100, 0.5), (60, 100, 0.1), (60, 100_000, 0.02), (60, 0, 1.0)],
)
def test_samples_get_half_of_the_budget_over_three_rounds(
    budget_s: float, jobs: int, cap_s: float
) -> None:
    assert with_sampling_cap(header(budget_s).method, jobs=jobs).max_time_s == cap_s
