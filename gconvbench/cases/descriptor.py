"""Case ids: oneDNN's benchdnn descriptor for the shape, then colon-separated fields.

`g2mb1ic96ih50iw17oc192kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:fprop[:bias][:tf32]`

The spelling that `case_id` writes is canonical; `parse_descriptor` also reads benchdnn's
shorthands (https://github.com/uxlfoundation/oneDNN, tests/benchdnn/doc/driver_conv.md): absent
fields, `oh`/`ow` instead of padding, `_` between fields, `n"name"` and `*count`. benchdnn counts
dilation from 0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from gconvbench.cases.case import (
    DIRECTIONS,
    DTYPES,
    MATH_MODES,
    MEMORY_FORMATS,
    OPERATIONS,
    Case,
)
from gconvbench.errors import UsageError, refused_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Descriptor", "case_id", "case_if_any", "parse_case", "parse_descriptor"]

_SHAPE_FIELDS = (
    "g", "mb", "ic", "ih", "iw", "oc", "oh", "ow", "kh", "kw",
    "sh", "sw", "ph", "pw", "dh", "dw",
)  # fmt: skip
_REQUIRED = ("ic", "oc", "ih", "kh")
_DEFAULTS = {"g": 1, "mb": 2, "sh": 1, "dh": 0}
"""benchdnn's values for absent fields (a batch of 2)."""
_SAME_AS = {"iw": "ih", "kw": "kh", "sw": "sh", "pw": "ph", "dw": "dh", "ow": "oh"}
_FIELDS = (
    ("operation", OPERATIONS),
    ("dtype", tuple(DTYPES)),
    ("memory_format", MEMORY_FORMATS),
    ("direction", DIRECTIONS),
)
_OPTIONS: dict[str, dict[str, Any]] = {"bias": {"bias": True}, "tf32": {"math_mode": MATH_MODES[1]}}
_LINE = re.compile(
    r'(?P<shape>[^:"*]*?)(?:n"(?P<name>[^"*]*)(?:\*(?P<inner>\d{1,6}))?")?'
    r"(?:\*(?P<outer>\d{1,6}))?(?P<rest>:.*)?"
)
_TOKEN = re.compile(r"([a-z]+)(\d{1,10})_?")


class Descriptor(msgspec.Struct, frozen=True):
    """A parsed id with what benchdnn may write around it."""

    case: Case
    name: str = ""
    count: int = 1


def case_id(case: Case) -> str:
    """The canonical id; `parse_case(case_id(case)) == case`."""
    c = case
    shape = (
        f"g{c.groups}mb{c.batch}ic{c.in_channels}ih{c.height}iw{c.width}oc{c.out_channels}"
        f"kh{c.kernel_size[0]}kw{c.kernel_size[1]}sh{c.stride[0]}sw{c.stride[1]}"
        f"ph{c.padding[0]}pw{c.padding[1]}"
    )
    if c.dilation != (1, 1):
        shape += f"dh{c.dilation[0] - 1}dw{c.dilation[1] - 1}"
    fields = [shape, c.operation, c.dtype, c.memory_format, c.direction]
    fields += ["bias"] if c.bias else []
    fields += ["tf32"] if c.math_mode == "tf32" else []
    return ":".join(fields)


def parse_case(text: str) -> Case:
    """The case that an id stands for.

    Raises:
        UsageError: the id does not parse, or describes an impossible case.
    """
    return parse_descriptor(text).case


def case_if_any(text: str) -> Case | None:
    """The case of a job; None where the job is another tool's benchmark and so no case at all."""
    try:
        return parse_case(text)
    except UsageError:
        return None


def parse_descriptor(text: str) -> Descriptor:
    """Read an id or a benchdnn descriptor, with its name and count.

    Raises:
        UsageError: as `parse_case`.
    """
    match = _LINE.fullmatch(text.strip())
    if not match:
        message = f"case id {text!r} does not parse; write it as {_example()}"
        raise UsageError(message)
    try:
        shape = _shape(match["shape"])
        case = Case(**shape, **_fields(match["rest"]))
    except UsageError as error:
        message = f"case id {text!r}: {error}"
        raise UsageError(message) from None
    count = int(match["inner"] or match["outer"] or 1)
    if count < 1:
        message = f"case id {text!r}: count ({count}) must be at least 1"
        raise UsageError(message)
    return Descriptor(case, match["name"] or "", count)


def _example() -> str:
    return case_id(Case(padding=(1, 1)))


def _shape(text: str) -> dict[str, Any]:
    given = _tokens(text)
    if missing := [field for field in _REQUIRED if field not in given]:
        message = f"field {missing[0]!r} is missing; write it as {_example()}"
        raise UsageError(message)
    full = dict(_DEFAULTS) | given
    for field, other in _SAME_AS.items():
        if field not in full and other in full:
            full[field] = full[other]
    padding = _padding(full, "h"), _padding(full, "w")
    return {
        "groups": full["g"],
        "batch": full["mb"],
        "in_channels": full["ic"],
        "out_channels": full["oc"],
        "height": full["ih"],
        "width": full["iw"],
        "kernel_size": (full["kh"], full["kw"]),
        "stride": (full["sh"], full["sw"]),
        "padding": padding,
        "dilation": (full["dh"] + 1, full["dw"] + 1),
    }


def _tokens(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if not token:
            message = f"cannot read {text[at:]!r}; write it as {_example()}"
            raise UsageError(message)
        field, value = token[1], int(token[2])
        if field in {"id", "od", "kd", "sd", "pd", "dd"}:
            message = f"field {field!r} is three-dimensional; only 2-D convolution is in scope"
            raise UsageError(message)
        if field not in _SHAPE_FIELDS:
            raise UsageError(refused_name("field", field, _SHAPE_FIELDS))
        if field in found:
            message = f"field {field!r} is given twice"
            raise UsageError(message)
        found[field] = value
        at = token.end()
    return found


def _padding(full: Mapping[str, int], side: str) -> int:
    """Padding as given, else the one that yields the output size as given, else none."""
    size, kernel, stride = full[f"i{side}"], full[f"k{side}"], full[f"s{side}"]
    reach = (full[f"d{side}"] + 1) * (kernel - 1) + 1
    wanted = full.get(f"o{side}")
    if wanted is None or stride < 1:
        return full.get(f"p{side}", 0)
    padding = full.get(f"p{side}", max(0, -(-((wanted - 1) * stride + reach - size) // 2)))
    got = (size + 2 * padding - reach) // stride + 1
    if got != wanted:
        message = f"o{side} ({wanted}) does not follow from the other fields, which give {got}"
        raise UsageError(message)
    return padding


def _fields(rest: str | None) -> dict[str, Any]:
    values = rest[1:].split(":") if rest else []
    found: dict[str, Any] = {}
    for (field, allowed), value in zip(_FIELDS, values, strict=False):
        if value not in allowed:
            raise UsageError(refused_name(field, value, allowed))
        found[field] = value
    for option in values[len(_FIELDS) :]:
        if option not in _OPTIONS:
            raise UsageError(refused_name("option", option, _OPTIONS))
        found |= _OPTIONS[option]
    return found
