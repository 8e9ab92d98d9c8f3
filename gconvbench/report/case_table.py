"""One case of a run: its implementations by time, what each cost, and which to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from gconvbench.report import format as fmt
from gconvbench.report.cells import (
    first_launch_text,
    least_text,
    memory_text,
    of_floor_text,
    speedup_text,
    time_texts,
)
from gconvbench.report.console import aligned, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from gconvbench.report.summary import CaseSummary, Row


__all__ = ["COLUMNS", "left_out_lines", "print_case", "print_unsupported", "unsupported_lines"]

COLUMNS = (
    "95 %: interval over rounds; first: preparing and first launch; memory: peak of a launch "
    "beyond its operands; limit: the error's share of what it may be"
)
"""What the columns mean."""


def print_case(
    summary: CaseSummary, modes: Sequence[str], marks: dict[str, str], console: Console
) -> None:
    """Its rows, what went wrong, and the advice; `marks` are letters for labels."""
    console.print()
    name = f"[bold]{escape(summary.planned.name)}[/bold]  " if summary.planned.name else ""
    console.print(f"{name}{fmt.case_text(summary.case)}", soft_wrap=True)
    console.print(f"[dim]{summary.planned.case}[/dim]", soft_wrap=True)
    if summary.least:
        console.print(f"[dim]{least_text(summary.least)}[/dim]")
    shown = [row for row in summary.rows if row.outcome != "unsupported"]
    if any(row.times for row in shown):
        for block in _times_blocks(shown, modes, marks, console.width):
            print_lines(block, console)
    elif shown:
        print_lines(_accuracy_lines(shown), console)
    _print_reasons(summary.rows, console)
    console.print(f"  [bold]{escape(summary.advice)}[/bold]")


def _print_reasons(rows: Sequence[Row], console: Console) -> None:
    """Why some have no time, or not in every cache mode."""
    for row in rows:
        if row.outcome not in {"measured", "checked", "unsupported"}:
            console.print(f"  {row.implementation} {row.outcome}: {escape(row.detail)}")
    for line in left_out_lines(rows):
        console.print(f"[dim]  {escape(line)}[/dim]")
    if unsupported := [row for row in rows if row.outcome == "unsupported"]:
        print_unsupported([(row.implementation, row.detail) for row in unsupported], console)


def print_unsupported(reasons: Iterable[tuple[str, str]], console: Console) -> None:
    """Pairs of implementation and reason, those with the same reason in one line."""
    for line in unsupported_lines(reasons):
        console.print(f"[dim]  {escape(line)}[/dim]")


def unsupported_lines(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """One line per reason, with the names of all that have it."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons:
        by_reason.setdefault(reason, []).append(name)
    return [f"unsupported: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def left_out_lines(rows: Iterable[Row]) -> list[str]:
    """One line per cache mode and reason, with the names of all that were not timed in it."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for one in row.left_out.items():
            by_reason.setdefault(one, []).append(row.implementation)
    return [f"no {mode}: {', '.join(names)}: {why}" for (mode, why), names in by_reason.items()]


def _times_blocks(
    rows: Sequence[Row], modes: Sequence[str], marks: dict[str, str], width: int
) -> list[list[str]]:
    """Everything beside each other where it fits, else times first and the rest below them."""
    names = ["implementation", *(row.implementation for row in rows)]
    labels = ["", *("".join(marks.get(label, "") for label in row.labels) for row in rows)]
    times = [_time_columns(rows, mode, single=len(modes) == 1) for mode in modes]
    speedup = ["speedup", *(speedup_text(row) for row in rows)]
    costs = [
        ["first", *(first_launch_text(row) for row in rows)],
        ["memory", *(memory_text(row) for row in rows)],
        ["limit", *(_accuracy_cells(row)[1] for row in rows)],
        *_floor_columns(rows, modes),
    ]
    whole = _columns(names, *(one for pair in times for one in pair), speedup, *costs, labels)
    if _fits(whole, width):
        return [whole]
    below = [[cost] for cost in costs]
    return [*_packed(names, [*times, [speedup, labels]], width), *_packed(names, below, width)]


def _packed(
    names: Sequence[str], groups: Iterable[list[list[str]]], width: int
) -> Iterator[list[str]]:
    """As many groups of columns in each block as fit, with the names in all of them."""
    block: list[list[str]] = []
    for group in groups:
        if block and not _fits(_columns(names, *block, *group), width):
            yield _columns(names, *block)
            block = []
        block = [*block, *group]
    yield _columns(names, *block)


def _fits(lines: Sequence[str], width: int) -> bool:
    return max(map(len, lines)) + 2 <= width


def _floor_columns(rows: Sequence[Row], modes: Sequence[str]) -> list[list[str]]:
    """One per cache mode; none where no ceilings are known."""
    if not any(row.of_floor for row in rows):
        return []
    return [
        ["of floor" if len(modes) == 1 else f"of floor {mode}"]
        + [of_floor_text(row, mode) for row in rows]
        for mode in modes
    ]


def _columns(names: Sequence[str], *columns: Sequence[str]) -> list[str]:
    cells = list(zip(names, *columns, strict=True))
    return aligned(cells, right=range(1, len(columns) + (columns[-1][0] != "")))


def _time_columns(rows: Sequence[Row], mode: str, *, single: bool) -> list[list[str]]:
    heads = ("time", "95 %") if single else (mode, f"95 % {mode}")
    cells = [
        time_texts(row.times[mode], row.floor)
        if mode in row.times
        else ("-" if row.times else row.outcome, "")
        for row in rows
    ]
    return [[head, *column] for head, column in zip(heads, zip(*cells, strict=True), strict=True)]


def _accuracy_lines(rows: Sequence[Row]) -> list[str]:
    cells = [["implementation", "outcome", "error", "of limit"]]
    cells += [[row.implementation, row.outcome, *_accuracy_cells(row)] for row in rows]
    return aligned(cells, right=(2, 3))


def _accuracy_cells(row: Row) -> tuple[str, str]:
    if row.error is None or row.of_limit is None:
        return "", ""
    return fmt.error_text(row.error), fmt.of_limit_text(row.of_limit)
