"""A comparison on the terminal, readable at 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from gconvbench.report.comparison.facts import (
    HEADS,
    cells,
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
from gconvbench.report.comparison.words import job_name
from gconvbench.report.console import aligned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from gconvbench.records import Comparison, JobVerdict

__all__ = ["print_comparison"]


def print_comparison(found: Comparison, console: Console, *, exit_code: int | None = None) -> None:
    """Sentence, sides, findings, groups, rows, suite, what is undecided, commands.

    Args:
        found: what to print.
        console: where.
        exit_code: with which another program leaves, which has commands of its own.
    """
    width = console.width
    for line in _wrapped([first_sentence(found, exit_code)], width, indent=0):
        console.print(line, style="bold", markup=False, soft_wrap=True)
    sections = _sections(found, width)
    if exit_code is None:
        sections += _commands(found, width)
    for head, lines in sections:
        console.print()
        if head:
            console.print(head, style="dim", markup=False, soft_wrap=True)
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)


def _sections(found: Comparison, width: int) -> list[tuple[str, list[str]]]:
    """Each with its head and its lines; empty ones are left out."""
    sections = [
        ("", _wrapped(side_lines(found), width, indent=0)),
        ("found", _wrapped(finding_lines(found), width)),
        ("in common", _wrapped(map(group_line, groups_of(found)), width)),
        *_rows(found, width),
        ("all in all", _wrapped(suite_lines(found), width)),
        ("not decided", _wrapped(undecided_lines(found), width)),
    ]
    return [(head, lines) for head, lines in sections if lines]


def _commands(found: Comparison, width: int) -> list[tuple[str, list[str]]]:
    return [(one.purpose, _command_lines(one.pieces, width)) for one in commands(found)]


def _rows(found: Comparison, width: int) -> list[tuple[str, list[str]]]:
    """The worst jobs, each under its numbers; what has no row is counted."""
    ranked = jobs_worst_first(found)
    shown = jobs_with_rows(found)[:MOST_ROWS]
    listed = set(map(id, shown))
    rest = rest_line(job for job in ranked if id(job) not in listed)
    if not shown:
        return [("", [rest.removeprefix("and ")])] if rest else []
    head, *numbers = aligned([HEADS, *map(cells, shown)], right=(1, 2, 3, 4, 5))
    lines = [
        line for job, text in zip(shown, numbers, strict=True) for line in _row(job, text, width)
    ]
    return [(f"  {head}", lines + ([f"  {rest}"] if rest else []))]


def _row(job: JobVerdict, numbers: str, width: int) -> list[str]:
    return [
        f"  {numbers}",
        *_wrapped([job_name(job)], width, indent=4),
        *_wrapped(remark_lines(job), width, indent=6),
    ]


def _wrapped(lines: Iterable[str], width: int, indent: int = 2) -> list[str]:
    """Broken at spaces only, so that ids can be copied; what goes on stands two further in."""
    wrapper = textwrap.TextWrapper(
        width=width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2 * (indent > 0)),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part for line in lines for part in wrapper.wrap(line)]


def _command_lines(pieces: Iterable[str], width: int) -> list[str]:
    """One command over several lines, as a shell reads it."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + len(piece) + 3 <= width:
            lines[-1] += f" {piece}"
        else:
            lines.append(f"      {piece}" if lines else f"  {piece}")
    return [*(f"{line} \\" for line in lines[:-1]), *lines[-1:]]
