"""Exit codes, the exceptions that carry them, and the wording of a refused name."""

from __future__ import annotations

import difflib
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ExitCode",
    "GconvbenchError",
    "InstrumentError",
    "NotComparableError",
    "NotMeasuredError",
    "UsageError",
    "nearest_match",
    "refused_name",
    "worst",
]


class ExitCode(enum.IntEnum):
    """The one table of exit codes, shared by every command."""

    FINE = 0
    SLOWER = 1
    USAGE = 2
    UNCERTAIN = 3
    NOT_COMPARABLE = 4
    NOT_MEASURED = 5
    WRONG = 6
    FAULT = 70
    INTERRUPTED = 130
    TERMINATED = 143


_PRECEDENCE = (
    ExitCode.FAULT,
    ExitCode.TERMINATED,
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.WRONG,
    ExitCode.NOT_COMPARABLE,
    ExitCode.NOT_MEASURED,
    ExitCode.SLOWER,
    ExitCode.UNCERTAIN,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code to leave with where several hold."""
    found = set(codes)
    return next((code for code in _PRECEDENCE if code in found), ExitCode.FINE)


class GconvbenchError(Exception):
    """A failed use: one line for the person who typed it, and the exit code."""

    exit_code = ExitCode.FAULT


class UsageError(GconvbenchError):
    """Wrong use or unreadable input."""

    exit_code = ExitCode.USAGE


class NotComparableError(GconvbenchError):
    """Two things that may not be put side by side, such as runs of different machines."""

    exit_code = ExitCode.NOT_COMPARABLE


class NotMeasuredError(GconvbenchError):
    """Something asked for could not be measured or stored."""

    exit_code = ExitCode.NOT_MEASURED


class InstrumentError(GconvbenchError):
    """The instrument is not fit to measure, such as a device in use by another run."""

    exit_code = ExitCode.UNCERTAIN


def nearest_match(value: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that `value` was most likely meant to be."""
    matches = difflib.get_close_matches(value, list(allowed), n=1, cutoff=0.5)
    return matches[0] if matches else None


def refused_name(subject: str, value: str, allowed: Iterable[str]) -> str:
    """One line for a name that is not known: subject, value, nearest match, allowed names."""
    names = list(allowed)
    nearest = nearest_match(value, names)
    hint = f"; did you mean {nearest!r}?" if nearest else ";"
    return f"{subject} {value!r} is not known{hint} allowed: {', '.join(names)}"
