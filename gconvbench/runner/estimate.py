"""How long a plan will take, from what earlier runs on this machine took."""

from __future__ import annotations

import heapq
import math
import statistics
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.cases import flops, parse_case
from gconvbench.runner.order import by_modes
from gconvbench.runner.schedule import FEWEST_ROUNDS
from gconvbench.store import latest_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gconvbench.records import Job, Method, Plan
    from gconvbench.store import Run

__all__ = ["Duration", "estimate_duration"]

_START_S = 3.0
"""Starting a worker, dominated by importing torch, where no run has told. Assumed."""
_JOB_S = 0.2
"""One job in one round, where no run has told. Assumed."""
_WORK = ("check_only", "cache_modes", "threads")
"""Where these differ, a run says nothing of another method's jobs."""
_SAMPLING = ("target", "max_time_s", "warmup_time_s")
"""Where these are the same, jobs take as long; others are asked only where there are none."""
_NEAREST = 5
"""A job that was never measured counts as the median of so many that are most like it."""
_POWER_OF_WORK = 0.6
_POWER_OF_GROUPS = 0.2
"""How a job's duration grows with its work and its groups: samples hardly, the proof in proportion
to the one and with more launches for the other. By experiment on one CPU, between the jobs of the
sweeps quick, forum and groups (docs/method.md)."""


class Duration(NamedTuple):
    """How long a run will take.

    Attributes:
        seconds: the estimate; with a budget of the rounds that it has in any case.
        known: how many of the jobs were measured on this machine before.
        total: how many jobs there are.
        at_most_s: the budget; None without one.
    """

    seconds: float
    known: int
    total: int
    at_most_s: float | None = None


def estimate_duration(
    plan: Plan, supported: Sequence[Job], *, results: Path, machine: str, method: Method
) -> Duration:
    """Sum over supported jobs and rounds, and the workers' starts: one a round, and per mode.

    A job never measured here counts as those most like it, by work, way of computing it,
    direction, dtype and groups, scaled to its work and groups.
    """
    found = [run for run in latest_runs(results, machine) if _is_alike(run, method, _WORK)]
    runs = [run for run in found if _is_alike(run, method, _SAMPLING)] or found
    seen = _walls_s(runs)
    starts = [run.header.start_s for run in runs if run.header.start_s is not None]
    per_round = sum(_known_s(job, seen) or _guess_s(job, seen) for job in supported)
    start_s = statistics.median(starts) if starts else _START_S
    per_round += start_s * max(1, len(by_modes(plan, supported)))
    rounds = plan.rounds if method.budget_s is None else min(plan.rounds, FEWEST_ROUNDS)
    return Duration(
        seconds=min(rounds * per_round, method.budget_s or math.inf),
        known=sum(_known_s(job, seen) is not None for job in supported),
        total=len(supported),
        at_most_s=method.budget_s,
    )


def _is_alike(run: Run, method: Method, fields: Sequence[str]) -> bool:
    """Whether the run's method has the same values in these fields."""
    return all(getattr(run.header.method, one) == getattr(method, one) for one in fields)


def _known_s(job: Job, seen: dict[Job, float]) -> float | None:
    """What the job took, or its twin."""
    return seen.get(job) or seen.get(msgspec.structs.replace(job, twin=0))


def _walls_s(runs: Sequence[Run]) -> dict[Job, float]:
    """The mean over rounds of each job's wall time in the latest run that has it."""
    found: dict[Job, float] = {}
    for run in reversed(runs):
        walls_s: dict[Job, list[float]] = {}
        for record in run.records:
            if record.telemetry:
                walls_s.setdefault(record.job, []).append(record.telemetry.wall_s)
        found |= {job: statistics.fmean(values) for job, values in walls_s.items()}
    return found


def _guess_s(job: Job, seen: dict[Job, float]) -> float:
    """The median of what the most similar jobs took, by the same implementation where known."""
    if not seen:
        return _JOB_S
    alike = [other for other in seen if other.implementation == job.implementation]
    pool = alike if len(alike) >= _NEAREST else list(seen)
    nearest = heapq.nsmallest(_NEAREST, pool, key=lambda other: _distance(job.case, other.case))
    return statistics.median(seen[other] * _growth(other.case, job.case) for other in nearest)


def _growth(known: str, asked: str) -> float:
    """How many times longer the one is expected to take than the other."""
    (work, groups, _), (other_work, other_groups, _) = _features(asked), _features(known)
    return math.exp(
        _POWER_OF_WORK * (work - other_work) + _POWER_OF_GROUPS * (groups - other_groups)
    )


def _distance(a: str, b: str) -> float:
    """How unlike two cases are for the time that a job takes: a factor e of work counts 1."""
    (work_a, groups_a, kinds_a), (work_b, groups_b, kinds_b) = _features(a), _features(b)
    others = sum(x != y for x, y in zip(kinds_a, kinds_b, strict=True))
    return abs(work_a - work_b) + abs(groups_a - groups_b) / 2 + others


@cache
def _features(case_id: str) -> tuple[float, float, tuple[str, ...]]:
    case = parse_case(case_id)
    kinds = (case.operation, case.direction, case.dtype, case.memory_format)
    return math.log(flops(case)), math.log(case.groups), kinds
