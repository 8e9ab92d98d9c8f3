"""The convolutions of a checkpoint: what was assumed of each, and what its own weights show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.report.comparison.words import clean, counted
from gconvbench.report.console import aligned
from gconvbench.report.explanation.network import difference_text, exact_word, sees_text
from gconvbench.report.explanation.text import wrapped
from gconvbench.report.explanation.words import name_text, sides_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gconvbench.records import FileExplanation, FileLayer

__all__ = ["file_lines"]

_HEAD = ("weight", "shape", "groups", "differs", "exact", "sees")
_LONGEST_NAME = 22
_MARKS = {"first": "a", "previous": "b", "branch": "c", "given": "", "impossible": "e"}
_MEANINGS = {
    "first": "nothing precedes it: one group is assumed",
    "previous": "assumed: as many channels enter as leave the convolution or normalisation before",
    "branch": "assumed: a branch, which takes the channels that entered its block",
    "impossible": "what precedes it does not fit its shape: one group is assumed",
}
_COLUMNS = (
    "differs: native from splitting, at most; exact: whether both are the exact result on integers "
    "(?: not checked)"
)
_SHOWN = 5
_UNKNOWN = (
    "A weight (K, C/g, R, S) does not tell g. Nor does a file tell the input's size, stride, "
    "padding or dilation (8x8 pixels or the window are used here), nor whether a convolution is "
    "transposed, whose weight looks alike. --groups NAME=G says what you know."
)


def file_lines(found: FileExplanation) -> list[str]:
    """The table of all convolutions, then the grouped ones' reasons and what else is possible."""
    grouped = [one for one in found.layers if one.assumed.groups > 1]
    return [
        *wrapped(_start(found, grouped)),
        "",
        *(f"  {line}" for line in aligned([_HEAD, *map(_row, found.layers)], right=(3,))),
        *_legend(found.layers),
        "",
        *(line for one in _worth_a_word(found.layers) for line in _reasons(one)),
        *wrapped(_UNKNOWN),
    ]


def _start(found: FileExplanation, grouped: Sequence[FileLayer]) -> str:
    where = f" under {found.nested!r}" if found.nested else ""
    ignored = f", {found.ignored} other entries ignored" if found.ignored else ""
    form = "safetensors, which sorts by name, so that what precedes a layer is a guess"
    form = form if found.form == "safetensors" else found.form
    start = (
        f"{found.path} ({form}): {counted(found.tensors, 'tensor')}{where}{ignored}; "
        f"{counted(len(found.layers), 'convolution')}, {len(grouped)} of them grouped as far as "
        "one can tell."
    )
    seen = [one for one in grouped if one.explanation is not None]
    return f"{start} What follows was computed with the file's own weights." if seen else start


def _row(one: FileLayer) -> tuple[str, ...]:
    assumed, seen = one.assumed, one.explanation
    mark = _MARKS[assumed.kind]
    return (
        name_text(_name(one), _LONGEST_NAME),
        sides_text(one.shape),
        f"{assumed.groups} {mark}".rstrip(),
        difference_text(seen.equality) if seen else "",
        exact_word(seen.equality) if seen else "",
        sees_text(seen) if seen else "",
    )


def _name(one: FileLayer) -> str:
    """As a person calls it; a file's own names may hold anything."""
    return clean(one.name.removesuffix(".weight"))


def _legend(layers: Sequence[FileLayer]) -> Iterator[str]:
    kinds = {one.assumed.kind for one in layers}
    for kind, meaning in _MEANINGS.items():
        if kind in kinds:
            yield from wrapped(f"{_MARKS[kind]}  {meaning}", "  ", "   ")
    if any(one.explanation for one in layers):
        yield from wrapped(_COLUMNS, "  ", "   ")


def _worth_a_word(layers: Sequence[FileLayer]) -> list[FileLayer]:
    """The grouped ones, those that do not fit, and those that could not be computed."""
    return [one for one in layers if one.assumed.groups > 1 or one.assumed.kind == "impossible"]


def _reasons(one: FileLayer) -> list[str]:
    assumed, per_group = one.assumed, one.shape[1]
    others = [g for g in assumed.possible if g != assumed.groups]
    shown = ", ".join(map(str, others[:_SHOWN])) + (", ..." if len(others) > _SHOWN else "")
    fact = "given" if assumed.kind == "given" else f"assumed, as {assumed.why}"
    each = f"{per_group} input{'s' if per_group > 1 else ''} a group"
    rest = f"; else {shown}, with {each}" if shown else ""
    rest = "" if assumed.kind == "given" else rest
    note = f"; not computed: {one.note}" if one.note else ""
    text = f"{_name(one)}: groups {assumed.groups} {clean(fact)}{rest}{note}"
    return wrapped(text, "  ", "  ")
