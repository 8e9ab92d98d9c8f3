"""`gconvbench show`: a stored run, on any machine, without torch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from gconvbench.errors import NotComparableError, UsageError
from gconvbench.instruments import is_document, read_document
from gconvbench.records import RooflineDocument, encode_line
from gconvbench.report.accuracy import same_bits_as
from gconvbench.report.accuracy_table import print_accuracy
from gconvbench.report.ceilings import print_ceilings
from gconvbench.report.console import make_console
from gconvbench.report.instrument import examination_lines
from gconvbench.report.table import print_run
from gconvbench.store import earlier_runs, find_run, load_run

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import InstrumentDocument
    from gconvbench.store import Run

__all__ = ["refuse_other_forms", "show_accuracy", "show_run"]


def show_run(reference: str, results: Path, *, json: bool, csv: bool) -> int:
    """Print a stored run, or the file of a `doctor` or `roofline`; returns the exit code.

    Raises:
        UsageError: no such run, or two forms asked for at once.
    """
    if json and csv:
        message = "--json and --csv exclude each other; give one of them"
        raise UsageError(message)
    path = find_run(results, reference)
    if is_document(path):
        _show_document(read_document(path), json=json)
        return 0
    stored = load_run(path)
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


def _show_document(document: InstrumentDocument, *, json: bool) -> None:
    """What `doctor` or `roofline` had printed."""
    if json:
        print(msgspec.json.encode(document).decode())
    elif isinstance(document, RooflineDocument):
        print_ceilings(document, make_console(sys.stdout))
    else:
        print("\n".join(examination_lines(document)))


def show_accuracy(reference: str, results: Path, *, against: str | None, plot: Path | None) -> int:
    """Print the errors of a stored run, or draw them; returns the exit code.

    Raises:
        UsageError: no such run, or a plot that cannot be drawn.
        NotComparableError: the other run is of another machine or seed.
    """
    stored = load_run(find_run(results, reference))
    if plot is not None:
        _plot_errors(stored, plot)
        print(f"drawn in {plot}")
        return 0
    if against is None:
        earlier = earlier_runs(results, stored)
    else:
        earlier = [load_run(find_run(results, against))]
        _refuse_incomparable(stored, earlier[0])
        if not same_bits_as(stored, earlier)[1]:
            print(f"run {earlier[0].header.run} has no result in common with this one")
    print_accuracy(stored, make_console(sys.stdout), earlier=earlier)
    return 0


def _plot_errors(stored: Run, path: Path) -> None:
    try:
        from gconvbench.report.plot import plot_errors  # noqa: PLC0415 (optional, and slow)
    except ModuleNotFoundError as error:
        message = f"--plot needs {error.name}; pip install 'gconvbench[plot]'"
        raise UsageError(message) from None
    plot_errors(stored, path)


def refuse_other_forms(*, json: bool, csv: bool) -> None:
    """Records in JSON and CSV have the errors anyway.

    Raises:
        UsageError: one of them was asked for.
    """
    if json or csv:
        message = "--accuracy is a table; --json and --csv have all errors without it"
        raise UsageError(message)


def _refuse_incomparable(run: Run, other: Run) -> None:
    for what, mine, theirs in (
        ("machine", run.header.machine, other.header.machine),
        ("seed", run.header.method.seed, other.header.method.seed),
    ):
        if mine != theirs:
            message = (
                f"run {other.header.run} cannot be compared: its {what} is {theirs}, "
                f"that of {run.header.run} is {mine}"
            )
            raise NotComparableError(message)
