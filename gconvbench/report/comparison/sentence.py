"""The first sentence of a comparison: the worst case, how many, the verdict, the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.errors import ExitCode
from gconvbench.records import FAILABLE, FINDING_KINDS, JOB_KINDS
from gconvbench.report import format as fmt
from gconvbench.report.comparison.ranking import (
    UNREMARKABLE,
    counts,
    failing_notes,
    findings_worst_first,
    job_exit_code,
    jobs_worst_first,
)
from gconvbench.report.comparison.words import (
    change_sentence,
    clean,
    counted,
    job_name,
    said_of,
    shortened,
    word,
)

if TYPE_CHECKING:
    from gconvbench.records import Comparison, JobVerdict

__all__ = ["first_sentence"]

_LONGEST_PART = 300


def first_sentence(found: Comparison, exit_code: int | None = None) -> str:
    """One line for whoever reads only one.

    Args:
        found: what to say.
        exit_code: another program's, in the place of ours.
    """
    code = found.exit_code
    parts = _reasons(found, code) if code else _all_is_well(found)
    sentence = "; ".join(shortened(part, _LONGEST_PART) for part in parts)
    said = int(code) if exit_code is None else exit_code
    return f"{sentence[:1].upper()}{sentence[1:]}; exit code {said}"


def _reasons(found: Comparison, code: ExitCode) -> list[str]:
    """What leads to this exit code, and in a few words what would lead to another."""
    reasons = [
        f"{FINDING_KINDS[finding.kind].meaning} ({word(finding.kind)}): {clean(finding.detail)}"
        for finding in findings_worst_first(found)
        if FINDING_KINDS[finding.kind].exit_code == code
    ][:1]
    guilty = [job for job in jobs_worst_first(found) if code in _codes(job, found)]
    if guilty:
        reasons.append(_about_jobs(guilty, found, code))
    if not reasons:
        reasons.append(f"nothing could be compared of {counted(len(found.jobs), 'job')}")
    told = set(map(id, guilty))
    others = counts(job for job in found.jobs if id(job) not in told and _codes(job, found))
    also = [f"{count} {word(kind)}" for kind, count in others.items()]
    also += [
        word(finding.kind)
        for finding in findings_worst_first(found)
        if FINDING_KINDS[finding.kind].exit_code not in {ExitCode.FINE, code}
    ]
    return reasons + ([f"also {', '.join(also)}"] if also else [])


def _codes(job: JobVerdict, found: Comparison) -> set[ExitCode]:
    """All exit codes but 0 to which a job leads."""
    codes = {JOB_KINDS[job.kind].exit_code, job_exit_code(job, found.fail_on)}
    codes |= {FAILABLE[note.kind] for note in failing_notes(job, found.fail_on)}
    return codes - {ExitCode.FINE}


def _about_jobs(guilty: list[JobVerdict], found: Comparison, code: ExitCode) -> str:
    """`2 of 24 jobs are slower: native g32...: +10.4 %`; the worst kind first, the others after."""
    by_reason: dict[str, list[JobVerdict]] = {}
    for job in guilty:
        by_reason.setdefault(_reason(job, found, code), []).append(job)
    (kind, jobs), *others = by_reason.items()
    more = "".join(f", {len(jobs)} {said_of(kind, len(jobs))}" for kind, jobs in others)
    of_all = f"{len(jobs):,} of {counted(len(found.jobs), 'job')}"
    return f"{of_all} {said_of(kind, len(jobs))}{more}: {_told(jobs[0], kind)}"


def _reason(job: JobVerdict, found: Comparison, code: ExitCode) -> str:
    """The kind of the job or of the note that leads to this code."""
    if JOB_KINDS[job.kind].exit_code == code:
        return job.kind
    notes = [n.kind for n in failing_notes(job, found.fail_on) if FAILABLE[n.kind] == code]
    return notes[0] if notes else job.kind


def _told(job: JobVerdict, kind: str) -> str:
    notes = [note.detail for note in job.notes if note.kind == kind]
    detail = notes[0] if notes else job.detail
    if job.change is not None and kind == job.kind:
        return f"{job_name(job)}: {change_sentence(job.change)}"
    return f"{job_name(job)}: {clean(detail)}" if detail else job_name(job)


def _all_is_well(found: Comparison) -> list[str]:
    kinds = counts(found.jobs)
    compared = sum(job.change is not None for job in found.jobs)
    others = [f"{n} {word(kind)}" for kind, n in kinds.items() if kind not in UNREMARKABLE]
    others += [f"{kinds['unsupported']} unsupported"] if "unsupported" in kinds else []
    told = "the job is not slower" if compared == 1 else f"none of {compared:,} jobs is slower"
    if kinds.get("accepted"):
        told += " beyond what was accepted"
    told += f" ({', '.join(others)})" if others else ""
    told += f", {_noted(found)}" if _noted(found) else ""
    sides = f"{clean(found.contender.what)} against {clean(found.baseline.what)}"
    return [f"{told}: {sides}", _power(found)]


def _noted(found: Comparison) -> str:
    """What a reader of a passing comparison should know of it."""
    kinds = dict.fromkeys(finding.kind for finding in findings_worst_first(found))
    return ", ".join(word(kind) for kind in kinds)


def _power(found: Comparison) -> str:
    if found.detectable is None:
        return "how small a slowdown would have been found cannot be told"
    return (
        f"a slowdown of {fmt.share(found.detectable)} in one job would have been found "
        "with 95 % power"
    )
