"""What a run says about accuracy, from records made up for it."""

from __future__ import annotations

import io
import math
from typing import Any

import msgspec
import pytest
from rich.console import Console

from gconvbench.cases import Case
from gconvbench.records import Accuracy, Agreement, Record, TensorAccuracy
from gconvbench.report.accuracy import (
    accuracy_labels,
    changed_algorithms,
    error_matrix,
    growths,
    process_labels,
    same_bits_as,
    worst_agreement,
)
from gconvbench.report.accuracy_table import print_accuracy
from tests.fakes import SMALL, make_plan, make_record, make_run

LIMIT = 1e-6


def tensor(error: float | None = 1e-7, **changes: Any) -> TensorAccuracy:
    fields: dict[str, Any] = {
        "tensor": "output", "error": error, "group_error": error, "limit": LIMIT,
        "reduction_length": 18, "exact": "equal", "precision": "ieee",
        "memory_format": "contiguous", "digest": "0123456789abcdef", "compared": 100,
    }  # fmt: skip
    return TensorAccuracy(**(fields | changes))


def checked(
    *tensors: TensorAccuracy,
    implementation: str = "native",
    case: Case = SMALL,
    number: int = 1,
    **accuracy: Any,
) -> Record:
    proof = Accuracy(tensors=tensors or (tensor(),), flow="isolated", **accuracy)
    return make_record(
        implementation, case=case, number=number, outcome="checked", accuracy=proof, time_s=None
    )


def test_a_cell_shows_the_worst_error_of_all_its_jobs() -> None:
    other = Case(groups=2, in_channels=4, out_channels=4, height=9, width=8)
    run = make_run(
        [checked(tensor(1e-7)), checked(tensor(5e-7), tensor(2e-7), case=other)],
        plan=make_plan(implementations=["native"]),
    )
    cell = error_matrix(run)["float32"]["native"]["fprop"]
    assert cell.outcome == "checked"
    assert cell.of_limit == pytest.approx(0.5)


@pytest.mark.parametrize("bad", ["wrong", "crashed", "timed_out", "failed", "out_of_memory"])
def test_one_bad_job_decides_its_cell(bad: str) -> None:
    plan = make_plan(implementations=["native"])
    for records in (
        [checked(), make_record("native", outcome=bad)],
        [make_record("native", outcome=bad), make_record("native", outcome="unsupported")],
    ):
        assert (
            error_matrix(make_run(records, plan=plan))["float32"]["native"]["fprop"].outcome == bad
        )


def test_what_is_unsupported_somewhere_is_not_held_against_the_rest() -> None:
    run = make_run(
        [make_record("native", outcome="unsupported"), checked()],
        plan=make_plan(implementations=["native"]),
    )
    assert error_matrix(run)["float32"]["native"]["fprop"].outcome == "checked"


def test_an_error_that_is_not_finite_is_infinitely_far() -> None:
    run = make_run([checked(tensor(None))], plan=make_plan(implementations=["native"]))
    assert error_matrix(run)["float32"]["native"]["fprop"].of_limit == math.inf


@pytest.mark.parametrize(
    ("record", "label"),
    [
        (checked(repeatability="other bits in 1 of 5 launches more"), "launched again"),
        (checked(deterministic="other bits"), "with deterministic algorithms"),
        (checked(tensor(memory_format="channels_last")), "output comes out channels_last"),
        (checked(layouts={"batch 0": "raises ValueError: no"}), "batch 0 operands: raises"),
    ],
)
def test_each_label_has_its_words(record: Record, label: str) -> None:
    (found,) = accuracy_labels(record)
    assert label in found


def test_a_plain_result_has_no_label() -> None:
    plain = checked(
        tensor(memory_format="contiguous and channels_last"),
        repeatability="same bits in 5 launches more",
        deterministic="same bits",
        layouts={"sliced": "right"},
    )
    assert not list(accuracy_labels(plain))


def test_more_precision_than_was_asked_for_is_a_label() -> None:
    case = Case(math_mode="tf32")
    (label,) = accuracy_labels(checked(tensor(precision="ieee"), case=case))
    assert "better than the tf32 asked for" in label
    assert not list(accuracy_labels(checked(tensor(precision="tf32"), case=case)))


def test_other_bits_in_another_process_are_seen_over_rounds() -> None:
    same = [checked(number=1), checked(number=2)]
    other = [checked(number=1), checked(tensor(digest="f" * 16), number=2)]
    assert not list(process_labels(same))
    assert list(process_labels(other)) == ["other bits in another process"]


def test_the_worst_agreement_is_relative_to_what_is_allowed() -> None:
    near = Agreement(peer="native", tensor="output", distance=1e-6, allowed=1e-2)
    far = Agreement(peer="native", tensor="output", distance=9e-7, allowed=1e-6)
    run = make_run(
        [
            checked(implementation="split_concat", agreement=near),
            checked(implementation="im2col_bmm", agreement=far),
        ]
    )
    found = worst_agreement(run)
    assert found is not None
    assert found[0].implementation == "im2col_bmm"
    assert found[1].of_allowed == pytest.approx(0.9)


def printed(*records: Record) -> str:
    console = Console(width=200, file=io.StringIO())
    print_accuracy(make_run([*records]), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (9e-7, "no two differ by more than 90 % of what their limits allow"),
        (3e-2, "native, right where it was sampled, is wrong elsewhere\n  30,000x of"),
        (None, "native, right where it was sampled, is wrong elsewhere\n  infx of"),
    ],
)
def test_one_that_another_refutes_later_is_named(distance: float | None, text: str) -> None:
    far = Agreement(peer="native", tensor="output", distance=distance, allowed=1e-6)
    assert f"agreement: {text}" in printed(checked(implementation="im2col_bmm", agreement=far))


def test_a_wrong_one_disagrees_with_nobody() -> None:
    far = Agreement(peer="native", tensor="output", distance=3e-2, allowed=1e-6)
    wrong = msgspec.structs.replace(checked(agreement=far), outcome="wrong", detail="wrong")
    assert worst_agreement(make_run([wrong])) is None


def series(exponent: float, *lengths: int, scale: float = 1e-7) -> list[Record]:
    return [
        checked(
            tensor(scale * length**exponent, reduction_length=length),
            case=Case(groups=1, in_channels=1 + number, out_channels=1),
        )
        for number, length in enumerate(lengths)
    ]


@pytest.mark.parametrize(
    ("exponent", "is_finding"), [(0.0, False), (0.5, False), (0.7, False), (0.8, True), (1, True)]
)
def test_growth_is_fitted_and_faster_than_a_random_walk_a_finding(
    exponent: float, *, is_finding: bool
) -> None:
    (growth,) = growths(make_run(series(exponent, 9, 90, 900, 9000)))
    assert growth.exponent == pytest.approx(exponent, abs=1e-6)
    assert (growth.shortest, growth.longest) == (9, 9000)
    assert growth.is_finding == is_finding


def test_growth_needs_a_range_and_errors_above_the_rounding_of_the_result() -> None:
    assert growths(make_run(series(1, 9, 90, 900))) == []
    assert growths(make_run(series(1, 10, 11, 12, 13))) == []
    (tiny,) = growths(make_run(series(1, 9, 90, 900, 9000, scale=1e-14)))
    assert not tiny.is_finding


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        (1e-7, 1.4e-7, False),
        (1e-7, 1.6e-7, True),
        (1e-7, 1e-9, False),
        (1e-10, 8e-9, False),  # under 1.5 tenths of 2^-24
        (1e-10, 1e-8, True),
    ],
)
def test_an_error_half_as_large_again_is_another_algorithm(
    before: float, now: float, *, changed: bool
) -> None:
    old, new = make_run([checked(tensor(before))]), make_run([checked(tensor(now))])
    found = changed_algorithms(new, [old])
    assert bool(found) == changed
    if changed:
        assert (found[0].before, found[0].now, found[0].run) == (before, now, old.header.run)


def test_each_result_is_compared_with_the_latest_run_that_has_it() -> None:
    new = make_run([checked(tensor(4e-7))])
    latest, older = make_run([checked(tensor(3e-7))]), make_run([checked(tensor(1e-7))])
    other = make_run([checked(tensor(1e-9), implementation="split_concat")])
    assert changed_algorithms(new, [other, latest, older]) == []
    assert len(changed_algorithms(new, [other, older, latest])) == 1
    assert changed_algorithms(new, []) == []


def test_results_of_wrong_implementations_are_no_measure() -> None:
    wrong = make_record("native", outcome="wrong")
    wrong = msgspec.structs.replace(wrong, accuracy=checked(tensor(1e-9)).accuracy)
    assert changed_algorithms(make_run([checked(tensor(4e-7))]), [make_run([wrong])]) == []


def test_equal_bits_are_counted_where_they_are_known() -> None:
    old = make_run([checked(tensor(digest="a" * 16)), checked(implementation="split_concat")])
    new = make_run([checked(), checked(implementation="split_concat")])
    unknown = make_run([checked(tensor(digest=""))])
    assert same_bits_as(new, [old]) == (1, 2)
    assert same_bits_as(new, [unknown]) == (0, 0)
