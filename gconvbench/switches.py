"""Settings that one side of a gate may declare, by the names that the environment records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gconvbench.errors import UsageError, refused_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SWITCHES", "VARIABLE", "parse_switch"]

SWITCHES = (
    "cudnn_benchmark",
    "cudnn_deterministic",
    "cudnn_enabled",
    "deterministic_algorithms",
    "onednn_enabled",
)
"""Of torch, on or off; `device.set_switches` turns them."""
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
"""Names in capitals are environment variables of the worker."""
_WORDS: Mapping[str, bool] = {
    "true": True, "on": True, "1": True, "yes": True,
    "false": False, "off": False, "0": False, "no": False,
}  # fmt: skip


def parse_switch(text: str) -> tuple[str, bool | int | str]:
    """`cudnn_benchmark=false`, `threads=2`, or `ONEDNN_MAX_CPU_ISA=AVX2`.

    Returns:
        The name, and a bool for a switch, an int for `threads`, else the variable's text.

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
    if value.lower() not in _WORDS:
        message = f"setting {name} ({value!r}) must be true or false"
        raise UsageError(message)
    return name, _WORDS[value.lower()]
