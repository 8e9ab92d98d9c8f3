"""What was read from another tool, stored as a run, once."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import msgspec

from gconvbench.errors import UsageError
from gconvbench.store import RunWriter, load_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gconvbench.records import Environment, Header, Record
    from gconvbench.store import Run

__all__ = ["folder_name", "refuse_unsafe_name", "run_name", "slug_of", "store_imported"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")


def folder_name(text: str) -> str:
    """A name out of somebody else's text that can be a folder's and cannot lead out of one."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")[:80] or "unknown"


def slug_of(environment: Environment, more: str = "") -> str:
    """A machine's name made of its processor or card, like our own; never the host's.

    Args:
        environment: as far as it is known.
        more: what tells it from others that are alike.
    """
    text = json.dumps(environment.identity, sort_keys=True) + more
    name = folder_name(str(environment.identity.get("device_name") or "unknown").lower())[:40]
    return f"{name.strip('.-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def run_name(second: str, commit: str) -> str:
    """As runs are called: the time, then the beginning of the commit.

    Args:
        second: as `20250101T000000Z`.
        commit: its hash, or nothing.
    """
    return f"{second}-{re.sub(r'[^0-9A-Za-z]', '', commit)[:7] or 'nocommit'}"


def refuse_unsafe_name(name: str) -> None:
    """Names in a file may come from anybody.

    Raises:
        UsageError: it could lead out of a folder.
    """
    if not _NAME.fullmatch(name):
        message = f"name {name[:100]!r} cannot be that of a file or folder; it is left where it is"
        raise UsageError(message)


def store_imported(results: Path, header: Header, records: Sequence[Record]) -> Path | None:
    """Write a run that was measured elsewhere; None where it is there already.

    Raises:
        UsageError: its names could lead out of the folder.
        NotMeasuredError: the file cannot be written.
    """
    refuse_unsafe_name(header.machine)
    refuse_unsafe_name(header.run)
    folder = results / "runs" / header.machine
    for path in folder.glob(f"{header.run}*.jsonl"):
        if _is_same(load_run(path), header, records):
            return None
    writer = RunWriter.create(results, header)
    writer.extend(records)
    writer.finish()
    return writer.path


def _is_same(stored: Run, header: Header, records: Sequence[Record]) -> bool:
    """Of what comes from a file the file decides: names of runs may be taken."""
    if not stored.is_complete:
        return False
    if header.origin is None:
        same = msgspec.structs.replace(stored.header, run=header.run) == header
        return same and stored.records == tuple(records)
    return stored.header.origin is not None and _source(stored.header) == _source(header)


def _source(header: Header) -> str | None:
    """The text of the first of its files, which is the one with the times."""
    return next(iter(header.origin.files.values()), None) if header.origin else None
