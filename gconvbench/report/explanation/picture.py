"""The matrix of what reaches what, in few enough cells to be looked at."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gconvbench.cases import Case

__all__ = ["ALL", "NONE", "SOME", "Picture", "picture_lines", "picture_of"]

NONE, SOME, ALL = 0, 1, 2
_MARKS = {NONE: "··", SOME: "▒▒", ALL: "██"}
"""Two characters are about as wide as a line is high."""
_MOST_ROWS, _MOST_COLUMNS = 16, 32
_LABEL = 12


class Picture(NamedTuple):
    """The matrix in cells.

    Attributes:
        cells: per row of cells the shade of each: `NONE`, `SOME` or `ALL` of its connections.
        outputs: the channels that rows begin with, and their number at last.
        inputs: likewise of columns.
    """

    cells: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]


def picture_of(
    case: Case,
    rows: Sequence[Sequence[int]],
    *,
    most_rows: int = _MOST_ROWS,
    most_columns: int = _MOST_COLUMNS,
) -> Picture:
    """Blocks of channels as cells, whose borders are groups' borders where that is possible.

    Args:
        case: the layer.
        rows: per output channel the inputs that it sees, in ascending order.
        most_rows: of cells.
        most_columns: of cells.
    """
    if case.groups > most_rows:
        most_columns = most_rows  # else their borders would be others, and the diagonal be torn
    outputs = _borders(case.out_channels, case.groups, most_rows)
    inputs = _borders(case.in_channels, case.groups, most_columns)
    cells = tuple(
        tuple(_shade(kinds, left, right) for left, right in _pairs(inputs))
        for top, bottom in _pairs(outputs)
        if (kinds := {id(row): row for row in rows[top:bottom]}.values())
    )
    return Picture(cells, outputs, inputs)


def picture_lines(picture: Picture) -> list[str]:
    """The picture for a terminal, at most 78 columns wide, with its legend."""
    left = _left_labels(picture)
    lines = [" " * _LABEL + _axis("inputs", picture.inputs, "column")]
    for i, row in enumerate(picture.cells):
        label = left[i] if i < len(left) else ""
        lines.append(f"{label:<{_LABEL}}" + "".join(_MARKS[cell] for cell in row))
    lines += [f"{label:<{_LABEL}}" for label in left[len(picture.cells) :]]
    shades = {cell for row in picture.cells for cell in row}
    names = ((ALL, "sees"), (SOME, "sees some"), (NONE, "does not see"))
    legend = [f"{_MARKS[shade]} {name}" for shade, name in names if shade in shades]
    return [*(line.rstrip() for line in lines), " " * _LABEL + "   ".join(legend)]


def _borders(channels: int, groups: int, most: int) -> tuple[int, ...]:
    """Where cells begin, and the end: multiples of groups, or whole groups in a cell."""
    if channels <= most:
        cells = channels
    elif groups <= most:
        cells = most // groups * groups
    else:
        cells = max(d for d in range(1, most + 1) if groups % d == 0)
        cells = cells if 2 * cells > most else most  # rather unclean than coarse
    return tuple(i * channels // cells for i in range(cells + 1))


def _pairs(borders: Sequence[int]) -> list[tuple[int, int]]:
    return list(itertools.pairwise(borders))


def _shade(rows: Iterable[Sequence[int]], left: int, right: int) -> int:
    """Of ascending rows between two columns."""
    counts = [bisect_left(row, right) - bisect_left(row, left) for row in rows]
    if not any(counts):
        return NONE
    return ALL if min(counts) == right - left else SOME


def _left_labels(picture: Picture) -> list[str]:
    last = picture.outputs[-1] - 1
    return ["outputs", f"0 to {last}", *_each(picture.outputs, "row")]


def _axis(name: str, borders: Sequence[int], line: str) -> str:
    return ", ".join([f"{name} 0 to {borders[-1] - 1}", *_each(borders, line)])


def _each(borders: Sequence[int], line: str) -> list[str]:
    sizes = sorted({end - begin for begin, end in _pairs(borders)})
    if sizes == [1]:
        return []
    return [f"{sizes[0]} a {line}" if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]} a {line}"]
