"""What is known of the instrument, in words: an examination, and what a run says of its own."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from gconvbench.report.comparison.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.records import Check, DoctorDocument, Examination, Header

__all__ = ["examination_lines", "instrument_facts", "unfit_line", "unfit_lines"]

_WIDTH = 80
_MARKS = {"fine": "✓", "advice": "!", "unfit": "✗", "skipped": "-"}
_VERDICTS = {
    "fit": "fit",
    "fit_with_advice": "fit, with advice",
    "unfit": "not fit",
}


def examination_lines(document: DoctorDocument) -> list[str]:
    """Each check with what was found, advice indented below it, and the verdict at the end."""
    checks = document.examination.checks
    width = max(len(_name(check)) for check in checks)
    name = str(document.environment.identity.get("device_name") or "unknown device")
    lines = [f"{document.device}: {name}", ""]
    for check in checks:
        lines += _check_lines(check, width)
    return [*lines, "", *_wrapped(_verdict(document.examination), "", "")]


def _check_lines(check: Check, width: int) -> Iterator[str]:
    indent = " " * (width + 4)
    head = f"{_MARKS[check.state]} {_name(check):<{width}}  "
    yield from _wrapped(check.found, head, indent)
    if check.advice:
        yield from _wrapped(check.advice, f"{indent}→ ", f"{indent}  ")


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )


def _verdict(examination: Examination) -> str:
    """`the instrument is not fit: contention, and advice on 2 of 12 checks`."""
    checks = examination.checks
    unfit = [_name(check) for check in examination.unfit]
    advice = sum(check.state == "advice" for check in checks)
    skipped = sum(check.state == "skipped" for check in checks)
    told = [f"the instrument is {'not fit: ' + ', '.join(unfit) if unfit else 'fit'}"]
    told += [f"advice on {advice} of {counted(len(checks), 'check')}"] if advice else []
    told += [f"{skipped} skipped"] if skipped else []
    return "; ".join(told)


def _name(check: Check) -> str:
    return check.name.replace("_", " ").replace("smt", "SMT")


def unfit_lines(header: Header) -> list[str]:
    """Why a run's instrument was not fit; empty where it was, or where nothing was timed."""
    if header.method.check_only:
        return []
    lines = []
    if header.examination is not None:
        lines += [
            f"the instrument was not fit when the run began: {_name(check)}: {check.found}"
            for check in header.examination.unfit
        ]
    if header.doctor is not None and header.doctor.verdict == "unfit":
        reasons = [
            f"{name.replace('_', ' ')}: {found}" for name, found in header.doctor.unfit.items()
        ]
        lines.append(
            f"gconvbench doctor had found it not fit ({header.doctor.created[:10]}): "
            f"{'; '.join(reasons)}"
        )
    return lines


def unfit_line(header: Header) -> str:
    """The same in a line, by the names of the checks; empty where there is nothing to say."""
    now = header.examination.unfit if header.examination else ()
    full = header.doctor.unfit if header.doctor else {}
    told = [_name(check) for check in now]
    told += [f"{name.replace('_', ' ')} by the newest doctor" for name in full]
    return f"the instrument is not fit: {', '.join(told)}" if told else ""


def instrument_facts(header: Header) -> dict[str, str]:
    """Verdicts, and whatever was not fine; of a run that was not examined, that."""
    facts: dict[str, str] = {}
    if header.examination is None:
        facts["when the run began"] = "not examined"
    else:
        facts["when the run began"] = _VERDICTS[header.examination.verdict]
        facts |= {
            _name(check): check.found
            for check in header.examination.checks
            if check.state in {"advice", "unfit"}
        }
    full = header.doctor
    facts["doctor"] = f"{_VERDICTS[full.verdict]}, {full.created}" if full else "never asked"
    if full:
        facts |= {f"doctor, {name.replace('_', ' ')}": found for name, found in full.unfit.items()}
    return facts
