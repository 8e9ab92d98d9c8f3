"""Text that means itself in GitHub-flavoured markdown.

Ids, names and reasons come from files and foreign programs: no character of theirs may end a cell,
open a tag, or call somebody's name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gconvbench.report.comparison.words import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LONGEST_CELL",
    "LONGEST_LINE",
    "MOST_CHARACTERS",
    "cells",
    "code",
    "escaped",
    "listed",
]

MOST_CHARACTERS = 65_000
"""GitHub refuses a comment of more than 65,536."""
LONGEST_LINE = 600
LONGEST_CELL = 400
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "@&#8203;",  # nobody is called by a reason
} | {mark: f"&#{ord(mark)};" for mark in "|`*_~[]\\#$"}
_LINKING = re.compile(r":(?=//)|www(?=\.)", re.IGNORECASE)
"""What GitHub makes links of by itself."""
_CODE = re.compile(r"[\w:.,=+/ ()-]+", re.ASCII)
"""Text that means itself between backticks, in a table, too."""


def cells(texts: Iterable[str]) -> str:
    """A row of a table, of cells that are escaped already."""
    return f"| {' | '.join(texts)} |"


def listed(lines: Iterable[str]) -> str:
    """A list, its lines escaped."""
    return "\n".join(f"- {escaped(line, LONGEST_LINE)}" for line in lines)


def code(text: str) -> str:
    """Between backticks where it means itself there, else escaped."""
    if len(text) <= LONGEST_CELL and _CODE.fullmatch(text):
        return f"`{text}`"
    return escaped(text, LONGEST_CELL)


def escaped(text: str, most: int) -> str:
    """Text that means itself in markdown and HTML, of at most so many characters."""
    parts: list[str] = []
    left = most - 1
    for character in _LINKING.sub("\\g<0>\u200b", clean(text)):
        part = _ENTITIES.get(character, character)
        left -= len(part)
        if left < 0:
            return "".join(parts) + "…"
        parts.append(part)
    return "".join(parts)
