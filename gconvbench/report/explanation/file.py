"""The convolutions of a checkpoint: what was assumed of each, and what its own weights show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.report.console import aligned
from gconvbench.report.explanation.network import difference_text, exact_word, sees_text
from gconvbench.report.explanation.text import wrapped
from gconvbench.report.explanation.words import shape_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gconvbench.records import FileExplanation, FileLayer

__all__ = ["file_lines"]

_HEAD = ("weight", "shape", "groups", "inputs", "differ by", "integers", "sees")
_LONGEST_NAME = 24
_MARKS = {"first": "a", "previous": "b", "branch": "c", "given": "", "impossible": "e"}
_MEANINGS = {
    "first": "nothing precedes it: one group is assumed",
    "previous": "assumed: as many channels enter as leave the convolution or normalisation before",
    "branch": "assumed: a branch, which takes the channels that entered its block",
    "impossible": "what precedes it does not fit its shape: one group is assumed",
}
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
        *(f"  {line}" for line in aligned([_HEAD, *map(_row, found.layers)], right=(3, 4))),
        *_legend(found.layers),
        "",
        *(line for one in _worth_a_word(found.layers) for line in _reasons(one)),
        *wrapped(_UNKNOWN),
    ]


def _start(found: FileExplanation, grouped: Sequence[FileLayer]) -> str:
    where = f" under {found.nested!r}" if found.nested else ""
    ignored = f", {found.ignored} other entries ignored" if found.ignored else ""
    start = (
        f"{found.path} ({found.form}): {found.tensors} tensors{where}{ignored}; "
        f"{len(found.layers)} convolutions, {len(grouped)} of them grouped as far as one can tell."
    )
    seen = [one for one in grouped if one.explanation is not None]
    return f"{start} What follows was computed with the file's own weights." if seen else start


def _row(one: FileLayer) -> tuple[str, ...]:
    assumed, seen = one.assumed, one.explanation
    mark = _MARKS[assumed.kind]
    return (
        _shortened(one.name.removesuffix(".weight")),
        shape_text(one.shape),
        f"{assumed.groups} {mark}".rstrip(),
        str(one.shape[1] * assumed.groups),
        difference_text(seen.equality) if seen else "",
        exact_word(seen.equality) if seen else "",
        sees_text(seen) if seen else "",
    )


def _shortened(name: str) -> str:
    """The beginning and the end of a long name."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[half - _LONGEST_NAME + 1 :]}"


def _legend(layers: Sequence[FileLayer]) -> Iterator[str]:
    kinds = {one.assumed.kind for one in layers}
    for kind, meaning in _MEANINGS.items():
        if kind in kinds:
            yield from wrapped(f"{_MARKS[kind]}  {meaning}", "  ")


def _worth_a_word(layers: Sequence[FileLayer]) -> list[FileLayer]:
    """The grouped ones, those that do not fit, and those that could not be computed."""
    return [one for one in layers if one.assumed.groups > 1 or one.assumed.kind == "impossible"]


def _reasons(one: FileLayer) -> list[str]:
    per_group = one.shape[1]
    others = [g for g in one.assumed.possible if g != one.assumed.groups]
    shown = ", ".join(f"{g} ({g * per_group} inputs)" for g in others[:4])
    more = ", ..." if len(others) > 4 else ""  # noqa: PLR2004 (as many as are shown)
    else_ = "" if one.assumed.kind == "given" or not shown else f"; else groups {shown}{more}"
    note = f"; not computed: {one.note}" if one.note else ""
    text = f"{one.name}: groups {one.assumed.groups}, {one.assumed.why}{else_}{note}"
    return wrapped(text, "  ")
