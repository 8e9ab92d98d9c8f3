from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gconvbench.records import Job, PlannedCase
from gconvbench.runner.order import jobs_of, round_order
from tests.fakes import make_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("native", "split_concat", "block_diagonal")
PLAN = make_plan([PlannedCase(letter) for letter in "abcdefgh"], implementations=NAMES, rounds=3)


def blocks_of(order: Sequence[Job]) -> list[Sequence[Job]]:
    return [order[at : at + len(NAMES)] for at in range(0, len(order), len(NAMES))]


def test_every_case_is_computed_in_every_way() -> None:
    small = make_plan([PlannedCase("a"), PlannedCase("b")], implementations=("x", "y"))
    assert jobs_of(small) == (Job("a", "x"), Job("a", "y"), Job("b", "x"), Job("b", "y"))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_round_does_every_job_once(number: int) -> None:
    order = round_order(PLAN, seed=0, number=number)
    assert len(order) == 24
    assert set(order) == set(jobs_of(PLAN))


@pytest.mark.parametrize("number", range(1, 20))
def test_the_implementations_of_one_case_stand_side_by_side(number: int) -> None:
    order = round_order(PLAN, seed=5, number=number)
    assert all(len({job.case for job in block}) == 1 for block in blocks_of(order))


def test_the_order_follows_from_seed_and_round_alone() -> None:
    orders = [tuple(round_order(PLAN, seed=s, number=n)) for s in range(5) for n in range(1, 5)]
    assert len(set(orders)) == len(orders)
    assert tuple(round_order(PLAN, seed=1, number=2)) == orders[5]


def test_the_place_of_an_implementation_and_of_a_case_is_left_to_chance() -> None:
    orders = [round_order(PLAN, seed=0, number=number) for number in range(1, 301)]
    first = Counter(order[0].case for order in orders)
    leading = Counter(block[0].implementation for o in orders for block in blocks_of(o))
    assert all(20 < first[case] < 60 for case in "abcdefgh")  # 37.5 expected of 300
    assert all(720 < leading[name] < 880 for name in NAMES)  # 800 expected of 2400


def test_the_plan_is_left_as_it_was() -> None:
    before = PLAN.cases, PLAN.implementations
    round_order(PLAN, seed=0, number=1)
    assert (PLAN.cases, PLAN.implementations) == before
