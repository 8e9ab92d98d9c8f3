"""Messages between the asv plugin and its host, one JSON document per line."""

from __future__ import annotations

import msgspec

__all__ = ["UNFIT", "Reply", "Request"]

UNFIT = 75
"""The status where nothing can be measured now (sysexits.h, EX_TEMPFAIL)."""


class Request(msgspec.Struct, frozen=True):
    """What asv would have started a process for.

    Attributes:
        arguments: the runner script and its arguments: `run`, the suite's folder, the benchmark's
            name with the number of the combination, and more.
        folder: to run in.
    """

    arguments: tuple[str, ...]
    folder: str


class Reply(msgspec.Struct, frozen=True):
    """How it ended: the exit status, and what it wrote."""

    code: int
    out: str
