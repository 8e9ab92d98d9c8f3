"""What jobs that ended alike have in common."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from gconvbench.records import Finding
from gconvbench.report.comparison.grouping import group_line, groups_of
from tests.comparisons import make_case, make_comparison, make_typical, make_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import JobVerdict


def product(kind_of: Callable[[int, str, str, str], str]) -> list[JobVerdict]:
    """Jobs over groups, dtype, direction and implementation."""
    axes = itertools.product(
        (1, 8, 32), ("float16", "float32"), ("fprop", "dgrad", "wgrad"), ("native", "split_concat")
    )
    return [
        make_verdict(
            kind_of(groups, dtype, direction, name),
            case=make_case(groups=groups, dtype=dtype, direction=direction),
            implementation=name,
        )
        for groups, dtype, direction, name in axes
    ]


def lines(jobs: list[JobVerdict]) -> list[str]:
    return [group_line(group) for group in groups_of(make_comparison(jobs))]


def test_two_values_together_tell_the_slower_jobs_apart() -> None:
    jobs = product(lambda g, dtype, *_: "slower" if (g, dtype) == (32, "float16") else "unchanged")
    assert lines(jobs) == ["all 6 with groups=32 and dtype=float16: slower, +10.0 %"]


def test_one_value_is_enough_where_it_is() -> None:
    jobs = product(lambda *axes: "faster" if axes[3] == "split_concat" else "unchanged")
    assert lines(jobs) == ["all 18 with implementation=split_concat: faster, -10.0 %"]


def test_each_kind_has_its_own_group() -> None:
    kinds = {"fprop": "slower", "dgrad": "crashed", "wgrad": "unchanged"}
    assert lines(product(lambda *axes: kinds[axes[2]])) == [
        "all 12 with direction=dgrad: crashed",
        "all 12 with direction=fprop: slower, +10.0 %",
    ]


def test_one_unaffected_job_in_twelve_does_not_hide_what_the_others_share() -> None:
    jobs = product(lambda *axes: "slower" if axes[0] == 32 else "unchanged")
    jobs[-1] = make_verdict(case=jobs[-1].case, implementation=jobs[-1].implementation)
    assert lines(jobs) == ["11 of 12 with groups=32: slower, +10.0 %"]


def test_one_stray_job_does_not_hide_what_the_others_share() -> None:
    jobs = product(lambda *axes: "slower" if axes[0] == 32 else "unchanged")
    jobs[0] = make_verdict("slower", case=jobs[0].case)
    assert lines(jobs) == ["all 12 with groups=32: slower, +10.0 %"]


def test_jobs_that_have_nothing_of_their_own_are_not_grouped() -> None:
    jobs = product(lambda *axes: "unchanged")
    for i in (0, 15, 33):
        jobs[i] = make_verdict("slower", case=jobs[i].case, implementation=jobs[i].implementation)
    assert lines(jobs) == []


def test_all_jobs_are_a_group_without_values() -> None:
    assert lines(product(lambda *axes: "slower")) == ["all 36 jobs: slower, +10.0 %"]


def test_unsupported_jobs_are_no_counter_examples() -> None:
    jobs = product(
        lambda *axes: (
            "unchanged" if axes[0] != 32 else "slower" if axes[3] == "native" else "unsupported"
        )
    )
    assert lines(jobs) == ["all 6 with groups=32: slower, +10.0 %"]


def test_notes_are_grouped_with_what_they_say() -> None:
    note = "dispatch: kernel changed from implicit_gemm to direct"
    assert f"all 2 with groups=32 and dtype=float16: {note}" in lines(list(make_typical().jobs))


def test_one_job_shares_with_nobody() -> None:
    assert lines([make_verdict("slower"), make_verdict()]) == []


def test_ids_that_are_none_are_grouped_by_implementation() -> None:
    jobs = [make_verdict("slower", case=f"?{i}", implementation="bad\n") for i in range(3)]
    found = lines([*jobs, make_verdict(notes=(Finding("memory", "more"),))])
    assert found == ["all 3 with implementation=bad : slower, +10.0 %"]


def test_thousands_of_jobs_with_many_values_are_grouped_in_time() -> None:
    jobs = [
        make_verdict(
            "slower" if i % 3 == 0 else "unchanged",
            case=make_case(height=8 + i, width=9 + i // 2, batch=1 + i % 7),
        )
        for i in range(2000)
    ]
    assert lines(jobs) == []
