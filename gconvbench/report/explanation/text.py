"""One layer explained, as text of 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from gconvbench.cases import parse_case
from gconvbench.report.explanation.further import mixing_lines, use_lines
from gconvbench.report.explanation.picture import picture_lines, picture_of
from gconvbench.report.explanation.seen import Seen
from gconvbench.report.explanation.sentences import headline, proof_lines
from gconvbench.report.explanation.words import Line, layer_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gconvbench.records import Explanation

__all__ = ["WIDTH", "layer_lines", "origin_line", "short_lines", "wrapped"]

WIDTH = 80
_LABEL = 12
_INDENT = "  "


def layer_lines(found: Explanation, hint: str = "") -> list[str]:
    """Everything about one layer: the answer, a dozen sentences, the picture.

    Args:
        found: what was seen.
        hint: stands in the place of times that were not asked for.
    """
    further = [*mixing_lines(found), *use_lines(found, hint)]
    return [*short_lines(found), *_labelled(further)]


def short_lines(found: Explanation) -> list[str]:
    """The answer, what it stands on, and the picture."""
    case = parse_case(found.case)
    rows = Seen(case, found.connections.numbers).rows
    picture = picture_lines(picture_of(case, rows)) if rows and case.groups > 1 else []
    drawn = ["", *(_INDENT + line for line in picture), ""] if picture else []
    return [
        *title_lines(found),
        *wrapped(headline(found)),
        "",
        *_labelled(proof_lines(found)),
        *drawn,
    ]


def title_lines(found: Explanation) -> list[str]:
    """Which layer."""
    name = f"{found.name}: " if found.name else ""
    return wrapped(name + layer_text(parse_case(found.case)))


def origin_line(found: Explanation) -> str:
    """Where it was seen."""
    return f"on {found.device} ({found.device_name}), torch {found.torch}"


def wrapped(text: str, indent: str = "", hanging: str = "") -> list[str]:
    """Lines of at most 80 columns, all but the first `hanging`; longer words stay whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _labelled(lines: Iterable[Line]) -> list[str]:
    found = []
    for line in lines:
        room = _INDENT + " " * _LABEL
        parts = wrapped(line.text, room) or [room]
        found += [f"{_INDENT}{line.label:<{_LABEL}}{parts[0][len(room) :]}", *parts[1:]]
    return found
