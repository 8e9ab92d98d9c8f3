"""Settings that a side of a gate or an implementation may declare, by the environment's names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gconvbench.errors import UsageError, refused_name

__all__ = ["SWITCHES", "VARIABLE", "parse_switch", "setting_text", "why_no_settings"]

_WORDS: Mapping[str, bool] = {
    "true": True, "on": True, "1": True, "yes": True,
    "false": False, "off": False, "0": False, "no": False,
}  # fmt: skip
_ON_OR_OFF = (False, True)
SWITCHES: Mapping[str, tuple[bool | str, ...]] = {
    "cudnn_benchmark": _ON_OR_OFF,
    "cudnn_depthwise_kernel": ("auto", "cudnn", "native"),
    "cudnn_deterministic": _ON_OR_OFF,
    "cudnn_enabled": _ON_OR_OFF,
    "deterministic_algorithms": _ON_OR_OFF,
    "onednn_enabled": _ON_OR_OFF,
}
"""Of torch, and what each may be; `device.set_switches` turns them."""
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
"""Names in capitals are environment variables of the worker."""


def parse_switch(text: str) -> tuple[str, bool | int | str]:
    """`cudnn_benchmark=false`, `threads=2`, or `ONEDNN_MAX_CPU_ISA=AVX2`.

    Returns:
        The name, and for a switch one of its values, for `threads` an int, else the variable's
        text.

    Raises:
        UsageError: an unknown name, or a value that it cannot have.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        message = f"setting {text!r} must be NAME=VALUE, such as cudnn_benchmark=false"
        raise UsageError(message)
    if VARIABLE.fullmatch(name):
        return name, value
    if name == "threads":
        if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 1024:  # noqa: PLR2004
            message = f"setting threads ({value!r}) must be a number from 1 to 1024"
            raise UsageError(message)
        return name, int(value)
    if name not in SWITCHES:
        allowed = [*SWITCHES, "threads", "or an environment variable in capitals"]
        raise UsageError(refused_name("setting", name, allowed))
    return name, _value(name, value)


def _value(name: str, text: str) -> bool | str:
    """The value of a switch that is meant.

    Raises:
        UsageError: it cannot have that.
    """
    if SWITCHES[name] != _ON_OR_OFF:
        if text in SWITCHES[name]:
            return text
        message = f"setting {name} ({text!r}) must be one of {_words(name)}"
        raise UsageError(message)
    if text.lower() not in _WORDS:
        message = f"setting {name} ({text!r}) must be true or false"
        raise UsageError(message)
    return _WORDS[text.lower()]


def setting_text(name: str, value: bool | str) -> str:  # noqa: FBT001 (a setting's value)
    """`cudnn_benchmark=true`, as `parse_switch` reads it."""
    return f"{name}={str(value).lower()}"


def why_no_settings(modes: object) -> str | None:
    """What is wrong with settings that are to be a mapping of switches to values, or None."""
    if not isinstance(modes, Mapping):
        return f"{modes!r} is no mapping of settings to values"
    for name, value in modes.items():
        if name not in SWITCHES:
            return f"{name!r} is no setting; allowed: {', '.join(SWITCHES)}"
        if type(value) is not type(SWITCHES[name][0]) or value not in SWITCHES[name]:
            return f"{name} is {value!r}; allowed: {_words(name)}"
    return None


def _words(name: str) -> str:
    return ", ".join(str(value).lower() for value in SWITCHES[name])
