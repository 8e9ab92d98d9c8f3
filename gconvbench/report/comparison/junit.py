"""A comparison as JUnit XML: one test case per job, one per finding, one for the whole.

The form is the one that Jenkins, GitLab and GitHub's test reporters read
(https://github.com/testmoapp/junitxml). Nothing that makes the exit code other than 0 appears as
passed or skipped; an uncertain job is a failure, too. Written with the standard library: a library
for it would add a dependency and leave characters that XML forbids to the caller all the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from gconvbench.errors import ExitCode
from gconvbench.records import FINDING_KINDS, JOB_KINDS
from gconvbench.report.comparison.ranking import failing_notes, findings_worst_first, job_exit_code
from gconvbench.report.comparison.sentence import first_sentence
from gconvbench.report.comparison.words import (
    change_sentence,
    clean,
    finding_line,
    said_of,
    shortened,
    word,
)

if TYPE_CHECKING:
    from gconvbench.records import Comparison, Finding, JobVerdict

__all__ = ["to_junit"]

_ERRORS = {"crashed", "timed_out", "out_of_memory", "failed", "no_baseline"}
"""Kinds in which nothing was found out; the other failing kinds are failures."""
_SKIPPED = {"unsupported", "new"}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that are not `Char` (W3C, *XML 1.0*, fifth edition, production 2)."""
_LONGEST = 2_000


def to_junit(found: Comparison) -> str:
    """The document; failures and errors exist exactly where the exit code is not 0."""
    cases = [_of_job(job, found) for job in found.jobs]
    cases += [_of_finding(finding) for finding in findings_worst_first(found)]
    cases.append(_of_whole(found, is_explained=any(map(_has_failed, cases))))
    counts = {
        "tests": str(len(cases)),
        "failures": str(_count(cases, "failure")),
        "errors": str(_count(cases, "error")),
        "skipped": str(_count(cases, "skipped")),
        "time": f"{found.spent_s:.3f}",
    }
    root = ET.Element("testsuites", {"name": "gconvbench"} | counts)
    suite = {"name": f"gconvbench {found.command}", "timestamp": _allowed(found.created)}
    ET.SubElement(root, "testsuite", suite | counts).extend(cases)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _count(cases: list[ET.Element], tag: str) -> int:
    return sum(case.find(tag) is not None for case in cases)


def _has_failed(case: ET.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def _of_job(job: JobVerdict, found: Comparison) -> ET.Element:
    time_s = job.change.contender_s if job.change else 0.0
    case = _case(job.implementation, f"{job.case} {job.cache_mode}", time_s)
    told = change_sentence(job.change) if job.change else JOB_KINDS[job.kind].meaning
    message = ": ".join(part for part in (said_of(job.kind, 1), told, clean(job.detail)) if part)
    if JOB_KINDS[job.kind].exit_code:
        _child(case, "error" if job.kind in _ERRORS else "failure", job.kind, message)
    elif notes := failing_notes(job, found.fail_on):
        _child(case, "failure", notes[0].kind, "; ".join(map(finding_line, notes)))
    elif job_exit_code(job, found.fail_on):
        _child(case, "failure", job.kind, message)
    elif job.kind in _SKIPPED:
        _child(case, "skipped", "", message)
    _out(case, [message, *map(finding_line, job.notes)])
    return case


def _of_finding(finding: Finding) -> ET.Element:
    kind = FINDING_KINDS[finding.kind]
    case = _case("gconvbench.comparison", word(finding.kind))
    message = f"{finding_line(finding)} ({kind.meaning})"
    if kind.exit_code:
        _child(case, "failure", finding.kind, message)
    _out(case, [message])
    return case


def _of_whole(found: Comparison, *, is_explained: bool) -> ET.Element:
    """Fails where no other test case says why the exit code is not 0."""
    case = _case("gconvbench.comparison", "comparison")
    sentence = first_sentence(found)
    if found.exit_code != ExitCode.FINE and not is_explained:
        _child(case, "failure", "empty", sentence)
    _out(case, [sentence])
    return case


def _case(classname: str, name: str, time_s: float = 0.0) -> ET.Element:
    attributes = {
        "classname": _allowed(classname),
        "name": _allowed(name),
        "time": f"{time_s:.9f}",
    }
    return ET.Element("testcase", attributes)


def _child(case: ET.Element, tag: str, kind: str, message: str) -> None:
    text = _allowed(message)
    attributes = {"type": kind} if kind else {}
    child = ET.SubElement(case, tag, {"message": text} | attributes)
    child.text = text if tag != "skipped" else None


def _out(case: ET.Element, lines: list[str]) -> None:
    ET.SubElement(case, "system-out").text = "\n".join(map(_allowed, lines))


def _allowed(text: str) -> str:
    return shortened(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", clean(text)), _LONGEST)
