"""A comparison as GitHub-flavoured markdown, for a comment or a step's summary.

Ids, names and reasons come from files and foreign programs: no character of theirs may end a cell,
open a tag, or call somebody's name. Every part has a limit of its own after escaping, so that the
whole keeps GitHub's whatever it is about.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gconvbench.report.comparison.facts import (
    HEADS,
    change_cells,
    finding_lines,
    remark_lines,
    rest_line,
    side_lines,
    suite_lines,
    undecided_lines,
)
from gconvbench.report.comparison.grouping import group_line, groups_of
from gconvbench.report.comparison.ranking import MOST_ROWS, jobs_with_rows, jobs_worst_first
from gconvbench.report.comparison.reproduce import commands
from gconvbench.report.comparison.sentence import first_sentence
from gconvbench.report.comparison.words import clean, job_name, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gconvbench.records import Comparison, JobVerdict

__all__ = ["MOST_CHARACTERS", "to_markdown"]

MOST_CHARACTERS = 65_000
"""GitHub refuses a comment of more than 65,536."""
_FOLD = 800
"""Kept for what folds the rest and counts what is left out."""
_LONGEST_LINE = 600
_LONGEST_CELL = 400
_MOST_GROUPS = 10
_MOST_REMARKS = 3
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "@&#8203;",  # nobody is called by a reason
} | {mark: f"&#{ord(mark)};" for mark in "|`*_~[]\\#$"}
_CODE = re.compile(r"[\w:.,=+/ ()-]+", re.ASCII)
"""Text that means itself between backticks, in a table, too."""
_ALIGNMENT = "|---|---|--:|--:|--:|--:|--:|"


def to_markdown(found: Comparison) -> str:
    """Sentence, facts, the worst jobs; the other remarkable jobs folded; the rest counted."""
    head = [f"**{_escaped(first_sentence(found), 2 * _LONGEST_LINE)}**", _list(side_lines(found))]
    head += [_titled("Found", finding_lines(found)), _titled("In common", _group_lines(found))]
    tail = [
        _titled("All in all", suite_lines(found)),
        _titled("Not decided", undecided_lines(found)),
        _commands(found),
    ]
    taken = sum(len(part) + 2 for part in (*head, *tail))
    blocks = [*head, *_rows(found, MOST_CHARACTERS - _FOLD - taken), *tail]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _group_lines(found: Comparison) -> list[str]:
    return [group_line(group) for group in groups_of(found)[:_MOST_GROUPS]]


def _rows(found: Comparison, room: int) -> list[str]:
    """The first rows in the open and the others folded, as many as there is room for."""
    ranked = jobs_worst_first(found)
    rows: list[str] = []
    shown: set[int] = set()
    for job in jobs_with_rows(found):
        row = _row(job)
        room -= len(row) + 1
        if room < 0:
            break
        rows.append(row)
        shown.add(id(job))
    rest = rest_line(job for job in ranked if id(job) not in shown)
    folded = rows[MOST_ROWS:]
    return [
        _table(rows[:MOST_ROWS]),
        f"<details><summary>{len(folded):,} more</summary>\n\n{_table(folded)}\n\n</details>"
        if folded
        else "",
        rest if rows else rest.removeprefix("and "),
    ]


def _table(rows: Sequence[str]) -> str:
    if not rows:
        return ""
    kind, *numbers = HEADS
    return "\n".join([_cells([kind, "job", *numbers]), _ALIGNMENT, *rows])


def _row(job: JobVerdict) -> str:
    remarks = [_escaped(line, _LONGEST_CELL) for line in remark_lines(job)[:_MOST_REMARKS]]
    name = "<br>".join([_code(job_name(job)), *remarks])
    return _cells([word(job.kind), name, *change_cells(job.change)])


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _titled(title: str, lines: Sequence[str]) -> str:
    return f"{title}:\n\n{_list(lines)}" if lines else ""


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_escaped(line, _LONGEST_LINE)}" for line in lines)


def _commands(found: Comparison) -> str:
    text = "\n".join(f"# {one.purpose}\n{one.line}" for one in commands(found))
    fence = "`" * (1 + max(2, *map(len, re.findall("`+", text) or [""])))
    return f"{fence}sh\n{text}\n{fence}"


def _code(text: str) -> str:
    if len(text) <= _LONGEST_CELL and _CODE.fullmatch(text):
        return f"`{text}`"
    return _escaped(text, _LONGEST_CELL)


def _escaped(text: str, most: int) -> str:
    """Text that means itself in markdown and HTML, of at most so many characters."""
    parts: list[str] = []
    left = most - 1
    for character in clean(text):
        part = _ENTITIES.get(character, character)
        left -= len(part)
        if left < 0:
            return "".join(parts) + "…"
        parts.append(part)
    return "".join(parts)
