"""Series from a directory of asv's results, read by asv itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.asv_files import (
    AsvResults,
    asv_benchmarks,
    asv_files,
    asv_values,
    commit_time,
    label_of,
)
from gconvbench.errors import UsageError, refused_name
from gconvbench.history.series import History, HistoryRun, Key, Series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["asv_history"]

_Point = tuple[int, str]
"""Date of the commit in milliseconds since 1970, and its hash."""


_SHORTEST_VERSION = 8
_UNREADABLE = "a file that is no result of asv"


def asv_history(folder: Path, machine: str | None = None) -> History:
    """All series of one machine: a benchmark's name, its parameters, the environment if several.

    Runs are ordered by the date of their commits. What asv calls a new version of a benchmark
    starts a series of its own.

    Args:
        folder: asv's `results_dir`.
        machine: its name there; None for the one with the newest commit.

    Raises:
        UsageError: asv is not installed, there is no such folder, no result in it that asv can
            read, or no such machine.
    """
    found: dict[str, list[AsvResults]] = {}
    files, unreadable = asv_files(folder, needed_by="--asv")
    for _, one in files:
        found.setdefault(str(one.params.get("machine")), []).append(one)
    if not found:
        message = (
            f"folder {str(folder)!r} holds no result that asv can read; "
            "name asv's results_dir, with a machine.json in each machine's folder"
        )
        raise UsageError(message)
    if machine is None:
        machine = max(found, key=lambda name: max(one.date for one in found[name]))
    if machine not in found:
        raise UsageError(refused_name("machine", machine, sorted(found)))
    left_out = {_UNREADABLE: unreadable} if unreadable else {}
    return _history(machine, found[machine], _units(folder), left_out)


def _units(folder: Path) -> dict[str, str]:
    """By benchmark; asv keeps them beside the results, or not at all."""
    known = asv_benchmarks(folder) or {}
    return {name: str(one.get("unit", "")) for name, one in known.items()}


def _history(
    machine: str, results: list[AsvResults], units: dict[str, str], left_out: dict[str, int]
) -> History:
    points = sorted({(int(one.date), str(one.commit_hash)) for one in results})
    times = {int(one.date): commit_time(one).isoformat() for one in results}
    environments = {one.env_name for one in results}
    values: dict[Key, dict[_Point, float]] = {}
    unit_of: dict[Key, str] = {}
    for one in results:
        where = one.env_name if len(environments) > 1 else ""
        for benchmark, label, version, value in _values(one):
            key = Key(label, where, version)
            values.setdefault(key, {})[int(one.date), str(one.commit_hash)] = value
            unit_of[key] = units.get(benchmark, "")
    return History(
        machine=machine,
        runs=tuple(HistoryRun(name=h, created=times[date], commit=h) for date, h in points),
        series=_with_short_versions({
            key: Series(key=key, values=tuple(map(found.get, points)), unit=unit_of[key])
            for key, found in sorted(values.items())
        }),
        left_out=left_out,
    )  # fmt: skip


def _values(results: AsvResults) -> Iterator[tuple[str, str, str, float]]:
    """Benchmark, its name with parameters, version and value of everything that was measured."""
    for one in asv_values(results):
        if isinstance(one.value, int | float) and not isinstance(one.value, bool):
            yield one.benchmark, label_of(one), one.version, float(one.value)


def _with_short_versions(series: dict[Key, Series]) -> tuple[Series, ...]:
    """A benchmark's version is part of its name only where there are several."""
    versions: dict[tuple[str, str], set[str]] = {}
    for key in series:
        versions.setdefault((key.case, key.implementation), set()).add(key.cache_mode)
    named = []
    for key, one in series.items():
        several = len(versions[key.case, key.implementation]) > 1
        short = f"version {_shortened(key.cache_mode, versions[key.case, key.implementation])}"
        named.append(
            Series(
                key=Key(key.case, key.implementation, short if several else ""),
                values=one.values,
                unit=one.unit,
            )
        )
    return tuple(named)


def _shortened(version: str, among: set[str]) -> str:
    """As many characters as tell it from the others, eight at least."""
    lengths = range(_SHORTEST_VERSION, len(version))
    others = among - {version}
    return next(
        (version[:n] for n in lengths if not any(o.startswith(version[:n]) for o in others)),
        version,
    )
