"""A file of pytest-benchmark as a run: the one inside it, or one of foreign benchmarks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gconvbench.errors import UsageError
from gconvbench.interchange.carried import WITHOUT_DATA, Document, restored
from gconvbench.interchange.foreign import (
    BENCHMARK,
    as_seconds,
    plan_of,
    record_of_times,
    timing_of,
)
from gconvbench.interchange.storing import folder_name, run_name, slug_of
from gconvbench.records import Environment, Header, Job, Line, Method, Origin, Record, encode_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Imported", "read_pytest_file", "read_pytest_text"]

_INPUTS = "those of pytest-benchmark's tests"
_MISSING = "no median that is a time"


class Imported(NamedTuple):
    """A run out of a file.

    Attributes:
        header: its header.
        records: its records.
        left_out: how many benchmarks of the file are not in it.
    """

    header: Header
    records: tuple[Record, ...]
    left_out: int


class _Foreign(msgspec.Struct, frozen=True):
    """What is read of a benchmark that is not ours; `stats` may hold anything."""

    fullname: str
    stats: dict[str, Any]


class _Whole(msgspec.Struct, frozen=True):
    benchmarks: tuple[_Foreign, ...]
    datetime: str
    machine_info: dict[str, Any] = {}
    commit_info: dict[str, Any] = {}


def read_pytest_file(path: Path) -> Imported:
    """Read a file that pytest-benchmark or `export pytest-benchmark` wrote.

    Raises:
        UsageError: it cannot be read, or is no such file; with the reason in one line.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        message = f"file {str(path)!r} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    except UnicodeDecodeError:
        message = f"file {str(path)!r} is no text in UTF-8, so none of pytest-benchmark"
        raise UsageError(message) from None
    try:
        return read_pytest_text(path.name, text)
    except UsageError as error:
        message = f"file {str(path)!r} is none of pytest-benchmark: {error}"
        raise UsageError(message) from None


def read_pytest_text(name: str, text: str) -> Imported:
    """Read such a file's text.

    Args:
        name: of the file.
        text: all of it.

    Raises:
        UsageError: it is not JSON, or not what pytest-benchmark writes.
    """
    try:
        data = json.loads(text)
        ours = isinstance(data, dict) and data.get("gconvbench") is not None
        if ours:
            found = _ours(msgspec.convert(data, Document))
        else:
            found = _foreign(name, text, msgspec.convert(data, _Whole))
        lines: tuple[Line, ...] = (found.header, *found.records)
        for line in lines:
            encode_line(line)
    except (ValueError, ArithmeticError, RecursionError) as error:  # msgspec's are ValueErrors
        raise UsageError(str(error)) from None
    return found


def _ours(document: Document) -> Imported:
    header, records = restored(document)
    used = {
        timing["samples_s"]["benchmark"]
        for record in (document.gconvbench.records if document.gconvbench else ())
        for timing in record.get("timings") or ()
        if isinstance(timing["samples_s"], dict)
    }
    names = {one.fullname for one in document.benchmarks}
    return Imported(header, records, len(names - used))


def _foreign(name: str, text: str, document: _Whole) -> Imported:
    records: dict[Job, Record] = {}
    for one in document.benchmarks:
        job = Job(one.fullname, BENCHMARK)
        records.setdefault(job, _record(job, one.stats))
    if not records:
        message = "it has no benchmark"
        raise UsageError(message)
    found = tuple(records.values())
    environment = _environment(document)
    measured = _time(document.datetime)
    machine = _machine(document.machine_info, environment)
    header = Header(
        run=run_name(
            measured.strftime("%Y%m%dT%H%M%SZ"), str(environment.under_test["commit"] or "")
        ),
        created=measured.isoformat(),
        plan=plan_of(found),
        method=Method(
            clock="host",
            cache_modes=("hot",),
            target=1.0,
            threads=_threads(environment),
            inputs=_INPUTS,
        ),
        environment=environment,
        device="cuda" if environment.identity.get("device_type") == "cuda" else "cpu",
        machine=machine,
        origin=Origin(tool="pytest-benchmark", files={name: text}),
    )
    return Imported(header, found, len(document.benchmarks) - len(found))


def _record(job: Job, stats: Mapping[str, Any]) -> Record:
    data = stats.get("data")
    samples_s, label = (
        (as_seconds(data), "") if data else (as_seconds(stats.get("median")), WITHOUT_DATA)
    )
    if samples_s is None:
        return record_of_times(job, (), _MISSING)
    timing = timing_of(samples_s, launches=stats.get("iterations"), label=label)
    return record_of_times(job, (timing,), "")


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"its datetime ({text[:50]!r}) is none"
        raise UsageError(message) from None


def _threads(environment: Environment) -> int:
    threads = environment.identity.get("threads")
    return threads if isinstance(threads, int) and threads > 0 else 0


def _environment(document: _Whole) -> Environment:
    """Ours where the plugin wrote it, else what pytest-benchmark says of machine and commit."""
    info, commit = document.machine_info, document.commit_info
    name = _scalar(commit.get("id"))
    of_commit = {
        "commit": None if name in {"unknown", "unversioned"} else name,
        "commit_dirty": bool(commit.get("dirty")),
    }
    ours = info.get("gconvbench")
    if isinstance(ours, dict):
        tested = {**_scalars(ours.get("under_test")), **of_commit}
        identity, soft = _scalars(ours.get("identity")), _scalars(ours.get("soft"))
        return Environment(identity=identity, under_test=tested, soft=soft)
    about_cpu = info.get("cpu")
    cpu = about_cpu if isinstance(about_cpu, dict) else {}
    return Environment(
        identity={
            "device_type": "cpu",
            "device_name": _scalar(cpu.get("brand_raw") or info.get("processor")) or None,
            "architecture": _scalar(info.get("machine")),
            "cores": _scalar(cpu.get("count")),
        },
        under_test=of_commit,
        soft={
            "os": _scalar(info.get("system")),
            "kernel": _scalar(info.get("release")),
            "python": _scalar(info.get("python_version")),
        },
    )


def _scalars(values: object) -> dict[str, Any]:
    return {k: _scalar(v) for k, v in values.items()} if isinstance(values, dict) else {}


def _scalar(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool) else None


def _machine(info: Mapping[str, Any], environment: Environment) -> str:
    """Our own slug where the plugin wrote it, else one of the same kind; never the host's name."""
    ours = info.get("gconvbench")
    if isinstance(ours, dict) and isinstance(ours.get("machine"), str):
        return folder_name(ours["machine"])
    return slug_of(environment)
