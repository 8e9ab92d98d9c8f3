"""asv's own files, kept whole in a run's origin and written back as they were."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from gconvbench.errors import UsageError
from gconvbench.interchange.asv_benchmarks import merge_benchmarks

if TYPE_CHECKING:
    from gconvbench.records import Origin

__all__ = ["BENCHMARKS", "MACHINE", "write_back"]

BENCHMARKS, MACHINE = "benchmarks.json", "machine.json"


def write_back(origin: Origin, folder: Path) -> Path:
    """Write the files of a run that was read from asv; returns the path of the result file.

    Raises:
        UsageError: one of them is there and differs, or has a path that leads elsewhere.
    """
    texts = {_path(folder, name): text for name, text in origin.files.items() if name != BENCHMARKS}
    for path, text in texts.items():
        if path.exists() and path.read_bytes() != text.encode():
            message = f"file {str(path)!r} is there and differs; name another folder with -o"
            raise UsageError(message)
    entries = _entries(origin.files.get(BENCHMARKS, "{}"))
    folder.mkdir(parents=True, exist_ok=True)
    merge_benchmarks(folder, entries, is_newer=False)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return next(iter(texts), folder)


def _path(folder: Path, name: str) -> Path:
    """Where a file belongs; names in a run may come from anybody."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or parts[0] == "/" or "\\" in name or "\0" in name:
        message = f"file {name[:100]!r} would leave the folder {str(folder)!r}"
        raise UsageError(message)
    return folder.joinpath(*parts)


def _entries(text: str) -> dict[str, dict[str, Any]]:
    """By name."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    entries = found if isinstance(found, dict) else {"": None}
    known = {name: one for name, one in entries.items() if isinstance(one, dict)}
    if len(known) < len(entries):
        message = f"what the run keeps of asv's {BENCHMARKS} cannot be read"
        raise UsageError(message)
    return known
