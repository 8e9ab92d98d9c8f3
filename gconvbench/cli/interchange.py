"""`gconvbench export` and `gconvbench import`: other tools' files; works without torch."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from gconvbench.errors import NotMeasuredError, UsageError
from gconvbench.interchange.storing import store_imported
from gconvbench.store import find_run, load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gconvbench.store import Run

__all__ = [
    "csv_text",
    "export_csv",
    "export_to_asv",
    "export_to_github_action",
    "export_to_pytest_benchmark",
    "import_from_asv",
    "import_from_pytest_benchmark",
]


def export_to_asv(reference: str, results: Path, folder: Path | None) -> int:
    """Write a stored run into asv's results; returns the exit code.

    Raises:
        UsageError: no such run, or one that asv has no place for.
    """
    from gconvbench.interchange.asv_export import export_asv  # noqa: PLC0415 (reads much)

    written = export_asv(_load(reference, results), folder or results / "asv")
    if written.left_out:
        _note(f"{written.left_out} job(s) are no cases and were left out")
    _note(f"written to {written.path}")
    return 0


def export_to_pytest_benchmark(reference: str, results: Path, path: Path | None) -> int:
    """Print or write pytest-benchmark's document of a stored run; returns the exit code.

    Raises:
        UsageError: no such run, or one without times.
    """
    from gconvbench.interchange.pytest_export import pytest_text  # noqa: PLC0415

    return _export(reference, results, path, pytest_text)


def export_to_github_action(reference: str, results: Path, path: Path | None) -> int:
    """Print or write github-action-benchmark's list of a stored run; returns the exit code.

    Raises:
        UsageError: no such run, or one without times.
    """
    from gconvbench.interchange.github_action import github_action_text  # noqa: PLC0415

    return _export(reference, results, path, github_action_text)


def export_csv(reference: str, results: Path, path: Path | None) -> int:
    """Print or write the rows of `show --csv`; returns the exit code.

    Raises:
        UsageError: no such run.
    """
    return _export(reference, results, path, csv_text)


def csv_text(run: Run) -> str:
    """One row per record and cache mode."""
    from gconvbench.report.frame import to_frame  # noqa: PLC0415 (pandas is slow to import)

    stream = io.StringIO()
    to_frame(run).to_csv(stream, index=False)
    return stream.getvalue()


def import_from_asv(folder: Path, results: Path, machine: str | None) -> int:
    """Store asv's results as runs; returns the exit code.

    Raises:
        UsageError: no such folder or machine, or nothing that asv can read.
    """
    from gconvbench.interchange.asv_import import read_asv  # noqa: PLC0415

    found = read_asv(folder, machine)
    stored = [store_imported(results, header, records) for header, records in found.runs]
    paths = [path for path in stored if path is not None]
    _say_stored(paths, len(stored) - len(paths), results)
    if found.without_times:
        _note(f"{found.without_times} file(s) without a benchmark in seconds were left out")
    if found.unreadable:
        _note(f"{found.unreadable} file(s) could not be read and were left out")
    return 0


def import_from_pytest_benchmark(files: Sequence[Path], results: Path) -> int:
    """Store pytest-benchmark's files as runs; returns the exit code.

    All files are read before the first is stored.

    Raises:
        UsageError: one of them is none of pytest-benchmark.
    """
    from gconvbench.interchange.pytest_import import read_pytest_file  # noqa: PLC0415

    found = [read_pytest_file(path) for path in files]
    stored = [store_imported(results, one.header, one.records) for one in found]
    paths = [path for path in stored if path is not None]
    _say_stored(paths, len(stored) - len(paths), results)
    if left_out := sum(one.left_out for one in found):
        _note(f"{left_out} benchmark(s) beside the runs inside were left out")
    return 0


def _load(reference: str, results: Path) -> Run:
    run = load_run(find_run(results, reference))
    if run.unreadable:
        _note(f"{run.unreadable} line(s) could not be read")
    return run


def _export(reference: str, results: Path, path: Path | None, text_of: Callable[[Run], str]) -> int:
    text = text_of(_load(reference, results))
    if path is None:
        sys.stdout.write(text)
        return 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    except OSError as error:
        message = f"file {str(path)!r} cannot be written: {error.strerror}; name another with -o"
        raise NotMeasuredError(message) from None
    _note(f"written to {path}")
    return 0


def _say_stored(paths: Sequence[Path], known: int, results: Path) -> None:
    if len(paths) == 1:
        _note(f"written to {paths[0]}")
    elif paths:
        _note(f"{len(paths)} runs written to {results / 'runs'}")
    if known:
        _note(f"{known} run(s) were there already")
    if not paths and not known:
        message = "nothing was stored: there is no time in any of the files"
        raise UsageError(message)


def _note(message: str) -> None:
    print(f"gconvbench: {message}", file=sys.stderr)
