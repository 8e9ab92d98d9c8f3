"""Accuracy for the terminal: the matrix of worst errors, and what is worth knowing beside it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from rich.markup import escape

from gconvbench.cases import DIRECTIONS, case_if_any
from gconvbench.records import MEASURED_OUTCOMES
from gconvbench.report import format as fmt
from gconvbench.report.accuracy import (
    FASTER_THAN_WALK,
    accuracy_labels,
    changed_algorithms,
    error_matrix,
    growths,
    process_labels,
    same_bits_as,
    worst_agreement,
)
from gconvbench.report.console import aligned
from gconvbench.report.table import print_origin, print_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from gconvbench.records import Job, Record
    from gconvbench.report.accuracy import Cell
    from gconvbench.store import Run

__all__ = ["print_accuracy"]

_MOST_ROWS = 12
_NOTHING = "-"
_SHORT_S, _LONG_S = 0.5e-3, 2e-3
"""Jobs of about a millisecond."""


def print_accuracy(run: Run, console: Console, *, earlier: Sequence[Run] = ()) -> None:
    """A stored run's errors: per implementation, dtype and direction the worst share of a limit.

    Args:
        run: the run.
        console: where to.
        earlier: runs to compare with, newest first.
    """
    print_origin(run, console)
    _print_matrix(run, console)
    _print_bad(run, console)
    _print_labels(run, console)
    _print_agreement(run, console)
    _print_growth(run, console)
    _print_changes(run, earlier, console)
    _print_totals(run, console)
    print_state(run, console)


def _print_matrix(run: Run, console: Console) -> None:
    matrix = error_matrix(run)
    if matrix:
        console.print("\nworst error in any group, as a share of its limit; - is unsupported")
    elif run.records:
        console.print("\nno errors: these are benchmarks of another tool, which has times only")
    for dtype, found in matrix.items():
        rows = {k: row for k, row in found.items() if any(map(_is_supported, row.values()))}
        directions = [one for one in DIRECTIONS if any(one in row for row in rows.values())]
        cells = [[dtype, *directions]]
        cells += [
            [name, *(_cell_text(row.get(one)) for one in directions)] for name, row in rows.items()
        ]
        header, *lines = aligned(cells, right=range(1, len(directions) + 1))
        console.print()
        console.print(f"[bold]{header}[/bold]", soft_wrap=True)
        for line in lines:
            console.print(line, soft_wrap=True, markup=False)


def _is_supported(cell: Cell) -> bool:
    return cell.outcome != "unsupported"


def _cell_text(cell: Cell | None) -> str:
    if cell is None or not _is_supported(cell):
        return _NOTHING
    if cell.outcome != "checked":
        return cell.outcome.replace("_", " ").upper()
    return _NOTHING if cell.of_limit is None else fmt.share(cell.of_limit)


def _print_bad(run: Run, console: Console) -> None:
    bad = [one for one in run.records if one.outcome not in {*MEASURED_OUTCOMES, "unsupported"}]
    if bad:
        console.print()
    for record in bad:
        console.print(
            f"[bold]{record.job.implementation} {record.outcome}[/bold]: {escape(record.detail)}"
        )
        console.print(f"  [dim]{record.job.case}[/dim]", soft_wrap=True)


def _print_labels(run: Run, console: Console) -> None:
    """Each label once, with the implementations that have it and in how many of their jobs."""
    by_job: dict[Job, list[Record]] = {}
    for record in run.records:
        if record.outcome in MEASURED_OUTCOMES:
            by_job.setdefault(record.job, []).append(record)
    seen: dict[str, dict[str, int]] = {}
    jobs: dict[str, int] = {}
    for job, records in by_job.items():
        jobs[job.implementation] = jobs.get(job.implementation, 0) + 1
        labels = {label for record in records for label in accuracy_labels(record)}
        for label in sorted(labels | set(process_labels(records))):
            counts = seen.setdefault(label, {})
            counts[job.implementation] = counts.get(job.implementation, 0) + 1
    if seen:
        console.print("\n[bold]seen beside the errors[/bold], in how many of the jobs")
    for label, counts in seen.items():
        names = ", ".join(f"{name} {n} of {jobs[name]}" for name, n in counts.items())
        console.print(f"  {escape(label)}:\n    [dim]{names}[/dim]")


def _print_agreement(run: Run, console: Console) -> None:
    if not (found := worst_agreement(run)):
        return
    job, worst = found
    most = fmt.of_limit_text(worst.of_allowed)
    if worst.of_allowed > 1:
        text = f"{worst.peer}, right where it was sampled, is wrong elsewhere"
        pair = f"{most} of what the limits allow lies between it and {job.implementation}"
    else:
        text = f"no two differ by more than {most} of what their limits allow"
        pair = f"the most {job.implementation} and {worst.peer}"
    console.print(f"\n[bold]agreement[/bold]: {text}")
    console.print(f"  {pair}, in {worst.tensor} of")
    console.print(f"  [dim]{job.case}[/dim]", soft_wrap=True)


def _print_growth(run: Run, console: Console) -> None:
    found = growths(run)
    if not found:
        return
    console.print(
        "\n[bold]growth[/bold]: error as a power of the reduction length L, steepest first\n"
        "  A random walk of roundings grows as L^0.5, errors of one sign as L^1; above\n"
        f"  L^{FASTER_THAN_WALK:g}, and above the rounding of the result, it is a finding."
    )
    shown = [one for one in found if one.is_finding] + [o for o in found if not o.is_finding]
    cells = [["implementation", "dtype", "result", "L", "growth", ""]]
    cells += [
        [
            one.implementation,
            one.dtype,
            one.tensor,
            f"{one.shortest}..{one.longest}",
            f"L^{one.exponent:.2f}",
            "faster than a random walk" if one.is_finding else "",
        ]
        for one in shown[:_MOST_ROWS]
    ]
    for line in aligned(cells, right=(3,)):
        console.print(f"  {line}", soft_wrap=True, markup=False)
    if len(shown) > _MOST_ROWS:
        rest = shown[_MOST_ROWS:]
        steepest = max(one.exponent for one in rest)
        console.print(f"  and {len(rest)} more, none above L^{steepest:.2f}")


def _print_changes(run: Run, earlier: Sequence[Run], console: Console) -> None:
    same, known = same_bits_as(run, earlier)
    changed = changed_algorithms(run, earlier)
    if not known and not changed:
        return
    which = earlier[0].header.run if len(earlier) == 1 else "earlier runs"
    console.print(
        f"\n[bold]against {which}[/bold] of this machine: {same} of {known} results have the "
        f"same bits, {len(changed)} changed their algorithm"
    )
    for one in changed[:_MOST_ROWS]:
        console.print(
            f"  {one.job.implementation} {one.tensor}: error {fmt.error_text(one.before)} in "
            f"{one.run}, now {fmt.error_text(one.now)}"
        )
        console.print(f"    [dim]{one.job.case}[/dim]", soft_wrap=True)
    if len(changed) > _MOST_ROWS:
        console.print(f"  and {len(changed) - _MOST_ROWS} more")


def _print_totals(run: Run, console: Console) -> None:
    outcomes: dict[str, int] = {}
    for record in run.records:
        outcomes[record.outcome] = outcomes.get(record.outcome, 0) + 1
    cases = {record.job.case for record in run.records if case_if_any(record.job.case)}
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    console.print(f"\n{len(cases)} cases; records: {counted or 'none'}")
    _print_precision(run, console)
    took = [record.proof_s for record in run.records if record.proof_s is not None]
    if took:
        console.print(
            f"proofs took {fmt.seconds(sum(took))}: median {fmt.seconds(statistics.median(took))}, "
            f"longest {fmt.seconds(max(took))}"
        )
    if costs := _costs_of_a_millisecond(run):
        console.print(
            f"  those of {len(costs)} fprop jobs of 0.5 to 2 ms: median "
            f"{fmt.seconds(statistics.median(costs))}, longest {fmt.seconds(max(costs))}"
        )


def _print_precision(run: Run, console: Console) -> None:
    seen: dict[str, int] = {}
    for record in run.records:
        if record.outcome in MEASURED_OUTCOMES and record.accuracy:
            for tensor in record.accuracy.tensors:
                seen[tensor.precision] = seen.get(tensor.precision, 0) + 1
    counted = ", ".join(f"{name} in {count}" for name, count in seen.items() if name)
    if counted:
        console.print(f"precision, by their errors: {counted} results, as asked or better")


def _costs_of_a_millisecond(run: Run) -> list[float]:
    """Seconds that the proof took of each timed forward job of about a millisecond."""
    return [
        record.proof_s
        for record in run.records
        if record.proof_s is not None
        and record.timings
        and (case := case_if_any(record.job.case))
        and case.direction == "fprop"
        and _SHORT_S <= record.timings[0].median_s <= _LONG_S
    ]
