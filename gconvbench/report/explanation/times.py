"""How long a layer takes with groups and without, from a run of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.cases import Case, case_id
from gconvbench.records import LayerTimes, Plan, PlannedCase
from gconvbench.report.summary import NATIVE, CaseSummary, summarise
from gconvbench.stats import paired_ratio

if TYPE_CHECKING:
    from gconvbench.report.summary import Row
    from gconvbench.store import Run

__all__ = ["layer_times", "times_plan"]


def times_plan(case: Case, implementations: tuple[str, ...], rounds: int) -> Plan:
    """The layer with its groups and, unless it has none, with one."""
    cases = dict.fromkeys((case_id(case), case_id(replace(case, groups=1))))
    planned = tuple(map(PlannedCase, cases))
    return Plan(cases=planned, implementations=implementations, rounds=rounds)


def layer_times(run: Run, case: Case) -> LayerTimes:
    """What a run of `times_plan` says."""
    summaries = {summary.case: summary for summary in summarise(run)}
    grouped, whole = summaries[case], summaries[replace(case, groups=1)]
    rows = _native(grouped), _native(whole)
    ratio = paired_ratio(rows[0].rounds_s, rows[1].rounds_s) if all(rows) else None  # type: ignore[union-attr]
    (own_s, own_width), (whole_s, whole_width) = map(_time, rows)
    return LayerTimes(
        grouped_s=own_s,
        grouped_half_width=own_width,
        ungrouped_s=whole_s,
        ungrouped_half_width=whole_width,
        ratio=ratio.value if ratio else None,
        ratio_half_width=ratio.half_width if ratio else None,
        rounds=run.header.plan.rounds,
        advice=grouped.advice,
        note="; ".join(filter(None, map(_why_none, (grouped, whole)))),
    )


def _native(summary: CaseSummary) -> Row | None:
    return next((row for row in summary.rows if row.implementation == NATIVE), None)


def _time(row: Row | None) -> tuple[float | None, float | None]:
    """The median in the first cache mode and its half-width."""
    estimate = next(iter(row.times.values()), None) if row else None
    return (estimate.median_s, estimate.half_width) if estimate else (None, None)


def _why_none(summary: CaseSummary) -> str:
    """Why native has no time; empty where it has one."""
    row = _native(summary)
    if row is None or row.times:
        return ""
    groups = summary.case.groups
    return f"native with groups {groups} has no time: {row.outcome}: {row.detail}"
