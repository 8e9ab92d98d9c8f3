"""`gconvbench compare`: two stored runs side by side, honest about what stored data can say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.cli.gate import conclude
from gconvbench.comparing import compare_runs
from gconvbench.errors import UsageError
from gconvbench.store import find_run, is_latest, list_runs, load_unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gconvbench.errors import ExitCode

__all__ = ["compare", "find_side"]

_SHORTEST_COMMIT = 7
_HEX = frozenset("0123456789abcdef")


def compare(  # noqa: PLR0913 (one argument per option)
    baseline: str,
    contender: str,
    *,
    results: Path,
    output: Path | None,
    json: bool,
    selection: Sequence[str],
) -> ExitCode:
    """Print two stored runs side by side; returns the exit code.

    Raises:
        UsageError: no such run, or the same one twice.
    """
    before, after = (load_unchanged(find_side(results, name)) for name in (baseline, contender))
    if before.path.resolve() == after.path.resolve():
        message = f"{baseline!r} and {contender!r} are the same run; name two"
        raise UsageError(message)
    names = selection or (before.path.stem, after.path.stem)
    found = compare_runs(before, after, selection=names)
    return conclude(found, output=output, json=json)


def find_side(results: Path, reference: str) -> Path:
    """A run by file, name or age (sides of gates have none), or the latest one of a commit.

    Raises:
        UsageError: no such run.
    """
    try:
        return find_run(results, reference, with_gates=not is_latest(reference))
    except UsageError:
        of_commit = _of_commit(results, reference.lower())
        if of_commit is None:
            raise
        return of_commit


def _of_commit(results: Path, commit: str) -> Path | None:
    if len(commit) < _SHORTEST_COMMIT or not set(commit) <= _HEX:
        return None
    runs = reversed(list_runs(results))
    return next((path for path in runs if path.stem.split("-")[1:2] == [commit[:7]]), None)
