"""A comparison as GitHub's workflow commands, which become annotations of a run.

Source: GitHub Docs, *Workflow commands for GitHub Actions*; escaping as in `actions/toolkit`,
packages/core/src/command.ts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.errors import ExitCode
from gconvbench.records import FINDING_KINDS
from gconvbench.report.comparison.facts import remark_lines
from gconvbench.report.comparison.ranking import (
    counts,
    findings_worst_first,
    job_exit_code,
    jobs_worst_first,
)
from gconvbench.report.comparison.sentence import first_sentence
from gconvbench.report.comparison.words import (
    change_sentence,
    clean,
    finding_line,
    job_name,
    shortened,
    word,
)

if TYPE_CHECKING:
    from gconvbench.records import Comparison, JobVerdict

__all__ = ["MOST_ANNOTATIONS", "workflow_commands"]

MOST_ANNOTATIONS = 10
"""GitHub shows so many of a step; the last one is the notice with the counts."""
_LONGEST = 1_000
_SAID_BY_COUNTS = {"suite_faster", "suite_accepted"}


def workflow_commands(found: Comparison) -> list[str]:
    """Errors, then warnings, worst first; at last one notice with the counts."""
    errors = [
        _command("error", word(finding.kind), finding_line(finding))
        for finding in findings_worst_first(found)
        if FINDING_KINDS[finding.kind].exit_code != ExitCode.FINE
    ]
    ranked = jobs_worst_first(found)
    failing = [job for job in ranked if job_exit_code(job, found.fail_on)]
    errors += [_of_job("error", job) for job in failing[:MOST_ANNOTATIONS]]
    if found.exit_code and not errors:
        errors = [_command("error", "nothing compared", first_sentence(found))]
    warnings = [
        _command("warning", word(finding.kind), finding_line(finding))
        for finding in findings_worst_first(found)
        if FINDING_KINDS[finding.kind].exit_code == ExitCode.FINE
        and finding.kind not in _SAID_BY_COUNTS
    ]
    others = (job for job in ranked if job.notes and not job_exit_code(job, found.fail_on))
    warnings += [_of_job("warning", job) for job in others]
    kinds = ", ".join(f"{count:,} {word(kind)}" for kind, count in counts(found.jobs).items())
    notice = f"{kinds or 'no job'}. {first_sentence(found)}"
    return [
        *[*errors, *warnings][: MOST_ANNOTATIONS - 1],
        _command("notice", f"gconvbench {found.command}", notice),
    ]


def _of_job(level: str, job: JobVerdict) -> str:
    parts = [job_name(job)]
    parts += [change_sentence(job.change)] if job.change else []
    return _command(level, word(job.kind), "; ".join([*parts, *remark_lines(job)]))


def _command(level: str, title: str, message: str) -> str:
    text = shortened(clean(message), _LONGEST)
    return f"::{level} title={_property(title)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
