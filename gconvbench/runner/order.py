"""The jobs of a plan, and the order of each round: a pure function of plan and seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gconvbench.records import Job

if TYPE_CHECKING:
    from gconvbench.records import Plan

__all__ = ["jobs_of", "round_order"]


def jobs_of(plan: Plan) -> tuple[Job, ...]:
    """Every case with every implementation."""
    return tuple(Job(case.case, name) for case in plan.cases for name in plan.implementations)


def round_order(plan: Plan, *, seed: int, number: int) -> list[Job]:
    """The order of round `number`: cases shuffled, and within each case its implementations.

    Randomised blocks (Fisher 1935, *The Design of Experiments*, chapter IV): what is compared
    with each other, the implementations of one case, is measured close together, so that slow
    drift of the machine falls on all of them alike; order bias is shuffled away.
    """
    generator = random.Random(f"{seed} {number}")  # noqa: S311 (an order, not a secret)
    cases = list(plan.cases)
    generator.shuffle(cases)
    order = []
    for case in cases:
        names = list(plan.implementations)
        generator.shuffle(names)
        order += [Job(case.case, name) for name in names]
    return order
