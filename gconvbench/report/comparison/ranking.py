"""Jobs and findings by how bad they are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gconvbench.errors import ExitCode, worst
from gconvbench.records import FAILABLE, FINDING_KINDS, JOB_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gconvbench.records import Comparison, Finding, JobVerdict

__all__ = [
    "MOST_ROWS",
    "UNREMARKABLE",
    "counts",
    "failing_notes",
    "findings_worst_first",
    "is_remarkable",
    "job_exit_code",
    "jobs_with_rows",
    "jobs_worst_first",
]

MOST_ROWS = 20
"""In the open; a markdown table has the others folded."""
_FEW = 5
UNREMARKABLE = ("unchanged", "unsupported")
"""Kinds of jobs that are counted, not listed."""
_FASTER = ("faster", "implausibly_faster")
_RANKS = {kind: rank for rank, kind in enumerate(JOB_KINDS)}


def failing_notes(job: JobVerdict, fail_on: Iterable[str]) -> list[Finding]:
    """Its changes beside the time that were asked to fail."""
    failing = set(fail_on)
    return [note for note in job.notes if note.kind in failing]


def job_exit_code(job: JobVerdict, fail_on: Iterable[str]) -> ExitCode:
    """The exit code to which this job alone leads."""
    failing = set(fail_on)
    codes = [JOB_KINDS[job.kind].exit_code]
    codes += [FAILABLE[note.kind] for note in failing_notes(job, failing)]
    codes += [FAILABLE["new"]] if job.kind == "new" and "new" in failing else []
    return worst(codes)


def is_remarkable(job: JobVerdict) -> bool:
    """Whether it is worth a row of its own."""
    return job.kind not in UNREMARKABLE or bool(job.notes)


def jobs_with_rows(found: Comparison) -> list[JobVerdict]:
    """Those worth a row, worst first; where there are few, every one that has times."""
    is_few = len(found.jobs) <= _FEW
    return [
        job
        for job in jobs_worst_first(found)
        if is_remarkable(job) or (is_few and job.change is not None)
    ]


def jobs_worst_first(found: Comparison) -> list[JobVerdict]:
    """By the order of `JOB_KINDS`, then by size; what fails by a note stands with its equals."""
    return sorted(found.jobs, key=lambda job: (_rank(job, found.fail_on), -_size(job)))


def _rank(job: JobVerdict, fail_on: Iterable[str]) -> int:
    rank, code = _RANKS[job.kind], job_exit_code(job, fail_on)
    if code == JOB_KINDS[job.kind].exit_code:
        return rank
    equals = (rank for kind, rank in _RANKS.items() if JOB_KINDS[kind].exit_code == code)
    return min(rank, *equals)


def _size(job: JobVerdict) -> float:
    if job.change is None:
        return float("-inf")
    return -job.change.ratio if job.kind in _FASTER else job.change.ratio


def findings_worst_first(found: Comparison) -> list[Finding]:
    """By the order of `FINDING_KINDS`."""
    ranks = {kind: rank for rank, kind in enumerate(FINDING_KINDS)}
    return sorted(found.findings, key=lambda finding: ranks[finding.kind])


def counts(jobs: Iterable[JobVerdict]) -> dict[str, int]:
    """How many jobs of each kind there are, worst first."""
    found = Counter(job.kind for job in jobs)
    return {kind: found[kind] for kind in JOB_KINDS if found[kind]}
