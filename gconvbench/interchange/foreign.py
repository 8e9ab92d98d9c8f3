"""What runs have in common that another tool measured, whatever its benchmarks are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gconvbench.records import CacheMode, Job, Plan, PlannedCase, Record, Timing

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BENCHMARK", "as_seconds", "plan_of", "record_of_times", "timing_of"]

BENCHMARK = "benchmark"
"""The implementation of a job of which nothing is known but its benchmark's name."""


def as_seconds(values: object) -> tuple[float, ...] | None:
    """One number or several as times; None where one of them is not positive and finite."""
    many = values if isinstance(values, list | tuple) else (values,)
    if not many or not all(map(_is_time, many)):
        return None
    return tuple(map(float, many))


def _is_time(value: Any) -> bool:  # noqa: ANN401 (somebody else's JSON)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return is_number and 0 < float(value) < math.inf
    except OverflowError:
        return False


def timing_of(
    samples_s: tuple[float, ...],
    *,
    mode: CacheMode = "hot",
    launches: object = 1,
    label: str = "",
) -> Timing:
    """Samples in seconds; `launches` may be anything, and is 1 where it is no count."""
    is_count = isinstance(launches, int) and not isinstance(launches, bool) and launches >= 1
    return Timing(
        cache_mode=mode,
        samples_s=samples_s,
        launches_per_sample=launches if isinstance(launches, int) and is_count else 1,
        target_reached=True,
        labels=(label,) if label else (),
    )


def record_of_times(job: Job, timings: Sequence[Timing], why_none: str) -> Record:
    """A record with these times, or of a failure with its reason where there are none."""
    if timings:
        return Record(job=job, round=1, outcome="measured", timings=tuple(timings))
    return Record(job=job, round=1, outcome="failed", detail=why_none)


def plan_of(records: Sequence[Record]) -> Plan:
    """What was measured, as if that had been the plan."""
    return Plan(
        cases=tuple(map(PlannedCase, dict.fromkeys(one.job.case for one in records))),
        implementations=tuple(dict.fromkeys(one.job.implementation for one in records)),
        rounds=1,
    )
