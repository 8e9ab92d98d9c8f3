from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from gconvbench.runner.estimate import estimate_duration
from gconvbench.runner.order import jobs_of
from tests.fakes import (
    MACHINE,
    SMALL,
    make_header,
    make_plan,
    make_record,
    make_telemetry,
    store_run,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.runner.estimate import Duration

PLAN = make_plan(implementations=("a", "b", "c"), rounds=2)
ASSUMED = pytest.approx((2 * (3 * 0.2 + 3), 0, 3))


def estimate(results: Path, **changes: Any) -> Duration:
    """Of `PLAN`, by the fakes' method with changes."""
    fields = {"check_only", "cache_modes", "target", "threads", "max_time_s", "budget_s"}
    method = {name: changes.pop(name) for name in fields & changes.keys()}
    asked: dict[str, Any] = {
        "results": results,
        "machine": MACHINE,
        "method": replace(make_header().method, **method),
    }
    plan = changes.pop("plan", PLAN)
    supported = changes.pop("supported", jobs_of(plan))
    return estimate_duration(plan, supported, **(asked | changes))


def remember(results: Path, run: str, *, finished: bool = True, **header: Any) -> Path:
    """A run in which job a took 10 s, b 20 s and d 60 s, times the last digit of its name."""
    walls_s = {"a": 10.0, "b": 20.0, "d": 60.0}
    records = [
        make_record(name, telemetry=make_telemetry(wall_s * int(run[-1])))
        for name, wall_s in walls_s.items()
    ]
    return store_run(results, records, finished=finished, run=run, **header)


def test_without_earlier_runs_every_job_is_assumed(tmp_path: Path) -> None:
    assert estimate(tmp_path)[:3] == ASSUMED


@pytest.mark.parametrize("finished", [True, False])
def test_known_jobs_count_as_before_and_others_as_the_median(
    tmp_path: Path, *, finished: bool
) -> None:
    remember(tmp_path, "2025-1", finished=finished)
    assert estimate(tmp_path)[:3] == pytest.approx((2 * (10 + 20 + 20 + 3), 2, 3))


def test_the_start_of_a_worker_is_learnt(tmp_path: Path) -> None:
    remember(tmp_path, "2025-1", start_s=7.0)
    assert estimate(tmp_path)[:3] == pytest.approx((2 * (10 + 20 + 20 + 7), 2, 3))


def test_a_job_counts_as_the_mean_of_its_rounds(tmp_path: Path) -> None:
    records = [
        make_record("a", number=number, telemetry=make_telemetry(wall_s))
        for number, wall_s in enumerate((1.0, 2.0, 6.0), start=1)
    ]
    store_run(tmp_path, records)
    assert estimate(tmp_path, supported=jobs_of(PLAN)[:1]).seconds == pytest.approx(2 * (3 + 3))


def test_only_supported_jobs_count(tmp_path: Path) -> None:
    remember(tmp_path, "2025-1")
    assert estimate(tmp_path, supported=jobs_of(PLAN)[1:2])[:3] == pytest.approx(
        (2 * (20 + 3), 1, 1)
    )
    assert estimate(tmp_path, supported=())[:3] == pytest.approx((2 * 3, 0, 0))


def test_the_latest_run_that_knows_a_job_is_believed(tmp_path: Path) -> None:
    remember(tmp_path, "2025-3")
    remember(tmp_path, "2024-1")
    store_run(tmp_path, [make_record("c", telemetry=make_telemetry(5.0))], run="2026")
    assert estimate(tmp_path)[:3] == pytest.approx((2 * (30 + 60 + 5 + 3), 3, 3))


def test_other_machines_and_other_work_say_nothing(tmp_path: Path) -> None:
    remember(tmp_path, "2025-1", machine="another")
    remember(tmp_path, "2025-2", check_only=True)
    assert estimate(tmp_path)[:3] == ASSUMED
    assert estimate(tmp_path, check_only=True).known == 2
    assert estimate(tmp_path, machine="another").known == 2


@pytest.mark.parametrize("change", [{"threads": 2}, {"cache_modes": ("cold",)}])
def test_other_work_by_another_method_says_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    remember(tmp_path, "2025-1")
    assert estimate(tmp_path, **change)[:3] == ASSUMED


@pytest.mark.parametrize("change", [{"target": 0.01}, {"max_time_s": 0.1}])
def test_runs_that_sampled_in_another_way_are_asked_only_where_there_are_no_others(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    remember(tmp_path, "2025-1")
    assert estimate(tmp_path, **change).seconds == pytest.approx(2 * (10 + 20 + 20 + 3))
    method = replace(make_header().method, **change)
    store_run(
        tmp_path, [make_record("a", telemetry=make_telemetry(1.0))], run="2024", method=method
    )
    assert estimate(tmp_path, **change).seconds == pytest.approx(2 * (1 + 1 + 1 + 3))


def test_with_a_budget_it_is_the_fewest_rounds_and_the_budget_is_the_most(tmp_path: Path) -> None:
    remember(tmp_path, "2025-1")
    plan = make_plan(implementations=("a",), rounds=20)
    assert estimate(tmp_path, plan=plan, budget_s=3600.0) == pytest.approx(
        (3 * (10 + 3), 1, 1, 3600)
    )
    assert estimate(tmp_path, plan=plan, budget_s=30.0) == pytest.approx((30, 1, 1, 30))


def test_a_twin_takes_as_long_as_its_first(tmp_path: Path) -> None:
    remember(tmp_path, "2025-1")
    plan = replace(make_plan(implementations=("a",)), twins=("a",))
    assert estimate(tmp_path, plan=plan)[:3] == pytest.approx((10 + 10 + 3, 2, 2))


def test_a_job_never_seen_counts_as_those_most_like_it_scaled_to_its_work(tmp_path: Path) -> None:
    sizes = [2**n for n in range(2, 11)]
    cases = {size: replace(SMALL, height=size, width=size) for size in sizes}
    store_run(
        tmp_path,
        [
            make_record("a", case=case, telemetry=make_telemetry(size ** (2 * 0.6)))
            for size, case in cases.items()
        ],
    )
    asked = replace(SMALL, height=20, width=12)
    plan = make_plan([asked], implementations=("a",), rounds=1)
    expected = pytest.approx((20 * 12) ** 0.6 + 3)
    assert estimate(tmp_path, plan=plan).seconds == expected
    other = replace(asked, direction="training")
    slow = make_record("a", case=other, telemetry=make_telemetry(900.0))
    store_run(tmp_path, [slow], run="2026")
    assert estimate(tmp_path, plan=plan).seconds == expected


def test_a_run_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    remember(tmp_path, "2025-1")
    remember(tmp_path, "2025-2").write_bytes(b"\x00garbage")
    assert estimate(tmp_path).seconds == pytest.approx(2 * (10 + 20 + 20 + 3))


def test_records_without_telemetry_say_nothing(tmp_path: Path) -> None:
    store_run(tmp_path, [make_record("a", outcome="crashed")])
    assert estimate(tmp_path)[:3] == ASSUMED
