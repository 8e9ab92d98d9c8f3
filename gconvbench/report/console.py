"""Text on the terminal: the console, columns, lines. Readable at 80 columns and in a pipe."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from typing import TextIO

__all__ = ["aligned", "make_console", "print_lines"]


def make_console(file: TextIO, *, plain: bool = False) -> Console:
    """A console as wide as the terminal, 80 columns in a pipe; with `plain` never in colour."""
    width = shutil.get_terminal_size((80, 24)).columns if file.isatty() else 80
    return _Console(
        file=file,
        width=width,
        highlight=False,
        emoji=False,
        force_terminal=False if plain else None,
        force_jupyter=False,
    )


class _Console(Console):
    """A console that leaves a closed pipe to its caller, where rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def aligned(rows: Sequence[Sequence[str]], *, right: Container[int] = ()) -> list[str]:
    """Rows of cells as lines with two spaces between columns; columns in `right` end flush.

    (A `rich.table.Table` per case would take longer to lay out than everything else in `show`.)
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def print_lines(lines: Sequence[str], console: Console) -> None:
    """A table's lines, indented; the first one is its head."""
    header, *others = lines
    console.print(f"  [dim]{header}[/dim]", soft_wrap=True)
    console.print("\n".join(f"  {line}" for line in others), soft_wrap=True, markup=False)
