"""`gconvbench show`: a stored run, on any machine, without torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gconvbench.cli import options as opt
from gconvbench.errors import UsageError
from gconvbench.records import encode_line
from gconvbench.report.table import make_console, print_run
from gconvbench.store import find_run, load_run

__all__ = ["show"]


def show(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A file, a run's name, latest, latest~1.")
    ] = "latest",
    results: opt.ResultsOption = Path("results"),
    json: opt.JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="One row per record, for spreadsheets.")] = False,
) -> int:
    """Show a stored run: per case the implementations by time, and which to use."""
    if json and csv:
        message = "--json and --csv exclude each other; give one of them"
        raise UsageError(message)
    stored = load_run(find_run(results, run))
    if json:
        for line in (stored.header, *stored.records, stored.footer):
            if line is not None:
                print(encode_line(line).decode())
    elif csv:
        from gconvbench.report.frame import to_frame  # noqa: PLC0415 (pandas is slow to import)

        to_frame(stored).to_csv(sys.stdout, index=False)
    else:
        print_run(stored, make_console(sys.stdout))
    if stored.unreadable and (json or csv):
        print(f"gconvbench: {stored.unreadable} line(s) could not be read", file=sys.stderr)
    return 0
