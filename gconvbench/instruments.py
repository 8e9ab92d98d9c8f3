"""What was found out about a device, on disk beside its runs: `<UTC time>-<commit>.<kind>.json`.

Written once, never changed. The newest of a kind counts.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, TypeVar

import msgspec

from gconvbench.errors import NotMeasuredError, UsageError
from gconvbench.records import DoctorDocument, InstrumentDocument, RooflineDocument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["is_document", "latest_document", "read_document", "store_document"]

_KINDS: dict[type[InstrumentDocument], str] = {
    RooflineDocument: "roofline",
    DoctorDocument: "doctor",
}
_Found = TypeVar("_Found", RooflineDocument, DoctorDocument)


def store_document(results: Path, document: InstrumentDocument) -> Path:
    """Write it to a file of its own below `results/runs/<machine>/`; returns which.

    Raises:
        NotMeasuredError: it cannot be written.
    """
    folder = results / "runs" / document.machine
    data = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _candidates(folder, document):
            with contextlib.suppress(FileExistsError), path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                return path
    except OSError as error:
        message = (
            f"results cannot be stored in {str(folder)!r}: {error.strerror}; "
            "free it, or name another folder with --results"
        )
        raise NotMeasuredError(message) from None
    raise AssertionError  # the candidates never end


def latest_document(results: Path, machine: str, kind: type[_Found]) -> _Found | None:
    """The newest readable one of a machine, or None."""
    for path in sorted((results / "runs" / machine).glob(f"*.{_KINDS[kind]}.json"), reverse=True):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(path.read_bytes(), type=kind)
    return None


def is_document(path: Path) -> bool:
    """Whether a file's name is that of a document about a device."""
    return path.name.endswith(tuple(f".{kind}.json" for kind in _KINDS.values()))


def read_document(path: Path) -> InstrumentDocument:
    """Read one.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=InstrumentDocument)
    except OSError as error:
        message = f"document {str(path)!r} cannot be read: {error.strerror}"
    except msgspec.MsgspecError as error:
        message = f"document {str(path)!r} is not what its name says: {error}; measure it again"
    raise UsageError(message)


def _candidates(folder: Path, document: InstrumentDocument) -> Iterator[Path]:
    kind = _KINDS[type(document)]
    yield folder / f"{document.name}.{kind}.json"
    for number in itertools.count(2):
        yield folder / f"{document.name}-{number}.{kind}.json"
