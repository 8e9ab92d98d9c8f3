"""What was skipped, failed or was labelled, with reasons; environments and methods of runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from gconvbench.labels import MEANINGS
from gconvbench.records import MEASURED_OUTCOMES
from gconvbench.report.comparison.words import word
from gconvbench.report.floor import floors
from gconvbench.report.format import half_width_text
from gconvbench.report.instrument import instrument_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.report.gather import Machine
    from gconvbench.store import Run

__all__ = ["Note", "facts_of", "notes_of"]

_MOST = 60
"""Reasons of one kind; each case's section has its own."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something to know of several jobs.

    Attributes:
        kind: an outcome in words, or `labelled`.
        reason: what was wrong, or the label and its meaning.
        count: of how many jobs.
        case: one of them, by id.
        names: the implementations.
    """

    kind: str
    reason: str
    count: int
    case: str
    names: tuple[str, ...]


def notes_of(machine: Machine) -> tuple[list[Note], dict[str, int]]:
    """Notes by kind, the most serious kind first; and how many reasons of a kind are left out."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for entry in machine.entries:
        case = entry.summary.planned.case
        for row in entry.summary.rows:
            if row.outcome not in MEASURED_OUTCOMES:
                key = (row.outcome, row.detail)
                found.setdefault(key, []).append((row.implementation, case))
            for mode, reason in row.left_out.items():
                key = ("not timed", f"{mode}: {reason}")
                found.setdefault(key, []).append((row.implementation, case))
            for label in row.labels:
                meaning = MEANINGS.get(label)
                key = ("labelled", f"{label}: {meaning}" if meaning else label)
                found.setdefault(key, []).append((row.implementation, case))
    ranks = {"wrong": 0, "labelled": 2, "not timed": 3, "unsupported": 4}
    ordered = sorted(found.items(), key=lambda item: (ranks.get(item[0][0], 1), -len(item[1])))
    kinds = Counter[str]()
    notes: list[Note] = []
    for (kind, reason), jobs in ordered:
        kinds[kind] += 1
        if kinds[kind] <= _MOST:
            notes.append(_note(kind, reason, jobs))
    return notes, {word(kind): count - _MOST for kind, count in kinds.items() if count > _MOST}


def _note(kind: str, reason: str, jobs: list[tuple[str, str]]) -> Note:
    return Note(
        kind=word(kind),
        reason=reason,
        count=len(jobs),
        case=jobs[0][1],
        names=tuple(dict.fromkeys(name for name, _ in jobs)),
    )


def facts_of(run: Run) -> dict[str, dict[str, str]]:
    """Environment and method of a run, by heading, each field with its value."""
    environment, header = run.header.environment, run.header
    found = {
        "method": _texts(msgspec.to_builtins(header.method)),
        "identity: where these differ, times may not be compared": _texts(environment.identity),
        "under test": _texts(environment.under_test),
        "worth a warning": _texts(environment.soft),
        "not known": dict(environment.unknown),
    }
    plan = header.plan
    found["method"] |= {
        "rounds": str(plan.rounds),
        "sweeps": ", ".join(plan.sweeps) or "none",
        "device": header.device,
    }
    found["instrument"] = instrument_facts(header)
    found["noise floor (A/A)"] = {
        one.name: f"{half_width_text(one.upper)} of {one.pairs} pairs" for one in floors(run)
    }
    return {heading: facts for heading, facts in found.items() if facts}


def _texts(facts: Mapping[str, object]) -> dict[str, str]:
    return {name: _text(value) for name, value in facts.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
