from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from gconvbench.cases import Case, case_id
from gconvbench.records import PlannedCase
from gconvbench.report.networks import BEST, network_totals, networks_of
from gconvbench.report.summary import summarise
from tests.fakes import make_plan, make_records, make_run

if TYPE_CHECKING:
    from gconvbench.report.summary import CaseSummary

FIRST = Case(groups=2, in_channels=4, out_channels=8, height=9, width=9)
SECOND = Case(groups=2, in_channels=8, out_channels=8, height=7, width=7)
Times = dict[str, tuple[float, ...]]


def summaries(*layers: tuple[str, Case, int, Times]) -> list[CaseSummary]:
    plan = make_plan(PlannedCase(case_id(case), name, count) for name, case, count, _ in layers)
    return summarise(
        make_run(
            (
                record
                for _, case, _, times in layers
                for name, values in times.items()
                for record in make_records(name, *values, case=case)
            ),
            plan=plan,
        )
    )


def test_a_total_is_the_sum_of_count_times_time() -> None:
    found = summaries(
        ("net/a", FIRST, 3, {"native": (1.0, 1.1), "other": (4.0, 4.0)}),
        ("net/b", SECOND, 1, {"native": (2.0, 2.0), "other": (1.0, 1.0)}),
    )
    totals = {one.implementation: one for one in network_totals(found)}
    assert totals["native"].time.median_s == pytest.approx((5.0 + 5.3) / 2)
    assert totals["other"].time.median_s == 13.0
    assert totals[BEST].time.median_s == pytest.approx((4.0 + 4.3) / 2)


def test_native_stands_in_for_layers_that_an_implementation_does_not_have() -> None:
    found = summaries(
        ("net/a", FIRST, 1, {"native": (3.0, 3.0), "part": (1.0, 1.0)}),
        ("net/b", SECOND, 1, {"native": (3.0, 3.0)}),
    )
    (part,) = [one for one in network_totals(found) if one.implementation == "part"]
    assert part.time.median_s == 4.0
    assert part.own_layers == 1
    assert part.own_s == pytest.approx(1.0)


def test_there_is_no_total_where_a_layer_has_no_time() -> None:
    found = summaries(
        ("net/a", FIRST, 1, {"native": (3.0, 3.0)}), ("net/b", SECOND, 1, {"part": (1.0, 1.0)})
    )
    assert [(one.implementation, one.time.median_s) for one in network_totals(found)] == [
        (BEST, 4.0), ("part", 4.0),
    ]  # fmt: skip


def test_totals_come_shortest_first_below_the_best() -> None:
    found = summaries(("net/a", FIRST, 1, {"slow": (3.0,), "fast": (1.0,), "native": (2.0,)}))
    names = [one.implementation for one in network_totals(found)]
    assert names == [BEST, "fast", "native", "slow"]


def test_layers_with_and_without_groups_are_one_network() -> None:
    (network,) = networks_of(
        summaries(
            ("net/a", FIRST, 1, {"native": (1.0,)}),
            ("net/a", replace(FIRST, groups=1), 1, {"native": (2.0,)}),
            ("net/b", replace(SECOND, groups=1), 1, {"native": (2.0,)}),
            ("loose", SECOND, 1, {"native": (2.0,)}),
        )
    )
    assert network.is_varied
    assert [one.case.groups for one in network.grouped.values()] == [2, 1]
    assert [one.case.groups for one in network.ungrouped.values()] == [1, 1]


def test_directions_are_networks_of_their_own_and_twofold_layers_none() -> None:
    training = replace(FIRST, direction="training")
    found = summaries(
        ("net/a", FIRST, 1, {"native": (1.0,)}),
        ("net/a", training, 1, {"native": (1.0,)}),
        ("two/a", replace(FIRST, height=10), 1, {"native": (1.0,)}),
        ("two/a", replace(FIRST, height=11), 1, {"native": (1.0,)}),
    )
    networks = networks_of(found)
    assert [(one.name, one.case.direction) for one in networks] == [
        ("net", "fprop"), ("net", "training"),
    ]  # fmt: skip
    assert not any(one.is_varied for one in networks)
