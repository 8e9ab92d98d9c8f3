"""`gconvbench show`: a stored run, on any machine, without torch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gconvbench.errors import UsageError
from gconvbench.records import encode_line
from gconvbench.report.table import make_console, print_run
from gconvbench.store import find_run, load_run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["show_run"]


def show_run(reference: str, results: Path, *, json: bool, csv: bool) -> int:
    """Print a stored run; returns the exit code.

    Raises:
        UsageError: no such run, or two forms asked for at once.
    """
    if json and csv:
        message = "--json and --csv exclude each other; give one of them"
        raise UsageError(message)
    stored = load_run(find_run(results, reference))
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
