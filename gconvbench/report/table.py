"""A stored run as text: its cases, its answers, what to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from gconvbench.labels import MEANINGS
from gconvbench.report import format as fmt
from gconvbench.report.answer import NetworkAnswer, answer_networks
from gconvbench.report.benchmark_table import benchmarks_of, print_benchmarks
from gconvbench.report.case_table import COLUMNS, print_case
from gconvbench.report.ceilings import OF_FLOOR
from gconvbench.report.console import aligned, print_lines
from gconvbench.report.floor import floors
from gconvbench.report.instrument import unfit_lines
from gconvbench.report.summary import CaseSummary, summarise
from gconvbench.stats import estimate_over_rounds, paired_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from gconvbench.interchange.jobs import JobWhole
    from gconvbench.store import Run

__all__ = [
    "answer_lines",
    "answer_title",
    "print_cases",
    "print_origin",
    "print_run",
    "print_state",
    "run_line",
    "state_lines",
    "time_ratio_text",
]

_LABEL_MARKS = "abcdefghijklmnopqrstuvwxyz"


def print_run(run: Run, console: Console) -> None:
    """A stored run: where it came from, each case, the networks' answers, what to know of it."""
    summaries = summarise(run)
    print_origin(run, console)
    print_cases(summaries, run.header.method.cache_modes, console)
    benchmarks = benchmarks_of(run)
    print_benchmarks(benchmarks, console)
    _print_floors(run, console)
    for answer in answer_networks(summaries) if run.footer else ():
        _print_answer(answer, console)
    _print_totals(run, summaries, benchmarks, console)


def print_cases(summaries: Sequence[CaseSummary], modes: Sequence[str], console: Console) -> None:
    """Each case with its implementations in these cache modes, then what their labels mean."""
    marks = _marks(summaries)
    for summary in summaries:
        print_case(summary, modes, marks, console)
    _print_legend(marks, summaries, console)


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
    known = [
        str(header.environment.identity.get("device_name") or "unknown device"),
        f"{method.threads} thread(s)" if method.threads else "",
        f"torch {software.get('torch')}" if header.origin is None or "torch" in software else "",
        f"commit {commit}",
        _rounds_text(run),
        how,
        f"from {header.origin.tool}" if header.origin else "",
    ]
    return ", ".join(filter(None, known))


def _rounds_text(run: Run) -> str:
    """How many rounds there were; of how many, where the plan did not leave that to a budget."""
    planned, budget_s = run.header.plan.rounds, run.header.method.budget_s
    done = max((record.round for record in run.records), default=0)
    if budget_s is not None:
        return f"{done} round(s) within {fmt.duration(budget_s)}"
    return f"{done} round(s)" if done == planned else f"{done} of {planned} rounds"


def _marks(summaries: Sequence[CaseSummary]) -> dict[str, str]:
    labels = sorted({label for s in summaries for row in s.rows for label in row.labels})
    return dict(zip(labels, _LABEL_MARKS, strict=False))


def _print_legend(
    marks: dict[str, str], summaries: Sequence[CaseSummary], console: Console
) -> None:
    for label, mark in marks.items():
        meaning = f": {MEANINGS[label]}" if label in MEANINGS else ""
        console.print(f"[dim]{mark}  {label}{meaning}; in at least one round[/dim]")
    if any(summary.measured for summary in summaries):
        console.print(f"[dim]{COLUMNS}[/dim]")
    if any(row.of_floor for summary in summaries for row in summary.measured):
        console.print(f"[dim]{OF_FLOOR}[/dim]")


def _print_floors(run: Run, console: Console) -> None:
    if not (found := floors(run)):
        return
    console.print()
    console.print("[bold]noise floor[/bold]: the same job measured twice in each round (A/A)")
    cells = [["times", "pairs", "half of them within", "95 % within"]]
    for floor in found:
        upper = fmt.half_width_text(floor.upper) + (" (largest)" if floor.is_largest else "")
        cells.append([floor.name, str(floor.pairs), fmt.half_width_text(floor.median), upper])
    print_lines(aligned(cells, right=(1, 2)), console)


def _print_answer(answer: NetworkAnswer, console: Console) -> None:
    name, _, about = answer_title(answer).partition(": ")
    console.print()
    console.print(f"[bold]{escape(name)}[/bold]: {escape(about)}")
    for line in answer_lines(answer):
        console.print(f"  {escape(line)}")


def answer_title(answer: NetworkAnswer) -> str:
    """Which network in which direction, and what is held against what."""
    groups = "/".join(map(str, answer.groups))
    layers = ", ".join(answer.grouped_layers)
    return f"{answer.title}: {layers} with groups {groups} against groups 1 everywhere"


def answer_lines(answer: NetworkAnswer) -> list[str]:
    """Information, parameters and work, and time."""
    grouped, ungrouped = answer.grouped, answer.ungrouped
    information = (
        f"information: in {answer.isolated} of {answer.checked} grouped layers poison in one "
        "group reached every result of its own group and of no other: nothing is lost, "
        "each output sees its group's share of the inputs"
    )
    costs = (
        f"parameters: {grouped.parameters:,} against {ungrouped.parameters:,} "
        f"({grouped.parameters / ungrouped.parameters:.3f}); "
        f"work: {fmt.flops_text(grouped.flops)} against {fmt.flops_text(ungrouped.flops)} "
        f"({grouped.flops / ungrouped.flops:.3f})"
    )
    lines = [information, costs]
    for name, a, b in (
        ("native", grouped.native_s, ungrouped.native_s),
        ("as advised per layer", grouped.advised_s, ungrouped.advised_s),
    ):
        if a and b:
            times = [estimate_over_rounds(list(rounds.values())) for rounds in (a, b)]
            texts = [fmt.measured_seconds(one.median_s, one.half_width) for one in times]
            lines.append(f"time, {name}: {texts[0]} against {texts[1]}{_ratio_text(a, b)}")
    return lines


def time_ratio_text(answer: NetworkAnswer) -> str:
    """`0.892 times the time (± 0.5 %)` with native everywhere; empty where that is not known."""
    ratio = paired_ratio(answer.grouped.native_s, answer.ungrouped.native_s)
    if ratio is None:
        return ""
    interval = fmt.half_width_text(ratio.half_width)
    times = f"{fmt.ratio_text(ratio.value, ratio.half_width)} times the time"
    return f"{times} ({interval})" if interval else times


def _ratio_text(a: dict[int, float], b: dict[int, float]) -> str:
    if not (ratio := paired_ratio(a, b)):
        return ""
    interval = fmt.half_width_text(ratio.half_width)
    return f" ({fmt.ratio_text(ratio.value, ratio.half_width)}{interval and ' '}{interval})"


def _print_totals(
    run: Run,
    summaries: Sequence[CaseSummary],
    benchmarks: Sequence[JobWhole],
    console: Console,
) -> None:
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
    if summaries or not benchmarks:
        console.print(f"{len(summaries)} cases; jobs: {counted or 'none'}")
    if benchmarks:
        console.print(f"{len(benchmarks)} benchmarks that are no cases")
    if fastest:
        ranking = sorted(fastest.items(), key=lambda item: -item[1])
        console.print("fastest: " + ", ".join(f"{name} in {count}" for name, count in ranking))
    print_state(run, console)


def print_state(run: Run, console: Console) -> None:
    """What a reader should know of the file and of the instrument."""
    for line in state_lines(run):
        console.print(line, markup=False)


def state_lines(run: Run) -> list[str]:
    """What is wrong with the file or its instrument; empty where both are whole."""
    lines = unfit_lines(run.header)
    if run.unreadable:
        lines.append(f"{run.unreadable} line(s) could not be read and were left out")
    if run.footer is None:
        lines.append(f"this run was interrupted; gconvbench run --resume {run.path.stem}")
    elif not run.intact:
        lines.append("the file's checksum does not hold: it was changed after the run ended")
    return lines
