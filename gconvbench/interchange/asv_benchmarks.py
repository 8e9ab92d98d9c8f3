"""asv's benchmarks.json, which says what the results of each benchmark are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gconvbench.asv_files import asv_benchmarks
from gconvbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["merge_benchmarks"]


def merge_benchmarks(
    folder: Path, entries: Mapping[str, dict[str, Any]], *, is_newer: bool = True
) -> None:
    """Add benchmarks to those that a folder knows.

    asv shows of a benchmark the combinations that stand there, so those of other runs stay.

    Args:
        folder: asv's `results_dir`.
        entries: of benchmarks, by name.
        is_newer: whether they win over those there where the versions differ.

    Raises:
        UsageError: the file there cannot be read.
    """
    from asv.benchmarks import Benchmarks  # noqa: PLC0415
    from asv.util import write_json  # noqa: PLC0415

    path = folder / "benchmarks.json"
    known = asv_benchmarks(folder)
    if known is None:
        message = f"file {str(path)!r} is none that asv can read; move it away"
        raise UsageError(message)
    for name, entry in entries.items():
        there = known.get(name)
        if there is None or (is_newer and there.get("version") != entry.get("version")):
            known[name] = entry
        elif there.get("version") == entry.get("version"):
            known[name] = _united(there, entry)
    write_json(str(path), known, Benchmarks.api_version)


def _united(there: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """The one there, with the values of both for every parameter."""
    both = there.get("params"), entry.get("params")
    if both[0] == both[1] or not all(isinstance(params, list) for params in both):
        return there
    pairs = zip(both[0] or [], both[1] or [], strict=False)
    params = [list(dict.fromkeys(map(str, [*old, *new]))) for old, new in pairs]
    return {**there, "params": params}
