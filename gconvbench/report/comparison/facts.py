"""What stands beside the rows, as lines for the terminal and for markdown alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gconvbench.errors import ExitCode
from gconvbench.records import FINDING_KINDS, JOB_KINDS
from gconvbench.report import format as fmt
from gconvbench.report.comparison.ranking import counts, findings_worst_first
from gconvbench.report.comparison.words import (
    clean,
    counted,
    finding_line,
    interval_text,
    shortened,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gconvbench.records import Change, Comparison, JobVerdict, SideFacts

__all__ = [
    "HEADS",
    "cells",
    "change_cells",
    "finding_lines",
    "remark_lines",
    "rest_line",
    "side_lines",
    "suite_lines",
    "undecided_lines",
]

HEADS = ("kind", "baseline", "contender", "change", "95 % interval", "p")
_LONGEST_DETAIL = 400
_MOST_FINDINGS = 20
_MOST_REASONS = 5
_TWO_MEASURES = (
    "times are medians over processes; changes are of lower quartiles (docs/method.md) and need "
    "not be their ratio"
)


def cells(job: JobVerdict) -> list[str]:
    """A row under `HEADS`."""
    return [word(job.kind), *change_cells(job.change)]


def change_cells(change: Change | None) -> list[str]:
    """Both times, the change, its interval and p; empty where one side has no time."""
    if change is None:
        return [""] * (len(HEADS) - 1)
    return [
        fmt.seconds(change.baseline_s),
        fmt.seconds(change.contender_s),
        fmt.change_text(change.ratio - 1),
        interval_text(change),
        fmt.p_text(change.p),
    ]


def remark_lines(job: JobVerdict) -> list[str]:
    """Why it ended so, and what else changed."""
    detail = clean(job.detail) or (JOB_KINDS[job.kind].meaning if job.change is None else "")
    lines = [detail] if detail else []
    lines += [finding_line(note) for note in job.notes]
    return [shortened(line, _LONGEST_DETAIL) for line in lines]


def rest_line(jobs: Iterable[JobVerdict]) -> str:
    """`and 3 faster, 280 unchanged`: what has no row; empty where everything has."""
    rest = ", ".join(f"{count:,} {word(kind)}" for kind, count in counts(jobs).items())
    return rest and f"and {rest}"


def side_lines(found: Comparison) -> list[str]:
    """What was compared with what, on what, how often."""
    return [
        f"baseline: {_side(found.baseline)}",
        f"contender: {_side(found.contender)}",
        f"{clean(found.created)} on {clean(found.device)}{_spent(found)}",
    ]


def _side(side: SideFacts) -> str:
    parts = [side.what]
    parts += [side.commit[:10]] if side.commit and side.commit[:7] not in side.what else []
    parts += [f"torch {side.torch}"] if side.torch and f"torch {side.torch}" != side.what else []
    parts += [_processes(side)] if side.processes else []
    parts += [f"run {side.run}"] if side.run else []
    parts += [f"machine {side.machine}"] if side.machine else []
    return shortened(clean(", ".join(parts)), _LONGEST_DETAIL)


def _processes(side: SideFacts) -> str:
    told = counted(side.processes, "process")
    if not side.refused:
        return told
    return f"{told}, of which {side.refused} refused because all times stood out"


def _spent(found: Comparison) -> str:
    told = f", took {fmt.duration(found.spent_s)}" if found.spent_s else ""
    told += f" of {fmt.duration(found.budget_s)}" if found.budget_s else ""
    return told + (
        f", {fmt.share(found.extra)} more measurements after the first look" if found.extra else ""
    )


def finding_lines(found: Comparison) -> list[str]:
    """Each with its kind and the facts, worst first; the last ones of very many are counted."""
    findings = findings_worst_first(found)
    lines = []
    for finding in findings[:_MOST_FINDINGS]:
        meaning = FINDING_KINDS[finding.kind].meaning
        line = f"{word(finding.kind)}: {meaning}"
        line += f"; {clean(finding.detail)}" if finding.detail else ""
        lines.append(shortened(line, _LONGEST_DETAIL))
    left = Counter(word(finding.kind) for finding in findings[_MOST_FINDINGS:])
    rest = ", ".join(f"{count:,} {kind}" for kind, count in left.items())
    return [*lines, f"and {rest}"] if rest else lines


def suite_lines(found: Comparison) -> list[str]:
    """What all jobs have in common, the smallest slowdown that would have been found, and how."""
    lines = _shift_lines(found)
    if found.detectable is not None:
        lines.append(
            f"a slowdown of {fmt.share(found.detectable)} in one job would have been found "
            "with 95 % power (median over jobs)"
        )
    else:
        lines.append("how small a slowdown would have been found cannot be told")
    if any(job.change for job in found.jobs):
        lines.append(_TWO_MEASURES)
    return lines


def _shift_lines(found: Comparison) -> list[str]:
    suite = found.suite
    if suite is None:
        return []
    confirmed = {None: "", True: ", confirmed", False: ", not confirmed"}[suite.confirmed]
    interval = fmt.change_interval_text(suite.low, suite.high)
    moved = f"{fmt.change_text(suite.shift)} (95 % {interval}), p {fmt.p_text(suite.p)}"
    lines = [f"the whole suite moved by {moved}{confirmed}"]
    if suite.controls_shift is not None:
        moved = fmt.change_text(suite.controls_shift)
        lines.append(f"{counted(suite.controls, 'control')} in fresh processes moved by {moved}")
    if suite.anchors_shift is not None:
        moved = fmt.change_text(suite.anchors_shift)
        lines.append(f"anchors, which do not run the code under test, moved by {moved}")
    return lines


def undecided_lines(found: Comparison) -> list[str]:
    """Why jobs could not be decided, by reason."""
    reasons = Counter(
        (job.kind, clean(job.detail))
        for job in found.jobs
        if JOB_KINDS[job.kind].exit_code == ExitCode.UNCERTAIN
    )
    lines = [
        shortened(f"{count:,} {word(kind)}: {detail or JOB_KINDS[kind].meaning}", _LONGEST_DETAIL)
        for (kind, detail), count in reasons.most_common(_MOST_REASONS)
    ]
    left = len(reasons) - _MOST_REASONS
    return [*lines, f"and {counted(left, 'other reason')}"] if left > 0 else lines
