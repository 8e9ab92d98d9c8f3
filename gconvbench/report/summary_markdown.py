"""Stored runs as GitHub-flavoured markdown, for a pull request: the answer, then the cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.report import format as fmt
from gconvbench.report.ceilings import OF_FLOOR
from gconvbench.report.cells import of_floor_text, speedup_text, time_texts
from gconvbench.report.comparison.words import counted
from gconvbench.report.headline import headline, machine_title, network_answers
from gconvbench.report.markdown import MOST_CHARACTERS, cells, code, escaped, listed
from gconvbench.report.notes import notes_of
from gconvbench.report.ranking import best_row, how_sure
from gconvbench.report.summary import NATIVE
from gconvbench.report.table import answer_title, run_line, state_lines, time_ratio_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.report.gather import Entry, Gathered, Machine
    from gconvbench.report.summary import Row

__all__ = ["to_markdown"]

_OPEN = 20
"""Cases in the open; the others are folded."""
_MOST_NOTES = 10
_MOST_RUNS = 10
_MOST_MACHINES = 5
_FOLD = 400
"""Characters for what folds the rest and counts what is left out."""
_HEADS = ("case", "g", "C/g", "best", "speedup", "95 %", "time", "native")
_ALIGNMENT = "|---|--:|--:|---|--:|--:|--:|--:|"
_SURE = {"clear": "", "close": " ≈", "one round": " ?"}


def to_markdown(gathered: Gathered) -> str:
    """Each machine's answer, its cases by speedup, what went wrong, and its runs."""
    shown = gathered.machines[:_MOST_MACHINES]
    blocks = [_machine(machine, (MOST_CHARACTERS - _FOLD) // len(shown)) for machine in shown]
    if left := len(gathered.machines) - len(shown):
        blocks.append(f"and {counted(left, 'machine')} more, with older runs")
    return "\n\n".join(blocks) + "\n"


def _machine(machine: Machine, room: int) -> str:
    head = [
        f"### {escaped(machine_title(machine), 200)} ({code(machine.slug)})",
        listed([*headline(machine), *_network_lines(machine)]),
    ]
    tail = [_notes(machine), _runs(machine)]
    taken = sum(len(part) + 2 for part in (*head, *tail))
    blocks = [*head, *_cases(machine, room - _FOLD - taken), *tail]
    return "\n\n".join(block for block in blocks if block)


def _network_lines(machine: Machine) -> list[str]:
    pairs = [(answer_title(one), time_ratio_text(one)) for one in network_answers(machine)]
    return [f"{title}: {ratio}" for title, ratio in pairs if ratio][:_MOST_RUNS]


def _cases(machine: Machine, room: int) -> list[str]:
    """The largest speedups first, as many as there is room for."""
    ranked = sorted(machine.timed, key=_speedup, reverse=True)
    has_floors = any(entry.summary.least for entry in ranked)
    rows: list[str] = []
    for entry in ranked:
        row = _case(entry, has_floors=has_floors)
        room -= len(row) + 1
        if room < 0:
            break
        rows.append(row)
    folded, left = rows[_OPEN:], len(ranked) - len(rows)
    return [
        _table(rows[:_OPEN], has_floors=has_floors),
        f"<details><summary>{counted(len(folded), 'case')} more</summary>\n\n"
        f"{_table(folded, has_floors=has_floors)}\n\n"
        "</details>"
        if folded
        else "",
        f"and {counted(left, 'case')} more" if left else "",
        "≈ others are not clearly slower; ? one round has no interval" if rows else "",
        OF_FLOOR if rows and has_floors else "",
    ]


def _speedup(entry: Entry) -> float:
    best = best_row(entry.summary)
    return (best and best.speedup) or 0.0


def _table(rows: Sequence[str], *, has_floors: bool) -> str:
    heads = (*_HEADS, "of floor") if has_floors else _HEADS
    alignment = _ALIGNMENT + ("--:|" if has_floors else "")
    return "\n".join([cells(heads), alignment, *rows]) if rows else ""


def _case(entry: Entry, *, has_floors: bool) -> str:
    summary, best = entry.summary, best_row(entry.summary)
    assert best is not None  # noqa: S101 (it was timed)
    case, native = summary.case, summary.row_of(NATIVE)
    name = escaped(f"{summary.planned.name}: ", 100) if summary.planned.name else ""
    return cells([
        f"{name}{escaped(fmt.case_text(case), 200)}",
        str(case.groups),
        str(case.group_in_channels),
        f"{code(best.implementation)}{_SURE[how_sure(summary)]}",
        speedup_text(best),
        "" if best == native else fmt.half_width_text(best.speedup_half_width),
        _time(best),
        _time(native) if native else "",
        *([of_floor_text(best, next(iter(best.times)))] if has_floors else []),
    ])  # fmt: skip


def _time(row: Row) -> str:
    return time_texts(next(iter(row.times.values())), row.floor)[0]


def _notes(machine: Machine) -> str:
    """What went wrong or was labelled; what an implementation cannot compute is only counted."""
    notes, _ = notes_of(machine)
    told = [note for note in notes if note.kind != "unsupported"]
    lines = [f"{counted(one.count, 'job')} {one.kind}: {one.reason}" for one in told[:_MOST_NOTES]]
    lines += [f"and {len(told) - _MOST_NOTES} reasons more"] if told[_MOST_NOTES:] else []
    if unsupported := sum(note.count for note in notes if note.kind == "unsupported"):
        lines.append(f"{counted(unsupported, 'job')} unsupported")
    return f"To know:\n\n{listed(lines)}" if lines else ""


def _runs(machine: Machine) -> str:
    runs = machine.runs[::-1]
    lines = [f"{run.header.run}: {run_line(run)}" for run in runs[:_MOST_RUNS]]
    lines += [f"and {len(runs) - _MOST_RUNS} runs more"] if runs[_MOST_RUNS:] else []
    states = [f"{run.header.run}: {line}" for run in runs for line in state_lines(run)]
    lines += states[:_MOST_RUNS]
    lines += [f"and {len(states) - _MOST_RUNS} such lines more"] if states[_MOST_RUNS:] else []
    return (
        f"<details><summary>{counted(len(runs), 'run')}</summary>\n\n{listed(lines)}\n\n</details>"
    )
