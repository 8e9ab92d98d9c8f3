"""asv's history as runs: one for each machine, commit and environment."""

from __future__ import annotations

import ast
import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.asv_files import (
    AsvFile,
    AsvResults,
    AsvValue,
    asv_benchmarks,
    asv_files,
    asv_values,
    commit_time,
    label_of,
)
from gconvbench.errors import UsageError, refused_name
from gconvbench.interchange.asv_facts import Place, place_of
from gconvbench.interchange.asv_verbatim import BENCHMARKS, MACHINE
from gconvbench.interchange.foreign import (
    BENCHMARK,
    as_seconds,
    plan_of,
    record_of_times,
    timing_of,
)
from gconvbench.interchange.storing import run_name
from gconvbench.interchange.suite import Family
from gconvbench.records import (
    CacheMode,
    Header,
    Job,
    Line,
    Method,
    Origin,
    Record,
    Timing,
    encode_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["AsvRuns", "read_asv"]

_SECONDS = "seconds"
_HASH = re.compile(r"[0-9a-f]{64}")
_NO_SAMPLES = "one value; asv stored no samples"
_LONGEST = 1000
"""Characters of a parameter that are looked at."""
_Mode = CacheMode


class AsvRuns(NamedTuple):
    """What was found in a folder.

    Attributes:
        runs: header and records of each result file with times, by the date of its commit.
        without_times: how many files have no benchmark in seconds.
        unreadable: how many files asv cannot read, or hold what asv would not write.
    """

    runs: list[tuple[Header, list[Record]]]
    without_times: int
    unreadable: int


def read_asv(folder: Path, machine: str | None = None) -> AsvRuns:
    """Read all results of a folder, or those of one machine.

    Raises:
        UsageError: asv is not installed, no such folder or machine, or nothing that asv can read.
    """
    files, unreadable = asv_files(folder, needed_by="import asv")
    known = asv_benchmarks(folder) or {}
    machines = sorted({str(one.results.params.get("machine")) for one in files})
    if not machines:
        message = (
            f"folder {str(folder)!r} holds no result that asv can read; "
            "name asv's results_dir, with a machine.json in each machine's folder"
        )
        raise UsageError(message)
    if machine is not None and machine not in machines:
        raise UsageError(refused_name("machine", machine, machines))
    runs: list[tuple[Header, list[Record]]] = []
    without_times = 0
    for file in sorted(files, key=lambda one: (one.results.date, one.path)):
        if machine is not None and file.results.params.get("machine") != machine:
            continue
        try:
            header, records = _run(file, folder, known)
        except (OSError, ValueError, ArithmeticError, AttributeError, TypeError, RecursionError):
            unreadable += 1
            continue
        if records:
            runs.append((header, records))
        else:
            without_times += 1
    return AsvRuns(runs, without_times, unreadable)


def _run(
    file: AsvFile, folder: Path, known: Mapping[str, Mapping[str, object]]
) -> tuple[Header, list[Record]]:
    """One file as a run.

    Raises:
        ValueError: or another error of its kind, if asv would not have written it.
    """
    results = file.results
    machine_path = file.path.parent / MACHINE
    files = {one: (folder / one).read_bytes().decode() for one in _names(folder, file.path)}
    place = place_of(results, files[machine_path.relative_to(folder).as_posix()])
    entries = {one: known[one] for one in results.get_all_result_keys() if one in known}
    files[BENCHMARKS] = json.dumps(entries)
    values = [one for one in asv_values(results) if _is_time(one, known)]
    records = list(_records(values, place))
    header = _header(results, place, records, files, is_ours=any(map(_family, values)))
    lines: tuple[Line, ...] = (header, *records)
    for line in lines:
        encode_line(line)
    return header, records


def _names(folder: Path, path: Path) -> tuple[str, str]:
    """The result file and its machine's, below the folder."""
    return path.relative_to(folder).as_posix(), (
        (path.parent / MACHINE).relative_to(folder).as_posix()
    )


def _header(
    results: AsvResults,
    place: Place,
    records: list[Record],
    files: dict[str, str],
    *,
    is_ours: bool,
) -> Header:
    modes = dict.fromkeys(timing.cache_mode for one in records for timing in one.timings)
    committed = commit_time(results)
    method = Method(
        clock="cuda_events" if is_ours and place.has_gpu else "host",
        cache_modes=tuple(modes) or ("hot",),
        target=1.0,
        threads=place.threads,
    )
    if not is_ours:
        method = msgspec.structs.replace(method, inputs="those of asv's benchmarks")
    return Header(
        run=run_name(committed.strftime("%Y%m%dT%H%M%SZ"), str(results.commit_hash)),
        created=(_started(results) or committed).isoformat(),
        plan=plan_of(records),
        method=method,
        environment=place.environment,
        device="cuda" if place.has_gpu else "cpu",
        machine=place.machine,
        origin=Origin(tool="asv", files=files),
    )


def _started(results: AsvResults) -> datetime | None:
    """When the first benchmark began, where asv says so."""
    found = [one for one in results.started_at.values() if isinstance(one, int | float) and one]
    return datetime.fromtimestamp(min(found) / 1000, UTC) if found else None


def _is_time(value: AsvValue, known: Mapping[str, Mapping[str, object]]) -> bool:
    """By its unit; where asv does not say any more, by its name, which begins as asv wants it."""
    unit = known.get(value.benchmark, {}).get("unit")
    if unit is not None:
        return unit == _SECONDS
    last = value.benchmark.rpartition(".")[2]
    return last.startswith(("time", "track_time" if _family(value) else "time"))


def _family(value: AsvValue) -> Family | None:
    return Family.of_version(value.version)


def _records(values: Iterable[AsvValue], place: Place) -> Iterator[Record]:
    """One per job; of several values for the same job and cache mode the first is taken."""
    found: dict[Job, dict[_Mode, AsvValue]] = {}
    for value in values:
        if (job := _job(value)) is not None:
            found.setdefault(job, {}).setdefault(_mode(value, place), value)
    for job, of_job in found.items():
        timings = [one for mode, value in of_job.items() if (one := _timing(value, mode))]
        if not timings and all(_is_nan(value.value) for value in of_job.values()):
            yield Record(job=job, round=1, outcome="unsupported", detail="skipped in asv")
        else:
            yield record_of_times(job, timings, _why_none(of_job.values()))


def _job(value: AsvValue) -> Job | None:
    """What was measured; None where our own suite left out an impossible combination."""
    family = _family(value)
    if family is None:
        return Job(label_of(value), _version(value.version))
    try:
        return family.job([_literal(word) for word in value.words])
    except (UsageError, ValueError):
        has_value = value.value is not None and not _is_nan(value.value)
        return Job(label_of(value), _version(value.version)) if has_value else None


def _literal(word: str) -> object:
    try:
        return ast.literal_eval(word) if len(word) <= _LONGEST else word
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return word


def _version(version: str) -> str:
    """What stands in an implementation's place: another version is another thing to measure."""
    shown = version[:8] if _HASH.fullmatch(version) else version
    return f"version {shown}" if shown else BENCHMARK


def _mode(value: AsvValue, place: Place) -> _Mode:
    """Said by a name of ours, else as gconvbench does it on such a device."""
    if _family(value) is None:
        return "hot"
    for mode in ("hot", "cold"):
        if value.benchmark.endswith(f"_{mode}"):
            return mode
    return "cold" if place.has_gpu else "hot"


def _timing(value: AsvValue, mode: _Mode) -> Timing | None:
    if as_seconds(value.value) is None:
        return None
    if samples_s := as_seconds(value.samples):
        return timing_of(samples_s, mode=mode, launches=value.number)
    alone = as_seconds(value.value) or ()
    return timing_of(alone, mode=mode, launches=value.number, label=_NO_SAMPLES)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _why_none(values: Iterable[AsvValue]) -> str:
    strange = [one.value for one in values if one.value is not None and not _is_nan(one.value)]
    return f"asv stored {strange[0]}, which is no time" if strange else "asv stored no value"
