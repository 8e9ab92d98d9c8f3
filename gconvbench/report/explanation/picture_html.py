"""The matrix of what reaches what as an inline image: no script, no style sheet, no colour."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gconvbench.report.explanation.picture import ALL, NONE, SOME, picture_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gconvbench.cases import Case
    from gconvbench.report.explanation.picture import Picture

__all__ = ["picture_svg"]

_CELLS = 64
_LONGEST_SIDE = 240.0
"""Of the image, in CSS pixels."""
_OPACITY = {NONE: 0.08, SOME: 0.4, ALL: 0.8}
"""Of the page's own text colour, so that it reads on light and on dark pages."""


def picture_svg(case: Case, rows: Sequence[Sequence[int]], title: str) -> str:
    """Outputs as rows, inputs as columns, each as high or wide as it has channels.

    Args:
        case: the layer.
        rows: per output channel the inputs that it sees.
        title: what the image says, for those who do not see it.
    """
    picture = picture_of(case, rows, most_rows=_CELLS, most_columns=_CELLS)
    scale = _LONGEST_SIDE / max(case.in_channels, case.out_channels)
    width, height = (max(8.0, scale * n) for n in (case.in_channels, case.out_channels))
    shapes = "".join(_runs(picture))
    return (
        f'<svg role="img" aria-label="{escape(title)}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {case.in_channels} {case.out_channels}" preserveAspectRatio="none" '
        'shape-rendering="crispEdges" fill="currentColor">'
        f"<title>{escape(title)}</title>{shapes}</svg>"
    )


def _runs(picture: Picture) -> Iterator[str]:
    """A rectangle for neighbours of the same shade within a row of cells."""
    for i, cells in enumerate(picture.cells):
        top, bottom = picture.outputs[i : i + 2]
        first = 0
        for j in range(1, len(cells) + 1):
            if j == len(cells) or cells[j] != cells[first]:
                left, right = picture.inputs[first], picture.inputs[j]
                yield (
                    f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" '
                    f'fill-opacity="{_OPACITY[cells[first]]}"/>'
                )
                first = j
