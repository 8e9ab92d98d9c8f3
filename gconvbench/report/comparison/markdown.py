"""A comparison as GitHub-flavoured markdown, for a comment or a step's summary.

Every part has a limit of its own after escaping, so that the whole keeps GitHub's whatever it is
about.
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
from gconvbench.report.comparison.words import job_name, word
from gconvbench.report.markdown import (
    LONGEST_CELL,
    LONGEST_LINE,
    MOST_CHARACTERS,
    cells,
    code,
    escaped,
    listed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.records import Comparison, JobVerdict

__all__ = ["to_markdown"]

_FOLD = 800
"""Kept for what folds the rest and counts what is left out."""
_MOST_GROUPS = 10
_MOST_REMARKS = 3
_ALIGNMENT = "|---|---|--:|--:|--:|--:|--:|"


def to_markdown(found: Comparison) -> str:
    """Sentence, facts, the worst jobs; the other remarkable jobs folded; the rest counted."""
    head = [f"**{escaped(first_sentence(found), 2 * LONGEST_LINE)}**", listed(side_lines(found))]
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
    return "\n".join([cells([kind, "job", *numbers]), _ALIGNMENT, *rows])


def _row(job: JobVerdict) -> str:
    remarks = [escaped(line, LONGEST_CELL) for line in remark_lines(job)[:_MOST_REMARKS]]
    name = "<br>".join([code(job_name(job)), *remarks])
    return cells([word(job.kind), name, *change_cells(job.change)])


def _titled(title: str, lines: Sequence[str]) -> str:
    return f"{title}:\n\n{listed(lines)}" if lines else ""


def _commands(found: Comparison) -> str:
    text = "\n".join(f"# {one.purpose}\n{one.line}" for one in commands(found))
    fence = "`" * (1 + max(2, *map(len, re.findall("`+", text) or [""])))
    return f"{fence}sh\n{text}\n{fence}"
