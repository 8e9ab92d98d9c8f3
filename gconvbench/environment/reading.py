"""A fact with its source, and how a fact that cannot be read becomes null with a reason."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gconvbench.records import Scalar

__all__ = ["Field", "Reader", "UnreadableError", "first_line", "or_none"]


class Field(NamedTuple):
    """One row of the fingerprint.

    Attributes:
        name: unique in an environment.
        source: where it is read, in a few words.
        read: reads it; may raise whatever it likes.
    """

    name: str
    source: str
    read: Callable[[], Any]


class UnreadableError(Exception):
    """A fact that is not there. The text is ours alone and is stored as the reason."""


class Reader:
    """Reads fields, and keeps what could not be read and where each was read."""

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}
        self.sources: dict[str, str] = {}

    def read(self, fields: Iterable[Field]) -> dict[str, Scalar]:
        """The fields' values; one that raises becomes null with its reason."""
        return {field.name: self._value(field) for field in fields}

    def _value(self, field: Field) -> Scalar:
        self.sources[field.name] = field.source
        try:
            value = field.read()
        except Exception as error:  # noqa: BLE001 (drivers raise what they like)
            self.unknown[field.name] = _reason(error)
            return None
        if value is None:
            self.unknown[field.name] = "its source has no value"
        return value if value is None or isinstance(value, str | int | float) else str(value)


def _reason(error: Exception) -> str:
    """What went wrong, by its type: a foreign message may name a folder, a person or a host."""
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return f"{type(error).__name__}: {os.strerror(error.errno)}"
    return type(error).__name__


def first_line(path: Path | str) -> str:
    """The first line of a file of the kernel."""
    return Path(path).read_text("utf-8").partition("\n")[0].strip()


def or_none(value: Any) -> Any:  # noqa: ANN401 (whatever a field holds)
    """The word for what is known not to be there: null would mean that nobody knows."""
    return "none" if value is None else value
