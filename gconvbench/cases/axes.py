"""Axes: the fields that a sweep varies, and how their values are written.

A value list is `1,2,4,8`, a range `64..512:x2` (doubling) or `1..9:+2`; lists and ranges mix.
Besides the fields of `Case` there are composed axes, each setting several fields at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from gconvbench.cases.case import DIRECTIONS, DTYPES, MATH_MODES, MEMORY_FORMATS, OPERATIONS
from gconvbench.errors import UsageError, refused_name

if TYPE_CHECKING:
    from gconvbench.cases.case import Pair

__all__ = [
    "AXES",
    "SAME_PADDING",
    "Axis",
    "Value",
    "axis_named",
    "parse_axis",
    "parse_values",
    "settings",
]

Value = int | bool | str | tuple[int, int]
SAME_PADDING = "same"
"""Padding spelt `same`: dilation * (kernel - 1) / 2, which keeps the size at stride 1."""

_MOST_VALUES = 10_000
_RANGE = re.compile(
    r"(?P<low>-?\d{1,10})\.\.(?P<high>-?\d{1,10})(?::(?P<how>[x+])(?P<step>\d{1,10}))?"
)
_PAIR = re.compile(r"(\d{1,10})(?:x(\d{1,10}))?")


class Axis(msgspec.Struct, frozen=True):
    """A varied field.

    Attributes:
        name: as written on the command line and in sweep files.
        sets: the fields of `Case` that it decides.
        allowed: what a value may be, for messages.
        parse: text to value; raises `ValueError` where the text is not a value of this axis.
        least: the smallest number allowed, for numeric axes.
    """

    name: str
    sets: tuple[str, ...]
    allowed: str
    parse: Callable[[str], Value]
    choices: tuple[str, ...] = ()
    least: int | None = None


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,10}", text):
        raise ValueError
    return int(text)


def _pair(text: str) -> Pair:
    match = _PAIR.fullmatch(text)
    if not match:
        raise ValueError
    return int(match[1]), int(match[2] or match[1])


def _padding(text: str) -> Value:
    return SAME_PADDING if text == SAME_PADDING else _pair(text)


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "false", "on", "off", "yes", "no"}:
        raise ValueError
    return text.lower() in {"true", "on", "yes"}


def _number(name: str, *sets: str) -> Axis:
    return Axis(
        name, sets or (name,), "whole numbers from 1, such as 1,2,4 or 1..64:x2", _whole, least=1
    )


def _pairs(name: str, least: int, parse: Callable[[str], Value] = _pair, also: str = "") -> Axis:
    allowed = f"numbers from {least} such as 3, or height x width such as 25x7{also}"
    return Axis(name, (name,), allowed, parse, least=least)


def _choice(name: str, allowed: tuple[str, ...]) -> Axis:
    return Axis(name, (name,), ", ".join(allowed), str, choices=allowed)


AXES: dict[str, Axis] = {
    axis.name: axis
    for axis in (
        _choice("operation", OPERATIONS),
        _number("groups"),
        _number("batch"),
        _number("in_channels"),
        _number("out_channels"),
        _number("channels", "in_channels", "out_channels"),
        _number("channels_per_group", "in_channels", "out_channels"),
        _number("height"),
        _number("width"),
        _number("size", "height", "width"),
        _pairs("kernel_size", 1),
        _pairs("stride", 1),
        _pairs("padding", 0, _padding, f", or {SAME_PADDING}"),
        _pairs("dilation", 1),
        Axis("bias", ("bias",), "true, false", _switch),
        _choice("dtype", tuple(DTYPES)),
        _choice("math_mode", MATH_MODES),
        _choice("memory_format", MEMORY_FORMATS),
        _choice("direction", DIRECTIONS),
    )
}
_ALIASES = {"kernel": "kernel_size"}


def axis_named(name: str) -> Axis:
    """The axis of that name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    canonical = _ALIASES.get(name, name)
    if canonical not in AXES:
        raise UsageError(refused_name("axis", name, [*AXES, *_ALIASES, "device"]))
    return AXES[canonical]


def parse_axis(text: str) -> tuple[Axis, tuple[Value, ...]]:
    """Read `groups=1,2,4..32:x2`.

    Raises:
        UsageError: no `=`, an unknown axis or a value it does not allow.
    """
    name, equals, values = text.partition("=")
    if not equals or not values:
        message = f"axis {text!r} must be written name=values, such as groups=1,2,4"
        raise UsageError(message)
    axis = axis_named(name.strip())
    return axis, parse_values(axis, values)


def parse_values(axis: Axis, raw: object) -> tuple[Value, ...]:
    """The values of an axis from a command line's text or a TOML value (scalar or list).

    Raises:
        UsageError: a value that the axis does not allow.
    """
    items = raw if isinstance(raw, list) else [raw]
    if not items:
        message = f"{axis.name} has no value; allowed: {axis.allowed}"
        raise UsageError(message)
    words = [word.strip() for item in items for word in _text(item).split(",")]
    values: dict[Value, None] = {}
    for word in words:
        values |= dict.fromkeys(_range(axis, word) or (_value(axis, word),))
    return tuple(values)


def _text(item: object) -> str:
    return str(item).lower() if isinstance(item, bool) else str(item)


def _value(axis: Axis, word: str) -> Value:
    if axis.choices and word not in axis.choices:
        raise UsageError(refused_name(axis.name, word, axis.choices))
    try:
        value = axis.parse(word)
    except ValueError:
        message = f"{axis.name} {word[:40]!r} is not allowed; allowed: {axis.allowed}"
        raise UsageError(message) from None
    numbers = value if isinstance(value, tuple) else (value,)
    if axis.least is not None and any(isinstance(n, int) and n < axis.least for n in numbers):
        message = f"{axis.name} ({word}) must be at least {axis.least}"
        raise UsageError(message)
    return value


def _range(axis: Axis, word: str) -> list[Value]:
    match = _RANGE.fullmatch(word)
    if not match:
        return []
    low, high, step = int(match["low"]), int(match["high"]), int(match["step"] or 1)
    doubling = match["how"] == "x"
    if low > high or step < 1 + doubling or (doubling and low < 1):
        message = f"{axis.name} range {word!r} never ends or is empty; write it as 64..512:x2"
        raise UsageError(message)
    values: list[Value] = []
    while low <= high:
        values.append(_value(axis, str(low)))
        low = low * step if doubling else low + step
        if len(values) > _MOST_VALUES:
            message = f"{axis.name} range {word!r} has over {_MOST_VALUES} values; give a step"
            raise UsageError(message)
    return values


def settings(values: dict[str, Any]) -> dict[str, Any]:
    """Turn one value per axis into fields of `Case`, resolving the composed axes.

    Without `out_channels` a case has as many output as input channels; without `padding` it is
    `same`.

    Raises:
        UsageError: `same` padding for a window that has no middle.
    """
    fields = {name: value for name, value in values.items() if AXES[name].sets == (name,)}
    if "channels" in values:
        fields["in_channels"] = fields["out_channels"] = values["channels"]
    if "channels_per_group" in values:
        channels = values["channels_per_group"] * values.get("groups", 1)
        fields["in_channels"] = fields["out_channels"] = channels
    if "size" in values:
        fields["height"] = fields["width"] = values["size"]
    if "in_channels" in fields:
        fields.setdefault("out_channels", fields["in_channels"])
    if fields.setdefault("padding", SAME_PADDING) == SAME_PADDING:
        fields["padding"] = _same_padding(fields)
    return fields


def _same_padding(fields: dict[str, Any]) -> Pair:
    kernel, dilation = fields.get("kernel_size", (3, 3)), fields.get("dilation", (1, 1))
    wide = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if any(extra % 2 for extra in wide):
        message = (
            f"padding (same) needs a window with a middle, which kernel_size "
            f"{kernel[0]}x{kernel[1]} with dilation {dilation[0]}x{dilation[1]} has not; "
            f"give padding as numbers"
        )
        raise UsageError(message)
    return wide[0] // 2, wide[1] // 2
