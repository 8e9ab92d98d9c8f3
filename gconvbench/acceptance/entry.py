"""The reviewed file of accepted changes: its entries, read and written.

    [[accepted]]
    cases = "g32*:float16:*"          # glob over case ids
    implementations = "*"             # glob
    cache_mode = "cold"               # or "hot"; all without
    kinds = ["slower"]                # of `records.ACCEPTABLE`
    from = "1a2b3c4"                  # the baseline's commit, or what the baseline is
    to = "5d6e7f8"                    # the contender's
    largest_change = 0.12             # as a share; required for slower and suite_slower
    reason = "..."
    expires = 2027-01-01              # the last day on which it holds

Entries are written by `json.dumps`, whose strings are TOML's basic strings but for one character:
a library that keeps comments in place is not needed to append to a file.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from gconvbench.errors import UsageError, refused_name
from gconvbench.records import ACCEPTABLE, CACHE_MODES, CacheMode
from gconvbench.toml_tables import decode_toml, read_table

__all__ = [
    "ACCEPTED_FILE",
    "COMMIT",
    "SIZED",
    "Acceptance",
    "entry_text",
    "load_acceptances",
    "read_acceptances",
    "read_text",
]

ACCEPTED_FILE = "gconvbench-accepted.toml"
COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ROUNDING = 1e-9
"""12 % is no more than 12 %, however it was computed."""
SIZED = ("slower", "suite_slower")
"""Kinds whose entry says how large the change may be."""

_Glob = Annotated[str, Meta(min_length=1, description="a glob in quotes, such as 'g32*:float16:*'")]
_Side = Annotated[
    str, Meta(min_length=1, description="a commit, or what the side is, such as 'torch 2.11.0'")
]
_Kinds = Annotated[
    tuple[str, ...], Meta(min_length=1, description=f"a list of {', '.join(ACCEPTABLE)}")
]
_Share = Annotated[
    float | None, Meta(description="a share above 0 such as 0.12, for 12 % in the worst job")
]
_Mode = Annotated[CacheMode | None, Meta(description=f"one of {', '.join(CACHE_MODES)}")]
_Reason = Annotated[str, Meta(pattern=r"\S", description="a reason in words")]
_Date = Annotated[date, Meta(description="a date without quotes, such as 2027-01-01")]


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A change that a reviewer has agreed to, from one side to another.

    Attributes:
        cases: glob over case ids.
        implementations: glob over implementations' names.
        kinds: what it accepts, of `ACCEPTABLE`.
        from_: the baseline's commit, or what the baseline is.
        to: the contender's; of commits for the reader only, since a rebase gives another name.
        largest_change: as a share; None where no kind has a size.
        cache_mode: the view, such as `hot`; None is all.
        reason: why.
        expires: the last day on which it holds.
    """

    cases: _Glob
    implementations: _Glob
    kinds: _Kinds
    from_: _Side
    to: _Side
    reason: _Reason
    expires: _Date
    largest_change: _Share = None
    cache_mode: _Mode = None

    def covers(self, case: str, implementation: str, cache_mode: str) -> bool:
        """Whether a job is within both globs, and of the cache mode."""
        is_mode = self.cache_mode in {None, cache_mode}
        is_case = fnmatchcase(case, self.cases)
        return is_mode and is_case and fnmatchcase(implementation, self.implementations)

    def allows(self, change: float) -> bool:
        """Whether a change, as a share, is no larger than what was agreed to."""
        return self.largest_change is not None and change <= self.largest_change + _ROUNDING

    def is_about_step_of(self, other: Acceptance) -> bool:
        """Whether both are about the same two commits, by however many digits.

        Where `to` is no commit, such as a working tree, it may be another step from the same one:
        then they must agree in all but reason and expiry.
        """
        if not (COMMIT.fullmatch(self.to) and COMMIT.fullmatch(other.to)):
            plain = (
                msgspec.structs.replace(e, reason="-", expires=date.min) for e in (self, other)
            )
            return len(set(plain)) == 1
        return _is_same_commit(self.from_, other.from_) and _is_same_commit(self.to, other.to)

    @property
    def is_about_all(self) -> bool:
        """Whether it covers every job there may be."""
        return (self.cases, self.implementations, self.cache_mode) == ("*", "*", None)

    @property
    def named(self) -> str:
        """For a line about it: kinds, globs and the step."""
        kinds = ", ".join(self.kinds)
        mode = f" ({self.cache_mode})" if self.cache_mode else ""
        what = f"{kinds} of {self.cases} {self.implementations}{mode}"
        return f"{what} from {self.from_} to {self.to}"


def _is_same_commit(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def read_acceptances(text: str, name: str = ACCEPTED_FILE) -> tuple[Acceptance, ...]:
    """The entries of a file's text, which may be empty.

    Raises:
        UsageError: not TOML, or a key or value that is not allowed; names file and entry.
    """
    table = decode_toml(text, repr(name))
    for key in table:
        if key != "accepted":
            raise UsageError(f"{name!r}: " + refused_name("key", key, ["accepted"]))
    entries = table.get("accepted", [])
    if not isinstance(entries, list):
        message = f"{name!r}: key 'accepted' must be written as [[accepted]] tables"
        raise UsageError(message)
    return tuple(_entry(entry, f"{name!r}, entry {i}") for i, entry in enumerate(entries, start=1))


def load_acceptances(file: Path | None) -> tuple[Acceptance, ...]:
    """The entries of a file; of the usual one, which need not be there, where none is named.

    Raises:
        UsageError: as `read_acceptances`, or the file cannot be read.
    """
    path = file or Path(ACCEPTED_FILE)
    if path == Path(ACCEPTED_FILE) and not path.exists():
        return ()
    return read_acceptances(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a file of accepted changes.

    Raises:
        UsageError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        message = f"file of accepted changes {str(path)!r}: {why}; gconvbench accept writes one"
        raise UsageError(message) from None


def _entry(table: object, subject: str) -> Acceptance:
    entry = read_table(table, Acceptance, subject)
    for kind in entry.kinds:
        if kind not in ACCEPTABLE:
            raise UsageError(f"{subject}: " + refused_name("kind", kind, ACCEPTABLE))
    if "suite_slower" in entry.kinds and not entry.is_about_all:
        message = (
            f"{subject}: suite_slower is about all jobs; cases and implementations must be '*', "
            "without cache_mode"
        )
        raise UsageError(message)
    change = entry.largest_change
    if change is None and (sized := [kind for kind in entry.kinds if kind in SIZED]):
        message = f"{subject}: key 'largest_change' is missing; {sized[0]} needs a share like 0.12"
        raise UsageError(message)
    if change is not None and not (math.isfinite(change) and change > 0):
        message = f"{subject}: largest_change ({change}) must be a share above 0 such as 0.12"
        raise UsageError(message)
    if isinstance(entry.expires, datetime):
        message = f"{subject}: expires ({entry.expires}) must be a date alone, such as 2027-01-01"
        raise UsageError(message)
    return entry


def entry_text(entry: Acceptance) -> str:
    """An entry as it stands in the file."""
    lines = {
        "cases": _string(entry.cases),
        "implementations": _string(entry.implementations),
        "cache_mode": _string(entry.cache_mode) if entry.cache_mode else "",
        "kinds": f"[{', '.join(map(_string, entry.kinds))}]",
        "from": _string(entry.from_),
        "to": _string(entry.to),
        "largest_change": "" if entry.largest_change is None else repr(float(entry.largest_change)),
        "reason": _string(entry.reason),
        "expires": entry.expires.isoformat(),
    }
    return "\n".join(["[[accepted]]", *(f"{key} = {text}" for key, text in lines.items() if text)])


def _string(text: str) -> str:
    """A basic string (TOML 1.0, "String"): as in JSON, and U+007F escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
