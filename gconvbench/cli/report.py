"""`gconvbench report`: stored runs as a page or as markdown; works without torch."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gconvbench import __version__
from gconvbench.cli.history import judge_stored
from gconvbench.errors import ExitCode, NotMeasuredError, UsageError
from gconvbench.history import collect_series
from gconvbench.report.gather import gather
from gconvbench.report.page.render import to_page
from gconvbench.report.table import state_lines
from gconvbench.store import find_run, list_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.history import Judged
    from gconvbench.report.gather import Gathered, Machine

__all__ = ["write_report"]

_WARNINGS = 5


def write_report(
    references: Sequence[str],
    results: Path,
    *,
    output: Path | None,
    form: Literal["html", "markdown"],
) -> int:
    """Write a page or markdown of stored runs; returns the exit code.

    Args:
        references: runs; none means all that are stored, sides of gates left out.
        results: where they are stored.
        output: the file, `-` for standard output; by default `report.html`, of markdown standard
            output.
        form: `html` or `markdown`.

    Raises:
        UsageError: no such run, or none at all.
        NotMeasuredError: the file cannot be written.
    """
    paths = [find_run(results, reference) for reference in references] or list_runs(results)
    if not paths:
        message = f"no stored runs under {str(results / 'runs')!r}; `gconvbench run` makes one"
        raise UsageError(message)
    gathered = gather(paths, named=bool(references))
    _warn([
        f"{run.header.run}: {line}"
        for machine in gathered.machines
        for run in machine.runs
        for line in state_lines(run)
    ])  # fmt: skip
    text = _text(gathered, form)
    target = output or Path("report.html" if form == "html" else "-")
    if str(target) == "-":
        sys.stdout.write(text)
        return ExitCode.FINE
    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        message = f"report {str(target)!r} cannot be written: {error.strerror}"
        raise NotMeasuredError(message) from None
    print(f"{target}: {gathered.runs} run(s), {len(text.encode()) / 1e6:.1f} MB", file=sys.stderr)
    return ExitCode.FINE


def _warn(lines: Sequence[str]) -> None:
    """Of runs that are not whole."""
    more = [f"and {len(lines) - _WARNINGS} such lines more"] if lines[_WARNINGS:] else []
    for line in [*lines[:_WARNINGS], *more]:
        print(f"gconvbench: {line}", file=sys.stderr)


def _text(gathered: Gathered, form: Literal["html", "markdown"]) -> str:
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if form == "markdown":
        from gconvbench.report.summary_markdown import to_markdown  # noqa: PLC0415 (one of two)

        return to_markdown(gathered)
    judged = {machine.slug: _judged(machine) for machine in gathered.machines}
    return to_page(gathered, judged, created=created, version=__version__)


def _judged(machine: Machine) -> Judged | None:
    history = collect_series((run.header, run.records) for run in machine.runs)
    return judge_stored(history) if history.series else None
