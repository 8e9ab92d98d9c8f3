"""TOML that people write, read into frozen structs; what is wrong is said in one line.

Each field of such a struct says in its `Meta` description what may be written there.
"""

from __future__ import annotations

import tomllib
from typing import Any, TypeVar, get_args

import msgspec

from gconvbench.errors import UsageError, refused_name

__all__ = ["decode_toml", "read_table"]

T = TypeVar("T", bound=msgspec.Struct)

_LONGEST_VALUE = 60


def decode_toml(text: str, subject: str) -> dict[str, Any]:
    """A document as a dictionary.

    Raises:
        UsageError: it is not TOML; `subject` is named.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers or nesting beyond all measure, too
        message = f"{subject} is not TOML: {str(error).splitlines()[0]}"
        raise UsageError(message) from None


def read_table(table: object, kind: type[T], subject: str) -> T:
    """A struct of this kind from a table.

    Raises:
        UsageError: a key that is not known, one that is missing, or a value that is not allowed.
    """
    if not isinstance(table, dict):
        message = f"{subject} ({_shown(table)}) must be a table"
        raise UsageError(message)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            raise UsageError(f"{subject}: " + refused_name("key", key, fields))
    missing = [name for name, field in fields.items() if field.required and name not in table]
    if missing:
        message = f"{subject}: key {missing[0]!r} is missing; {_allowed(fields[missing[0]].type)}"
        raise UsageError(message)
    values = {
        fields[key].name: _value(value, fields[key].type, f"{subject}: {key}")
        for key, value in table.items()
    }
    return kind(**values)


def _value(value: object, kind: Any, subject: str) -> object:  # noqa: ANN401 (a type expression)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        message = f"{subject} ({_shown(value)}) must be {_allowed(kind)}"
        raise UsageError(message) from None


def _allowed(kind: Any) -> str:  # noqa: ANN401 (a type expression)
    """What its `Meta` says, of whichever `Annotated` is the outermost."""
    found = next((m for m in get_args(kind)[1:] if isinstance(m, msgspec.Meta)), None)
    return (found.description if found else None) or str(kind)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
