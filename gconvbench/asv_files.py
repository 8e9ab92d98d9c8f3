"""asv's result files, read by asv itself, which is imported when the first of them is."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gconvbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "AsvFile",
    "AsvResults",
    "AsvValue",
    "asv_benchmarks",
    "asv_files",
    "asv_is_missing",
    "asv_values",
    "commit_time",
    "label_of",
]

_MOST_COMBINATIONS = 1_000_000
"""Of parameters, in a file that is to be believed: asv makes a list of all of them."""


class AsvResults(Protocol):
    """What is used of `asv.results.Results`."""

    commit_hash: str
    date: int
    env_name: str
    env_vars: dict[str, Any]
    params: dict[str, Any]
    started_at: dict[str, Any]
    benchmark_version: dict[str, str | None]

    def get_all_result_keys(self) -> Iterable[str]:
        """The benchmarks."""
        ...

    def get_result_params(self, key: str) -> list[list[str]] | None:
        """The values of each parameter."""
        ...

    def get_result_value(self, key: str, params: list[list[str]]) -> list[Any] | None:
        """By combination."""
        ...

    def get_result_samples(self, key: str, params: list[list[str]]) -> list[Any] | None:
        """By combination, where asv has them."""
        ...

    def get_result_stats(self, key: str, params: list[list[str]]) -> list[Any] | None:
        """Likewise, by their names."""
        ...


class AsvFile(NamedTuple):
    """A result file: one machine, commit and environment."""

    path: Path
    results: AsvResults


class AsvValue(NamedTuple):
    """What asv has of one combination of a benchmark's parameters.

    Attributes:
        benchmark: its name.
        words: the parameters as asv writes them, the `repr` of each.
        version: of the benchmark; empty where asv has none.
        value: a number, NaN where it was skipped, None where it failed.
        samples: as asv has them; None where it has none.
        number: launches per sample, likewise.
    """

    benchmark: str
    words: tuple[str, ...]
    version: str
    value: object
    samples: object
    number: object


def asv_files(folder: Path, *, needed_by: str) -> tuple[list[AsvFile], int]:
    """What asv can read, and how many files it cannot, or that hold something else.

    Args:
        folder: asv's `results_dir`.
        needed_by: what asv has to be installed for, such as `--asv`.

    Raises:
        UsageError: asv is not installed, there is no such folder, or asv cannot walk it.
    """
    if not folder.is_dir():
        message = f"folder {str(folder)!r} does not exist; name asv's results_dir"
        raise UsageError(message)
    try:
        from asv.results import (  # noqa: PLC0415 (optional, and slow to import)
            Results,
            iter_results_paths,
        )
    except ModuleNotFoundError as error:
        raise asv_is_missing(needed_by, error) from None
    found: list[AsvFile] = []
    unreadable = 0
    for root, name, machine in _walked(folder, iter_results_paths):
        path = Path(root, name)
        try:
            one = Results.load(str(path), machine_name=machine)
            commit_time(one)
            list(asv_values(one))
        except Exception:  # noqa: BLE001 (asv does not look at what it loads)
            unreadable += 1
        else:
            found.append(AsvFile(path, one))
    return found, unreadable


def asv_is_missing(needed_by: str, error: ModuleNotFoundError) -> UsageError:
    """What to say where asv is not installed."""
    return UsageError(f"{needed_by} needs {error.name}; pip install 'asv>=0.6.6'")


def _walked(folder: Path, walk: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401
    """Folder, name and machine of each file."""
    try:
        yield from sorted(walk(str(folder)))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as e:
        message = f"folder {str(folder)!r} holds a machine.json that asv cannot read: {e}"
        raise UsageError(message) from None


def asv_benchmarks(folder: Path) -> dict[str, dict[str, Any]] | None:
    """What asv says of each benchmark beside the results; None where that cannot be read."""
    from asv.benchmarks import Benchmarks  # noqa: PLC0415
    from asv.util import UserError, load_json  # noqa: PLC0415

    try:
        known = load_json(str(folder / "benchmarks.json"), Benchmarks.api_version)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, UserError):
        return None
    if not isinstance(known, dict):
        return None
    return {name: one for name, one in known.items() if isinstance(one, dict)}


def asv_values(results: AsvResults) -> Iterator[AsvValue]:
    """Every combination of every benchmark, in asv's order.

    Raises:
        ValueError: more combinations than a benchmark can have.
    """
    for benchmark in results.get_all_result_keys():
        params = results.get_result_params(benchmark) or []
        if (count := math.prod(map(len, params))) > _MOST_COMBINATIONS:
            message = f"{count} combinations of parameters"
            raise ValueError(message)
        version = str(results.benchmark_version.get(benchmark) or "")
        for words, value, samples, stats in zip(
            itertools.product(*params),
            results.get_result_value(benchmark, params) or [],
            results.get_result_samples(benchmark, params) or [],
            results.get_result_stats(benchmark, params) or [],
            strict=False,
        ):
            number = stats.get("number") if isinstance(stats, dict) else None
            texts = tuple(map(str, words))
            yield AsvValue(benchmark, texts, version, value, samples, number)


def label_of(value: AsvValue) -> str:
    """The benchmark with its parameters, as asv prints it."""
    return f"{value.benchmark}({', '.join(value.words)})" if value.words else value.benchmark


def commit_time(results: AsvResults) -> datetime:
    """When the commit was made, which asv keeps in milliseconds since 1970."""
    return datetime.fromtimestamp(int(results.date) / 1000, UTC)
