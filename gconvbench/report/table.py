"""Tables for the terminal, readable at 80 columns and in a pipe."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gconvbench.report import format as fmt
from gconvbench.report.answer import NetworkAnswer, answer_networks
from gconvbench.report.summary import CaseSummary, Row, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from gconvbench.store import Run

__all__ = ["make_console", "plain_table", "print_run"]

_LABEL_MARKS = "abcdefghijklmnopqrstuvwxyz"


def make_console(file: TextIO) -> Console:
    """A console as wide as the terminal, 80 columns in a pipe."""
    width = shutil.get_terminal_size((80, 24)).columns if file.isatty() else 80
    return Console(file=file, width=width, highlight=False, emoji=False)


def plain_table(*columns: str, right: Iterable[str] = ()) -> Table:
    """A table without lines; the columns named in `right` are right-aligned."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(
            column, justify="right" if column in right else "left", no_wrap=column in right
        )
    return table


def print_run(run: Run, console: Console) -> None:
    """A stored run: where it came from, each case, the networks' answers, what to know of it."""
    summaries = summarise(run)
    _print_origin(run, console)
    marks = _marks(summaries)
    for summary in summaries:
        _print_case(summary, run.header.method.cache_modes, marks, console)
    for label, mark in marks.items():
        console.print(f"[dim]{mark}  {label}, in at least one round[/dim]")
    for answer in answer_networks(summaries):
        _print_answer(answer, console)
    _print_totals(run, summaries, console)


def _print_origin(run: Run, console: Console) -> None:
    header, facts = run.header, run.header.environment
    identity, software = facts.identity, facts.under_test
    commit = str(software.get("commit") or "none")[:10]
    method = header.method
    console.print(f"[bold]{escape(header.run)}[/bold] on {escape(header.machine)}")
    console.print(
        f"{identity.get('device_name')}, {method.threads} thread(s), torch {software.get('torch')}, "
        f"commit {commit}, {header.plan.rounds} round(s), "
        f"{'accuracy only' if method.check_only else f'{method.clock} clock'}",
        markup=False,
    )


def _marks(summaries: Sequence[CaseSummary]) -> dict[str, str]:
    labels = sorted({label for s in summaries for row in s.rows for label in row.labels})
    return dict(zip(labels, _LABEL_MARKS, strict=False))


def _print_case(
    summary: CaseSummary, modes: Sequence[str], marks: dict[str, str], console: Console
) -> None:
    console.print()
    name = f"[bold]{escape(summary.planned.name)}[/bold]  " if summary.planned.name else ""
    console.print(f"{name}{fmt.case_text(summary.case)}", soft_wrap=True)
    console.print(f"[dim]{summary.planned.case}[/dim]", soft_wrap=True)
    shown = [row for row in summary.rows if row.outcome != "unsupported"]
    if any(row.times for row in shown):
        console.print(_times_table(shown, modes, marks))
    elif shown:
        console.print(_accuracy_table(shown))
    for row in shown:
        if row.outcome not in {"measured", "checked"}:
            console.print(f"  {row.implementation} {row.outcome}: {escape(row.detail)}")
    if unsupported := [row for row in summary.rows if row.outcome == "unsupported"]:
        _print_unsupported(unsupported, console)
    console.print(f"  [bold]{escape(summary.advice)}[/bold]")


def _print_unsupported(rows: Sequence[Row], console: Console) -> None:
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row.detail, []).append(row.implementation)
    for reason, names in by_reason.items():
        console.print(f"[dim]  unsupported: {', '.join(names)}: {escape(reason)}[/dim]")


def _times_table(rows: Sequence[Row], modes: Sequence[str], marks: dict[str, str]) -> Table:
    columns = [name for mode in modes for name in (mode, f"± 95 % {mode}")]
    if len(modes) == 1:
        columns = ["time", "± 95 %"]
    right = (*columns, "speedup", "error", "of limit")
    table = plain_table("  implementation", *columns, "speedup", "error", "of limit", "", right=right)
    for row in rows:
        cells = []
        for mode in modes:
            estimate = row.times.get(mode)
            cells.append(fmt.seconds(estimate.median_s) if estimate else row.outcome)
            cells.append(fmt.half_width_text(estimate) if estimate else "")
        table.add_row(
            f"  {row.implementation}",
            *cells,
            fmt.speedup_text(row.speedup),
            *_accuracy_cells(row),
            "".join(marks.get(label, "") for label in row.labels),
        )
    return table


def _accuracy_table(rows: Sequence[Row]) -> Table:
    table = plain_table("  implementation", "outcome", "error", "of limit", right=("error", "of limit"))
    for row in rows:
        table.add_row(f"  {row.implementation}", row.outcome, *_accuracy_cells(row))
    return table


def _accuracy_cells(row: Row) -> tuple[str, str]:
    if row.error is None or row.of_limit is None:
        return "", ""
    return fmt.error_text(row.error), fmt.share(row.of_limit)


def _print_answer(answer: NetworkAnswer, console: Console) -> None:
    grouped, ungrouped = answer.grouped, answer.ungrouped
    groups = "/".join(map(str, answer.groups))
    console.print()
    console.print(
        f"[bold]{escape(answer.network)}, {answer.direction}[/bold]: "
        f"{', '.join(answer.grouped_layers)} with groups {groups} against groups 1 everywhere"
    )
    console.print(
        f"  information: in {answer.isolated} of {answer.checked} grouped layers poison in one "
        "group reached every result of its own group and of no other: nothing is lost, "
        "each output sees its group's share of the inputs"
    )
    console.print(
        f"  parameters: {grouped.parameters:,} against {ungrouped.parameters:,} "
        f"({grouped.parameters / ungrouped.parameters:.3f}); "
        f"work: {fmt.flops_text(grouped.flops)} against {fmt.flops_text(ungrouped.flops)} "
        f"({grouped.flops / ungrouped.flops:.3f})"
    )
    for name, a, b in (
        ("native", grouped.native_s, ungrouped.native_s),
        ("fastest per layer", grouped.fastest_s, ungrouped.fastest_s),
    ):
        if a and b:
            console.print(
                f"  time, {name}: {fmt.seconds(a)} against {fmt.seconds(b)} ({a / b:.3f})"
            )


def _print_totals(run: Run, summaries: Sequence[CaseSummary], console: Console) -> None:
    outcomes: dict[str, int] = {}
    fastest: dict[str, int] = {}
    for summary in summaries:
        for row in summary.rows:
            outcomes[row.outcome] = outcomes.get(row.outcome, 0) + 1
        if summary.measured:
            best = summary.measured[0].implementation
            fastest[best] = fastest.get(best, 0) + 1
    console.print()
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    console.print(f"{len(summaries)} cases; jobs: {counted or 'none'}")
    if fastest:
        ranking = sorted(fastest.items(), key=lambda item: -item[1])
        console.print("fastest: " + ", ".join(f"{name} in {count}" for name, count in ranking))
    if run.unreadable:
        console.print(f"{run.unreadable} line(s) could not be read and were left out")
    if run.footer is None:
        console.print(f"this run was interrupted; gconvbench run --resume {run.path.stem}")
    elif not run.intact:
        console.print("the file's checksum does not hold: it was changed after the run ended")
