"""Tables for the terminal, readable at 80 columns and in a pipe."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from gconvbench.report import format as fmt
from gconvbench.report.answer import NetworkAnswer, answer_networks
from gconvbench.report.summary import CaseSummary, Row, summarise
from gconvbench.stats import estimate_over_rounds, paired_ratio

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from typing import TextIO

    from gconvbench.stats import Estimate
    from gconvbench.store import Run

__all__ = [
    "aligned",
    "make_console",
    "print_cases",
    "print_origin",
    "print_run",
    "print_state",
    "print_unsupported",
    "run_line",
    "unsupported_lines",
]

_LABEL_MARKS = "abcdefghijklmnopqrstuvwxyz"


def make_console(file: TextIO, *, plain: bool = False) -> Console:
    """A console as wide as the terminal, 80 columns in a pipe; with `plain` never in colour."""
    width = shutil.get_terminal_size((80, 24)).columns if file.isatty() else 80
    return _Console(
        file=file,
        width=width,
        highlight=False,
        emoji=False,
        force_terminal=False if plain else None,
        force_jupyter=False,
    )


class _Console(Console):
    """A console that leaves a closed pipe to its caller, where rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def aligned(rows: Sequence[Sequence[str]], *, right: Container[int] = ()) -> list[str]:
    """Rows of cells as lines with two spaces between columns; columns in `right` end flush.

    (A `rich.table.Table` per case would take longer to lay out than everything else in `show`.)
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def print_run(run: Run, console: Console) -> None:
    """A stored run: where it came from, each case, the networks' answers, what to know of it."""
    summaries = summarise(run)
    print_origin(run, console)
    print_cases(summaries, run.header.method.cache_modes, console)
    for answer in answer_networks(summaries) if run.footer else ():
        _print_answer(answer, console)
    _print_totals(run, summaries, console)


def print_cases(summaries: Sequence[CaseSummary], modes: Sequence[str], console: Console) -> None:
    """Each case with its implementations in these cache modes, then what their labels mean."""
    marks = _marks(summaries)
    for summary in summaries:
        _print_case(summary, modes, marks, console)
    for label, mark in marks.items():
        console.print(f"[dim]{mark}  {label}, in at least one round[/dim]")


def print_origin(run: Run, console: Console) -> None:
    """Which run, where, with what."""
    console.print(f"[bold]{escape(run.header.run)}[/bold] on {escape(run.header.machine)}")
    console.print(run_line(run), markup=False)


def run_line(run: Run) -> str:
    """Device, threads, software and method in a line."""
    header, software = run.header, run.header.environment.under_test
    commit = str(software.get("commit") or "none")[:10]
    method = header.method
    how = "accuracy only" if method.check_only else f"{method.clock} clock"
    return (
        f"{header.environment.identity.get('device_name')}, {method.threads} thread(s), "
        f"torch {software.get('torch')}, commit {commit}, "
        f"{header.plan.rounds} round(s), {how}"
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
        _print_lines(_times_lines(shown, modes, marks), console)
    elif shown:
        _print_lines(_accuracy_lines(shown), console)
    for row in shown:
        if row.outcome not in {"measured", "checked"}:
            console.print(f"  {row.implementation} {row.outcome}: {escape(row.detail)}")
    if unsupported := [row for row in summary.rows if row.outcome == "unsupported"]:
        print_unsupported([(row.implementation, row.detail) for row in unsupported], console)
    console.print(f"  [bold]{escape(summary.advice)}[/bold]")


def print_unsupported(reasons: Iterable[tuple[str, str]], console: Console) -> None:
    """Pairs of implementation and reason, those with the same reason in one line."""
    for line in unsupported_lines(reasons):
        console.print(f"[dim]  {escape(line)}[/dim]")


def unsupported_lines(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """One line per reason, with the names of all that have it."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons:
        by_reason.setdefault(reason, []).append(name)
    return [f"unsupported: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _times_lines(rows: Sequence[Row], modes: Sequence[str], marks: dict[str, str]) -> list[str]:
    columns = [name for mode in modes for name in (mode, f"95 % {mode}")]
    if len(modes) == 1:
        columns = ["time", "95 %"]
    cells = [["implementation", *columns, "speedup", "error", "of limit", ""]]
    for row in rows:
        times = [
            text
            for mode in modes
            for text in (_time_cells(row.times[mode]) if mode in row.times else (row.outcome, ""))
        ]
        labels = "".join(marks.get(label, "") for label in row.labels)
        speedup = fmt.speedup_text(row.speedup)
        cells.append([row.implementation, *times, speedup, *_accuracy_cells(row), labels])
    return aligned(cells, right=range(1, len(cells[0]) - 1))


def _time_cells(estimate: Estimate) -> tuple[str, str]:
    return fmt.seconds(estimate.median_s), fmt.half_width_text(estimate.half_width)


def _accuracy_lines(rows: Sequence[Row]) -> list[str]:
    cells = [["implementation", "outcome", "error", "of limit"]]
    cells += [[row.implementation, row.outcome, *_accuracy_cells(row)] for row in rows]
    return aligned(cells, right=(2, 3))


def _print_lines(lines: Sequence[str], console: Console) -> None:
    header, *others = lines
    console.print(f"  [dim]{header}[/dim]", soft_wrap=True)
    console.print("\n".join(f"  {line}" for line in others), soft_wrap=True, markup=False)


def _accuracy_cells(row: Row) -> tuple[str, str]:
    if row.error is None or row.of_limit is None:
        return "", ""
    return fmt.error_text(row.error), fmt.of_limit_text(row.of_limit)


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
        ("as advised per layer", grouped.advised_s, ungrouped.advised_s),
    ):
        if a and b:
            ratio = paired_ratio(a, b)
            interval = f" {fmt.half_width_text(ratio.half_width)}" if ratio else ""
            times = [estimate_over_rounds(list(rounds.values())).median_s for rounds in (a, b)]
            console.print(
                f"  time, {name}: {fmt.seconds(times[0])} against {fmt.seconds(times[1])} "
                f"({ratio.value if ratio else times[0] / times[1]:.3f}{interval})"
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
    print_state(run, console)


def print_state(run: Run, console: Console) -> None:
    """What a reader should know of the file."""
    if run.unreadable:
        console.print(f"{run.unreadable} line(s) could not be read and were left out")
    if run.footer is None:
        console.print(f"this run was interrupted; gconvbench run --resume {run.path.stem}")
    elif not run.intact:
        console.print("the file's checksum does not hold: it was changed after the run ended")
