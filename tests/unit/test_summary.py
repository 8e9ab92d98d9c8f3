from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from gconvbench.cases import Case, case_id, flops, parameters
from gconvbench.records import PlannedCase
from gconvbench.report.answer import answer_networks
from gconvbench.report.summary import summarise
from gconvbench.stats import paired_ratio
from tests.fakes import (
    SMALL,
    make_accuracy,
    make_plan,
    make_record,
    make_records,
    make_run,
    make_timing,
)

if TYPE_CHECKING:
    from gconvbench.records import Record
    from gconvbench.report.summary import CaseSummary, Row

NOT_TIMED = ("unsupported", "wrong", "out_of_memory", "failed", "crashed", "timed_out")


def summary_of(*records: Record) -> CaseSummary:
    (summary,) = summarise(make_run(records))
    return summary


def row_of(*records: Record) -> Row:
    (row,) = summary_of(*records).rows
    return row


def advice(**times_s: tuple[float, ...]) -> str:
    records = [r for name, values in times_s.items() for r in make_records(name, *values)]
    return summary_of(*records).advice


def test_rows_are_ordered_by_time_and_those_without_come_last() -> None:
    summary = summary_of(
        make_record("crashing", outcome="crashed"),
        *make_records("slow", 3.0, 3.1),
        *make_records("fast", 1.0, 9.0, 1.1),
        *make_records("middle", 2.0, 1.0, 2.1),
    )
    assert [row.implementation for row in summary.rows] == ["fast", "middle", "slow", "crashing"]
    assert [row.implementation for row in summary.measured] == ["fast", "middle", "slow"]
    assert summary.rows[0].times["hot"].median_s == 1.1
    assert summary.rows[0].rounds_s == {1: 1.0, 2: 9.0, 3: 1.1}


def test_the_first_cache_mode_decides_order_and_speedup() -> None:
    timings = {
        "native": (make_timing(4.0, mode="cold"), make_timing(1.0)),
        "split": (make_timing(2.0, mode="cold"), make_timing(1.5)),
    }
    summary = summary_of(*(make_record(name, timings=t) for name, t in timings.items()))
    assert [(r.implementation, r.speedup) for r in summary.rows] == [("split", 2), ("native", 1)]
    assert list(summary.rows[0].times) == ["cold", "hot"]
    assert [row.rounds_s for row in summary.rows] == [{1: 2.0}, {1: 4.0}]


def test_speedup_is_the_time_of_native_over_the_time_of_the_row() -> None:
    summary = summary_of(*make_records("native", 3.0), *make_records("a", 2.0))
    assert [row.speedup for row in summary.rows] == [1.5, 1.0]


@pytest.mark.parametrize("outcome", NOT_TIMED[1:])
def test_where_native_went_wrong_in_any_round_there_is_no_speedup(outcome: str) -> None:
    native = make_record(), make_record(number=2, outcome=outcome)
    summary = summary_of(*native, *make_records("a", 2.0, 2.0))
    assert [row.speedup for row in summary.rows] == [None, None]


@pytest.mark.parametrize("outcome", NOT_TIMED)
@pytest.mark.parametrize("bad_round", [1, 2, 3])
def test_one_bad_round_takes_every_time_away(outcome: str, bad_round: int) -> None:
    records = make_records("split", 1.0, 1.0, 1.0)
    records[bad_round - 1] = make_record("split", number=bad_round, outcome=outcome)
    summary = summary_of(*records, *make_records("native", 5.0, 5.0, 5.0))
    native, split = summary.rows
    assert (split.implementation, split.outcome, split.detail) == (
        "split",
        outcome,
        f"it {outcome}",
    )
    assert (split.times, split.rounds_s, split.speedup) == ({}, {}, None)
    assert summary.measured == (native,)
    assert summary.advice == "use native; nothing else was measured"


def test_the_first_thing_that_went_wrong_is_told() -> None:
    row = row_of(
        make_record(),
        make_record(number=2, outcome="wrong", detail="off by one"),
        make_record(number=3, outcome="crashed"),
    )
    assert (row.outcome, row.detail) == ("wrong", "off by one")


def test_the_largest_error_of_all_rounds_is_shown() -> None:
    rounds = [(1e-8, 4e-7), (3e-7, 6e-7), (2e-8, 3e-8)]
    row = row_of(
        *(
            make_record(number=i, accuracy=make_accuracy(error, limit=limit))
            for i, (error, limit) in enumerate(rounds)
        )
    )
    assert row.error == 3e-7
    assert row.of_limit == pytest.approx(2 / 3)


def test_an_error_that_is_not_finite_is_not_hidden_behind_one_that_is() -> None:
    rounds = [make_accuracy(1e-8), make_accuracy(None)]
    row = row_of(*(make_record(number=i, accuracy=one) for i, one in enumerate(rounds)))
    assert (row.error, row.of_limit) == (None, None)


def test_labels_of_all_rounds_are_brought_together() -> None:
    labels: tuple[tuple[str, ...], ...] = (("b",), (), ("a", "b"))
    timings = [make_timing(1.0, labels=one) for one in labels]
    row = row_of(*(make_record(number=i, timings=(one,)) for i, one in enumerate(timings)))
    assert row.labels == ("a", "b")


def test_cases_come_in_the_order_of_the_plan_and_only_with_records() -> None:
    cases = [replace(SMALL, batch=batch) for batch in (3, 1, 2)]
    records = [make_record(case=cases[2]), make_record(case=cases[0])]
    summaries = summarise(make_run(records, plan=make_plan(cases)))
    assert [summary.case for summary in summaries] == [cases[0], cases[2]]


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ({"a": (1.0,)}, "use a; nothing else was measured"),
        ({"a": (1.0,), "b": (9.0,)},
         "use a, perhaps; one round has no interval, add rounds"),
        ({"a": (1.0, 1.02, 0.98), "b": (1.01, 1.0, 1.0), "c": (3.0, 3.1, 2.9)},
         "use a; not clearly slower: b"),
        ({"a": (1.0, 1.02, 0.98), "b": (2.0, 2.05, 1.95), "c": (3.0, 3.1, 2.9)},
         "use a; all others are clearly slower"),
        ({"a": (1.0, 5.0, 0.2), "b": (1.1, 5.5, 0.22)},  # paired by round, whatever the spread
         "use a; all others are clearly slower"),
    ],
)  # fmt: skip
def test_advice_is_as_sure_as_the_intervals_allow(
    times_s: dict[str, tuple[float, ...]], expected: str
) -> None:
    assert advice(**times_s) == expected


def test_advice_without_times_counts_what_is_right() -> None:
    right = [make_record(name, outcome="checked") for name in "ab"]
    wrong = make_record("c", outcome="wrong")
    assert summary_of(*right, wrong).advice == "2 right, not timed"
    assert summary_of(wrong).advice == "none can be recommended"


LAYERS = {  # layer: count, groups, and the times of native and split in seconds
    "conv1": (4, {1: (1.0, 3.0), 2: (0.7, 0.5)}),
    "conv2": (1, {1: (0.25, 0.125)}),
}


def network_summaries(**changes: Any) -> list[CaseSummary]:
    """Both layers in both variants; `native` and `split` say how native and split ended there."""
    planned, records = [], []
    for layer, (count, variants) in LAYERS.items():
        for groups, times_s in variants.items():
            case = replace(SMALL, groups=groups, in_channels=8, bias=layer == "conv2")
            planned.append(PlannedCase(case_id(case), f"net/{layer}", count))
            for name, time_s in zip(("native", "split"), times_s, strict=True):
                outcome = changes.get(name, "measured") if groups == 2 else "measured"
                if outcome == "measured":
                    records += make_records(name, time_s, time_s, case=case)
                else:
                    records.append(make_record(name, case=case, outcome=outcome))
    return summarise(make_run(records, plan=make_plan(planned)))


def twice(total_s: float) -> dict[int, float]:
    return {1: total_s, 2: total_s}


def test_a_network_is_added_up_with_its_counts_grouped_and_ungrouped() -> None:
    (answer,) = answer_networks(network_summaries())
    grouped, ungrouped = answer.grouped, answer.ungrouped
    assert (answer.network, answer.direction) == ("net", "fprop")
    assert (answer.grouped_layers, answer.groups) == (("conv1",), (2,))
    assert (answer.isolated, answer.checked) == (1, 1)
    assert (grouped.parameters, ungrouped.parameters) == (6 * 4 * 9 + 438, 6 * 8 * 9 + 438)
    pixels = 9 * 8
    assert grouped.flops == 2 * pixels * 6 * (4 * 4 + 8) * 9
    assert ungrouped.flops == 2 * pixels * 6 * (4 * 8 + 8) * 9
    assert (grouped.native_s, ungrouped.native_s) == (twice(4 * 0.7 + 0.25), twice(4.25))
    assert grouped.advised_s == twice(4 * 0.5 + 0.125)
    assert ungrouped.advised_s == twice(4 * 1.0 + 0.125)


def test_a_layer_without_a_time_leaves_the_network_without_one() -> None:
    (answer,) = answer_networks(network_summaries(native="wrong"))
    assert (answer.isolated, answer.checked) == (0, 1)
    assert answer.grouped.native_s == {}
    assert answer.grouped.advised_s == twice(4 * 0.5 + 0.125)
    (answer,) = answer_networks(network_summaries(native="crashed", split="failed"))
    assert answer.grouped.advised_s == {}
    assert answer.ungrouped.native_s == twice(4.25)


def test_directions_and_types_are_answered_apart() -> None:
    planned, records = [], []
    for direction in ("fprop", "training"):
        for groups in (1, 2):
            case = replace(SMALL, groups=groups, direction=direction)
            planned.append(PlannedCase(case_id(case), "net/conv1", 2))
            records.append(make_record(case=case))
    answers = answer_networks(summarise(make_run(records, plan=make_plan(planned))))
    assert [answer.direction for answer in answers] == ["fprop", "training"]
    training = replace(SMALL, direction="training")
    assert answers[1].grouped.flops == 2 * flops(training) == 6 * flops(SMALL)
    assert answers[1].grouped.parameters == parameters(SMALL)


@pytest.mark.parametrize(
    ("name", "groups"),
    [("net/conv1", (2, 4)), ("net/conv1", (1,)), ("conv1", (1, 2)), ("", (1, 2))],
)
def test_without_a_layer_in_both_variants_there_is_no_answer(
    name: str, groups: tuple[int, ...]
) -> None:
    cases = [Case(groups=number) for number in groups]
    plan = make_plan([PlannedCase(case_id(case), name) for case in cases])
    assert (
        answer_networks(summarise(make_run([make_record(case=c) for c in cases], plan=plan))) == []
    )


def test_an_implementation_that_was_faster_in_every_common_round_is_not_called_slower() -> None:
    """The first of them was interrupted before its slow round."""
    ratio = paired_ratio({1: 1.98, 2: 2.97}, {1: 2.0, 2: 3.0, 3: 1.0})
    assert ratio is not None
    assert ratio.value < 1
    assert not ratio.is_clearly_longer()


def test_a_network_with_two_sizes_of_one_layer_has_no_single_total() -> None:
    summaries = network_summaries()
    larger = replace(summaries[0].case, height=99)
    twice = replace(summaries[0], case=larger)
    assert len(answer_networks(summaries)) == 1
    assert answer_networks([*summaries, twice]) == []


def test_native_is_advised_unless_it_is_clearly_slower() -> None:
    """The others differ from it by no more than their rounds do from each other."""
    noise = {"native": (1.02, 0.98, 1.0), "a": (0.97, 1.0, 0.99), "b": (2.0, 2.0, 2.0)}
    assert advice(**noise) == "use native; not clearly faster: a"
    clear = noise | {"a": (0.5, 0.51, 0.5)}
    assert advice(**clear) == "use a; all others are clearly slower"
