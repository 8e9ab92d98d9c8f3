"""The jobs of a plan, and the order of each round: a pure function of plan and seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gconvbench.records import Job

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gconvbench.records import Plan

__all__ = ["Modes", "by_modes", "jobs_of", "round_order"]

Modes = tuple[tuple[str, bool | str], ...]
"""Settings of torch by name, sorted."""


def jobs_of(plan: Plan) -> tuple[Job, ...]:
    """Every case with every implementation, and with the twins once more."""
    return tuple(job for case in plan.cases for job in _jobs_of_case(plan, case.case))


def _jobs_of_case(plan: Plan, case: str) -> list[Job]:
    twins = [Job(case, name, twin=1) for name in plan.twins]
    return [Job(case, name) for name in plan.implementations] + twins


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
        jobs = _jobs_of_case(plan, case.case)
        generator.shuffle(jobs)
        order += jobs
    return order


def by_modes(plan: Plan, jobs: Iterable[Job]) -> dict[Modes, list[Job]]:
    """The jobs in their order by what their workers are set up with; nothing is the run's own.

    Each entry needs a worker process. Entries are in the order of their first jobs.
    """
    groups: dict[Modes, list[Job]] = {}
    for job in jobs:
        modes = plan.modes.get(job.implementation, {})
        groups.setdefault(tuple(sorted(modes.items())), []).append(job)
    return groups
