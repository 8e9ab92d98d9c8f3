"""How long a plan will take, from what earlier runs on this machine took."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.store import latest_runs

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import Job, Plan

__all__ = ["Duration", "estimate_duration"]

_START_S = 3.0
"""Starting a worker; dominated by importing torch. Assumed."""
_JOB_S = 0.4
"""One job in one round, for a job never seen on this machine. Assumed."""


class Duration(NamedTuple):
    """An estimate in seconds, and how many of the jobs it knows from earlier runs."""

    seconds: float
    known: int
    total: int


def estimate_duration(
    plan: Plan, supported: tuple[Job, ...], *, results: Path, machine: str, check_only: bool
) -> Duration:
    """Sum over supported jobs and rounds; an unseen job counts as the median of those seen."""
    seen = _durations(results, machine, check_only=check_only)
    known = [seen[job] for job in supported if job in seen]
    assumed = statistics.median(seen.values()) if seen else _JOB_S
    per_round = sum(known) + assumed * (len(supported) - len(known)) + _START_S
    return Duration(plan.rounds * per_round, len(known), len(supported))


def _durations(results: Path, machine: str, *, check_only: bool) -> dict[Job, float]:
    """The latest known wall time of each job in the latest runs of this machine."""
    durations: dict[Job, float] = {}
    for run in reversed(latest_runs(results, machine)):
        if run.header.method.check_only == check_only:
            durations |= {r.job: r.telemetry.wall_s for r in run.records if r.telemetry}
    return durations
