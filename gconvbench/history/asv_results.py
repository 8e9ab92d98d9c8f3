"""Series from a directory of asv's results, read by asv itself."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from gconvbench.errors import UsageError, refused_name
from gconvbench.history.series import History, HistoryRun, Key, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["asv_history"]

_Point = tuple[int, str]
"""Date of the commit in milliseconds since 1970, and its hash."""


_SHORTEST_VERSION = 8
_UNREADABLE = "a file that is no result of asv"


class _Results(Protocol):
    """What is used of `asv.results.Results`."""

    commit_hash: str
    date: int
    env_name: str
    params: dict[str, str]
    benchmark_version: dict[str, str | None]

    def get_all_result_keys(self) -> Iterable[str]: ...
    def get_result_params(self, key: str) -> list[list[str]] | None: ...
    def get_result_value(self, key: str, params: list[list[str]]) -> list[float] | None: ...


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
    found: dict[str, list[_Results]] = {}
    results, unreadable = _results(folder)
    for one in results:
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


def _results(folder: Path) -> tuple[list[_Results], int]:
    """What asv can read, and how many files it cannot, or that hold something else."""
    if not folder.is_dir():
        message = f"folder {str(folder)!r} does not exist; name asv's results_dir"
        raise UsageError(message)
    try:
        from asv.results import (  # noqa: PLC0415 (optional, and slow to import)
            Results,
            iter_results_paths,
        )
    except ModuleNotFoundError as error:
        message = f"--asv needs {error.name}; pip install 'asv>=0.6.6'"
        raise UsageError(message) from None
    found: list[_Results] = []
    unreadable = 0
    for root, name, machine in iter_results_paths(str(folder)):
        try:
            one = Results.load(os.path.join(root, name), machine_name=machine)  # noqa: PTH118
            _text(int(one.date))
            list(_values(one))
        except Exception:  # noqa: BLE001 (asv does not look at what it loads)
            unreadable += 1
        else:
            found.append(one)
    return found, unreadable


def _units(folder: Path) -> dict[str, str]:
    """By benchmark; asv keeps them beside the results, or not at all."""
    from asv.benchmarks import Benchmarks  # noqa: PLC0415
    from asv.util import UserError, load_json  # noqa: PLC0415

    try:
        known = load_json(str(folder / "benchmarks.json"), Benchmarks.api_version)
    except (OSError, ValueError, UserError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {name: str(one.get("unit", "")) for name, one in known.items() if isinstance(one, dict)}


def _history(
    machine: str, results: list[_Results], units: dict[str, str], left_out: dict[str, int]
) -> History:
    points = sorted({(int(one.date), str(one.commit_hash)) for one in results})
    environments = {one.env_name for one in results}
    values: dict[Key, dict[_Point, float]] = {}
    unit_of: dict[Key, str] = {}
    for one in results:
        where = one.env_name if len(environments) > 1 else ""
        for benchmark, label, version, value in _values(one):
            key = Key(f"{benchmark}{label}", where, version)
            values.setdefault(key, {})[int(one.date), str(one.commit_hash)] = value
            unit_of[key] = units.get(benchmark, "")
    return History(
        machine=machine,
        runs=tuple(HistoryRun(name=h, created=_text(date), commit=h) for date, h in points),
        series=_with_short_versions({
            key: Series(key=key, values=tuple(map(found.get, points)), unit=unit_of[key])
            for key, found in sorted(values.items())
        }),
        left_out=left_out,
    )  # fmt: skip


def _values(result: _Results) -> Iterator[tuple[str, str, str, float]]:
    """Benchmark, parameters, version and value of everything that was measured."""
    for benchmark in result.get_all_result_keys():
        params = result.get_result_params(benchmark) or []
        version = str(result.benchmark_version.get(benchmark) or "")
        combinations = itertools.product(*params)
        for words, value in zip(combinations, _measured(result, benchmark, params), strict=False):
            if isinstance(value, int | float) and not isinstance(value, bool):
                label = f"({', '.join(map(str, words))})" if words else ""
                yield benchmark, label, version, float(value)


def _measured(result: _Results, benchmark: str, params: list[list[str]]) -> list[float]:
    """By combination of parameters; None where all of them failed."""
    return result.get_result_value(benchmark, params) or []


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


def _text(date_ms: int) -> str:
    return datetime.fromtimestamp(date_ms / 1000, UTC).isoformat()
