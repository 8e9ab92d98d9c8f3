"""Runs on disk: `results/runs/<machine>/<UTC time>-<commit>.jsonl`, appended, never rewritten.

Each append is one line, flushed to the disk before the next job starts. A file without a footer is
a run that was interrupted. Lines that cannot be read, wherever they stand, are counted and left.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gconvbench.errors import NotMeasuredError, UsageError, refused_name
from gconvbench.records import (
    SCHEMA,
    Footer,
    Header,
    Job,
    KernelLine,
    Line,
    Record,
    decode_line,
    encode_line,
    united_dispatch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Run",
    "RunWriter",
    "earlier_runs",
    "find_run",
    "is_latest",
    "latest_runs",
    "list_runs",
    "load_run",
    "load_unchanged",
    "with_kernels",
]

_SUFFIX = ".jsonl"
_NUMBERED = re.compile(r"([^-]+-[^-]+)-(\d{1,9})")
_LATEST_RUNS = 20
"""So many are read to learn from them; more would take seconds."""
_LATEST = re.compile(r"latest(?:~(\d{1,9}))?")


class Run(msgspec.Struct, frozen=True):
    """A stored run as far as it could be read.

    Attributes:
        path: where it is.
        header: its first line.
        records: in the order they were appended, with the kernels that were seen later; of two for
            the same job and round the first.
        footer: None where the run was interrupted.
        unreadable: how many lines could not be read.
        intact: whether the footer's checksum holds; None without a footer.
    """

    path: Path
    header: Header
    records: tuple[Record, ...]
    footer: Footer | None
    unreadable: int
    intact: bool | None

    @property
    def is_complete(self) -> bool:
        """Whether the run ended by itself and nothing was changed since."""
        return self.footer is not None and bool(self.intact)


class RunWriter:
    """Appends lines to one run's file; every line is on the disk when `append` returns.

    Raises:
        NotMeasuredError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, header: Header) -> RunWriter:
        """Start a file for a new run; of two runs in one second the later gets a number."""
        folder = results / "runs" / header.machine
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = _claim(folder, header.run)
        except OSError as error:
            raise _cannot_store(folder, error) from None
        writer = cls(path)
        writer.append(msgspec.structs.replace(header, run=path.name.removesuffix(_SUFFIX)))
        return writer

    def append(self, line: Line) -> None:
        """Add one line."""
        self._write(encode_line(line) + b"\n")

    def extend(self, lines: Iterable[Line]) -> None:
        """Add lines that were measured elsewhere, which need not be saved one by one."""
        self._write(b"".join(encode_line(line) + b"\n" for line in lines))

    def mend(self) -> None:
        """End a line that an interruption may have torn, so that the next one is whole."""
        self._write(b"\n")

    def finish(self) -> Footer:
        """Add the footer: records per outcome and the checksum of everything above.

        The file is read line by line, so that a long run needs no more memory than a short one.
        """
        digest, counts, seen = hashlib.sha256(), Counter[str](), set[tuple[Job, int]]()
        with self.path.open("rb") as lines:
            for raw in lines:
                digest.update(raw)
                line = _decoded(raw)
                if isinstance(line, Record) and (line.job, line.round) not in seen:
                    seen.add((line.job, line.round))
                    counts[line.outcome] += 1
        footer = Footer(counts=dict(counts), sha256=digest.hexdigest())
        self.append(footer)
        return footer

    def _write(self, data: bytes) -> None:
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _cannot_store(self.path, error) from None


def load_run(path: Path) -> Run:
    """Read a run as far as it goes.

    Raises:
        UsageError: no such file, or no header of a known schema in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"run {str(path)!r} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    lines = [(raw, _decoded(raw)) for raw in data.splitlines(keepends=True)]
    header = next((line for _, line in lines if isinstance(line, Header)), None)
    if header is None:
        raise UsageError(_why_no_header(path, data))
    records: dict[tuple[Job, int], Record] = {}
    for _, line in lines:
        if isinstance(line, Record):
            records.setdefault((line.job, line.round), line)
        elif isinstance(line, KernelLine) and (known := records.get((line.job, line.round))):
            records[line.job, line.round] = with_kernels(known, line)
    footer, intact = _footer(lines)
    unreadable = sum(1 for raw, line in lines if line is None and raw.strip())
    return Run(path, header, tuple(records.values()), footer, unreadable, intact)


def with_kernels(record: Record, line: KernelLine) -> Record:
    """The record with the kernels that were seen later."""
    dispatch = united_dispatch((record.dispatch, line.dispatch))
    return msgspec.structs.replace(record, dispatch=dispatch)


def load_unchanged(path: Path) -> Run:
    """Read a run to compare it: whole, or as far as it went before an interruption.

    Raises:
        UsageError: as `load_run`, or its checksum does not hold.
    """
    run = load_run(path)
    if run.intact is False:
        message = (
            f"run {str(path)!r} was changed after it was written: its checksum does not hold; "
            "measure it again"
        )
        raise UsageError(message)
    return run


def _footer(lines: list[tuple[bytes, Line | None]]) -> tuple[Footer | None, bool | None]:
    """The footer, and whether it is the last line and its checksum that of all above it."""
    digest = hashlib.sha256()
    for number, (raw, line) in enumerate(lines, start=1):
        if isinstance(line, Footer):
            return line, digest.hexdigest() == line.sha256 and number == len(lines)
        digest.update(raw)
    return None, None


def _why_no_header(path: Path, data: bytes) -> str:
    """A newer schema may not decode; its number is still there to be read."""
    with contextlib.suppress(msgspec.MsgspecError, IndexError):
        found = msgspec.json.decode(data.splitlines()[0], type=_AnyHeader).schema
        if found > SCHEMA:
            return (
                f"run {str(path)!r} has schema {found}, this version reads up to {SCHEMA}; "
                "install a newer gconvbench"
            )
    return f"run {str(path)!r} has no readable header; it is not a stored run of gconvbench"


class _AnyHeader(msgspec.Struct):
    schema: int


def list_runs(results: Path) -> list[Path]:
    """All stored runs, oldest first."""
    return sorted((results / "runs").glob(f"*/*{_SUFFIX}"), key=_age)


def latest_runs(results: Path, machine: str, *, before: Path | None = None) -> list[Run]:
    """The latest readable runs of a machine, newest first; with `before` older ones than that."""
    paths = [path for path in list_runs(results) if path.parent.name == machine]
    if before is not None:
        paths = [path for path in paths if _age(path) < _age(before)]
    found = []
    for path in reversed(paths[-_LATEST_RUNS:]):
        with contextlib.suppress(UsageError):
            found.append(load_run(path))
    return found


def earlier_runs(results: Path, run: Run) -> list[Run]:
    """The latest runs of the same machine and seed before this one, newest first."""
    found = latest_runs(results, run.header.machine, before=run.path)
    return [one for one in found if one.header.method.seed == run.header.method.seed]


def _age(path: Path) -> tuple[str, int, str, str]:
    """Order of creation: the name's time, then the number of a run within the same second."""
    match = _NUMBERED.fullmatch(path.stem)
    name, number = (match[1], int(match[2])) if match else (path.stem, 1)
    second, _, commit = name.partition("-")
    return second, number, commit, path.parent.name


def is_latest(reference: str) -> bool:
    """Whether this names a run by its age: `latest`, `latest~1`."""
    return _LATEST.fullmatch(reference) is not None


def find_run(results: Path, reference: str, *, with_gates: bool = True) -> Path:
    """The run meant by a path, `latest`, `latest~1`, or a run's name or the start of it.

    Args:
        results: where runs are stored.
        reference: which.
        with_gates: whether it may be a side of a gate.

    Raises:
        UsageError: no such run, or more than one.
    """
    with contextlib.suppress(OSError, ValueError):  # too long, or not a path at all
        if Path(reference).is_file():
            return Path(reference)
    runs = [path for path in list_runs(results) if with_gates or not _is_of_gate(path)]
    if not runs:
        kind, hint = "stored runs", ""
        if not with_gates and list_runs(results):
            kind, hint = "stored runs but those of gates", ", and those are found by name or file"
        message = f"no {kind} under {str(results / 'runs')!r}; `gconvbench run` makes one{hint}"
        raise UsageError(message)
    if match := _LATEST.fullmatch(reference):
        return _back(runs, reference, int(match[1] or 0))
    named = [path for path in runs if path.stem == reference]
    named = named or [path for path in runs if path.name.startswith(reference)]
    if len(named) == 1:
        return named[0]
    if named:
        message = f"run {reference!r} could be any of {', '.join(path.stem for path in named[:5])}"
        raise UsageError(message)
    raise UsageError(refused_name("run", reference[:100], ["latest", *(p.stem for p in runs[-5:])]))


def _is_of_gate(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as lines:
        header = _decoded(next(lines, b""))
        return isinstance(header, Header) and header.gate_side is not None
    return False


def _back(runs: list[Path], reference: str, steps: int) -> Path:
    if steps >= len(runs):
        message = f"run {reference!r} does not exist; there are {len(runs)}, up to latest~"
        raise UsageError(message + str(len(runs) - 1))
    return runs[-1 - steps]


def _decoded(raw: bytes) -> Line | None:
    try:
        return decode_line(raw)
    except UsageError:
        return None


def _claim(folder: Path, name: str) -> Path:
    for path in _candidates(folder, name):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            continue
        return path
    raise AssertionError  # the candidates never end


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    """Names with numbers above those of all runs that began in the same second."""
    second = name.partition("-")[0]
    taken = max((_age(path)[1] for path in folder.glob(f"{second}-*{_SUFFIX}")), default=0)
    for number in itertools.count(taken + 1):
        yield folder / f"{name}{f'-{number}' if number > 1 else ''}{_SUFFIX}"


def _cannot_store(path: Path, error: OSError) -> NotMeasuredError:
    return NotMeasuredError(
        f"results cannot be stored in {str(path)!r}: {error.strerror}; "
        "free it, or name another folder with --results"
    )
