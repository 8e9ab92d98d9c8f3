"""A run inside pytest-benchmark's JSON: header and records under the key `gconvbench`.

Samples stand once in a file, in pytest-benchmark's `stats.data`; the records point at slices of
them. So the file is pytest-benchmark's own to every reader, and a whole run to this one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from gconvbench.errors import UsageError
from gconvbench.records import CacheMode, Header, Job, Record, decode_line, encode_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "KEY",
    "WITHOUT_DATA",
    "Benchmark",
    "Document",
    "Stats",
    "carried",
    "restored",
    "samples_of",
]

KEY = "gconvbench"
"""At the top of the document."""
WITHOUT_DATA = "one value; saved without data"
"""The label of a time whose samples pytest-benchmark did not keep (no --benchmark-save-data)."""


class Stats(msgspec.Struct, frozen=True):
    """What is read of a benchmark's statistics, in seconds."""

    median: float
    data: tuple[float, ...] | None = None


class Benchmark(msgspec.Struct, frozen=True):
    """What is read of one of pytest-benchmark's."""

    fullname: str
    stats: Stats


class _Carried(msgspec.Struct, frozen=True):
    header: dict[str, Any]
    records: list[dict[str, Any]]


class Document(msgspec.Struct, frozen=True):
    """What is read of one of pytest-benchmark's files.

    Attributes:
        benchmarks: all of them.
        gconvbench: the run inside, where there is one.
    """

    benchmarks: tuple[Benchmark, ...]
    gconvbench: _Carried | None = None


class _Slice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of a benchmark's samples are a timing's."""

    benchmark: str
    start: int
    stop: int


def carried(
    header: Header,
    records: Iterable[Record],
    names: Mapping[tuple[Job, CacheMode], str],
) -> dict[str, Any]:
    """The value of the key `gconvbench`.

    Args:
        header: of the run.
        records: in the order in which a benchmark's `stats.data` has their samples.
        names: the fullname of the benchmark that has the samples of a job in a cache mode. Timings
            without one keep their samples.
    """
    done = Counter[str]()
    return {
        "header": _builtins(header),
        "records": [_pointing(record, names, done) for record in records],
    }


def restored(document: Document) -> tuple[Header, tuple[Record, ...]]:
    """The header and records that `carried` was given.

    Where a benchmark was saved without its data, its median is the one sample of the first timing
    that points at it, with the label `WITHOUT_DATA`; later ones are in that median.

    Raises:
        UsageError: there is no run in it, or it does not fit the benchmarks.
    """
    if document.gconvbench is None:
        message = f"key {KEY!r} is missing; it is another program's file"
        raise UsageError(message)
    stats = {one.fullname: one.stats for one in document.benchmarks}
    header = decode_line(msgspec.json.encode(document.gconvbench.header))
    if not isinstance(header, Header):
        message = f"its key {KEY!r} holds no header"
        raise UsageError(message)
    found = (_record(one, stats) for one in document.gconvbench.records)
    return header, tuple(record for record in found if record is not None)


def samples_of(stats: Stats) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The samples of a benchmark in seconds, and what to know of them."""
    return (stats.data, ()) if stats.data else ((stats.median,), (WITHOUT_DATA,))


def _builtins(line: Header | Record) -> dict[str, Any]:
    """Exactly as stored: numbers that are not finite are null."""
    return msgspec.json.decode(encode_line(line))


def _pointing(
    record: Record,
    names: Mapping[tuple[Job, CacheMode], str],
    done: Counter[str],
) -> dict[str, Any]:
    """A record whose timings point at the next samples of their benchmarks."""
    fields = _builtins(record)
    for timing, stored in zip(record.timings, fields.get("timings", ()), strict=True):
        name = names.get((record.job, timing.cache_mode))
        if name is not None:
            start = done[name]
            done[name] += len(timing.samples_s)
            stored["samples_s"] = {"benchmark": name, "start": start, "stop": done[name]}
    return fields


def _record(fields: dict[str, Any], stats: Mapping[str, Stats]) -> Record | None:
    """The record with its samples; None where all of them are in an earlier one's median."""
    timings = fields.get("timings")
    if isinstance(timings, list) and timings:
        fields = fields | {"timings": list(_timings(timings, stats))}
        if not fields["timings"]:
            return None
    record = decode_line(msgspec.json.encode(fields))
    if not isinstance(record, Record):
        message = f"its key {KEY!r} holds something else among the records"
        raise UsageError(message)
    return record


def _timings(timings: list[Any], stats: Mapping[str, Stats]) -> Iterator[Any]:
    for timing in timings:
        if not isinstance(timing, dict) or not isinstance(timing.get("samples_s"), dict):
            yield timing
            continue
        at = _convert(timing["samples_s"])
        if at.benchmark not in stats:
            message = f"benchmark {at.benchmark!r} is missing, but a record points at its samples"
            raise UsageError(message)
        samples_s, labels = samples_of(stats[at.benchmark])
        if not labels:
            yield timing | {"samples_s": samples_s[at.start : at.stop]}
        elif at.start == 0:
            known = timing.get("labels")
            labels = (*(known if isinstance(known, list) else ()), *labels)
            yield timing | {"samples_s": samples_s, "labels": labels}


def _convert(fields: dict[str, Any]) -> _Slice:
    try:
        return msgspec.convert(fields, _Slice)
    except msgspec.ValidationError as error:
        message = f"a record points at no samples: {error}"
        raise UsageError(message) from None
