"""Values of options from text: shares, durations, cores."""

from __future__ import annotations

import re

from gconvbench.errors import UsageError

__all__ = ["cores", "seconds", "share"]

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(f"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?")
_SECONDS = re.compile(_NUMBER)
_MOST_S = 7 * 24 * 3600.0


def share(text: str, subject: str = "target") -> float:
    """`1%` or `0.01`; `subject` is named where it is neither.

    Raises:
        UsageError: no number.
    """
    number = text.strip()
    try:
        return float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        message = f"{subject} {text!r} is no share; write it like 1% or 0.01"
        raise UsageError(message) from None


def seconds(text: str) -> float:
    """`90s`, `5m`, `1h30m`; a bare number is seconds.

    Raises:
        UsageError: something else, nothing, or more than a week.
    """
    written = text.strip().lower().replace(" ", "")
    match = _DURATION.fullmatch(f"{written}s" if _SECONDS.fullmatch(written) else written)
    parts = match.groups() if match else ()
    total_s = sum(float(part or 0) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if not 0 < total_s <= _MOST_S:
        message = f"budget {text!r} is no duration up to a week; write it like 90s, 5m or 1h30m"
        raise UsageError(message)
    return total_s


def cores(text: str) -> tuple[int, ...]:
    """`1` or `2,3`.

    Raises:
        UsageError: something else.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        message = f"cores {text!r} must be numbers with commas, such as 1 or 2,3"
        raise UsageError(message)
    return tuple(sorted({int(word) for word in words}))
