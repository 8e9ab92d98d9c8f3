"""What `gconvbench.explain` returns: one layer as text, as HTML and as data."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gconvbench.cases import parse_case
from gconvbench.report.explanation.further import mixing_lines, use_lines
from gconvbench.report.explanation.picture_html import picture_svg
from gconvbench.report.explanation.seen import Seen, is_wrong
from gconvbench.report.explanation.sentences import headline, proof_lines
from gconvbench.report.explanation.text import layer_lines, origin_line, wrapped
from gconvbench.report.explanation.words import layer_text

if TYPE_CHECKING:
    from gconvbench.cases import Case
    from gconvbench.records import Explanation, LayerTimes

__all__ = ["LayerExplained"]

_CELL = "border:0;padding:.25em .7em;vertical-align:top;text-align:left"


class LayerExplained:
    """What groups mean in one layer. Prints as text, and draws itself in notebooks.

    Args:
        explanation: what was seen.
        hint: stands in the place of times that were not asked for.
    """

    def __init__(self, explanation: Explanation, hint: str = "") -> None:
        self._explanation = explanation
        self._hint = hint

    @property
    def explanation(self) -> Explanation:
        """Everything that was seen, as `gconvbench explain --json` prints it."""
        return self._explanation

    @property
    def case(self) -> Case:
        """The convolution that was explained."""
        return parse_case(self._explanation.case)

    @property
    def sees(self) -> list[list[int]]:
        """Per output channel the input channels that reach it; empty where none were seen."""
        return Seen(self.case, self._explanation.connections.numbers).rows

    @property
    def answer(self) -> str:
        """The answer in a sentence."""
        return headline(self._explanation)

    @property
    def is_wrong(self) -> bool:
        """Whether PyTorch's own convolution was seen to be wrong."""
        return is_wrong(self._explanation)

    @property
    def times(self) -> LayerTimes | None:
        """With groups and without; None where they were not asked for."""
        return self._explanation.times

    def __repr__(self) -> str:
        lines = layer_lines(self._explanation, self._hint)
        return "\n".join([*lines, *wrapped(origin_line(self._explanation))])

    def _repr_html_(self) -> str:
        found = self._explanation
        rows = "".join(
            f'<tr><th scope="row" style="{_CELL};font-weight:normal;opacity:.75;'
            f'white-space:nowrap">{escape(line.label)}</th>'
            f'<td style="{_CELL};max-width:46em">{escape(line.text)}</td></tr>'
            for line in (*proof_lines(found), *mixing_lines(found), *use_lines(found, self._hint))
        )
        return (
            '<div style="overflow-x:auto;max-width:100%">'
            '<table style="border-collapse:collapse;margin:0;background:none;color:inherit">'
            '<caption style="caption-side:top;text-align:left;color:inherit;padding:.3em .7em">'
            f"{escape(layer_text(self.case))}<br><strong>{escape(self.answer)}</strong></caption>"
            f"<tbody>{rows}</tbody></table></div>{self._drawn()}"
            f'<div style="opacity:.75">{escape(origin_line(found))}</div>'
        )

    def _drawn(self) -> str:
        if not self.sees or self.case.groups == 1:
            return ""
        case = self.case
        below = f"{case.out_channels} outputs (down) and the {case.in_channels} inputs they see"
        image = picture_svg(case, self.sees, f"{below}: {self.answer}")
        return (
            f'<figure style="margin:.5em .7em">{image}'
            f'<figcaption style="opacity:.75">{escape(below)} (across): dark where it sees, '
            "half where it sees some, pale where it does not</figcaption></figure>"
        )
