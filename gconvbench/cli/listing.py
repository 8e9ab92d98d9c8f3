"""`gconvbench list`: what would run, what would not and why, and how long it would take."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
from rich.markup import escape

from gconvbench import workloads
from gconvbench.cases import flops, min_bytes, parameters, parse_case
from gconvbench.cli.run import make_plan
from gconvbench.planning import default_device, make_method
from gconvbench.records import Job
from gconvbench.report import format as fmt
from gconvbench.report.case_table import print_unsupported
from gconvbench.report.console import aligned, make_console
from gconvbench.runner import Duration, WorkerProcess, estimate_duration, jobs_of
from gconvbench.runner.schedule import with_sampling_cap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console

    from gconvbench.cli.selection import Selection
    from gconvbench.records import Method, Plan, PlannedCase

__all__ = ["list_cases", "list_implementations", "list_sweeps"]


def list_cases(  # noqa: PLR0913 (one argument per option)
    selection: Selection,
    *,
    method_of: Callable[[str], Method],
    implementation: str,
    twins: str | None,
    rounds: int,
    results: Path,
    json: bool,
) -> int:
    """What a run with the same options would do; returns the exit code."""
    for name in selection.devices or (default_device(),):
        method = method_of(name)
        with WorkerProcess(name, method) as worker:
            known = worker.ready.implementations
            plan = make_plan(selection, known, implementation, twins=twins, rounds=rounds)
            jobs = jobs_of(plan)
            reasons = dict(zip(jobs, worker.support(jobs, modes_apart=True), strict=True))
            machine = worker.ready.machine
        supported = tuple(job for job, reason in reasons.items() if not reason)
        if method.budget_s is not None:
            method = with_sampling_cap(method, jobs=len(supported))
        duration = estimate_duration(
            plan, supported, results=results, machine=machine, method=method
        )
        show = _print_json if json else _print
        show(plan, selection, reasons, duration, name)
    return 0


def list_implementations(device: str | None, *, json: bool) -> int:
    """Every implementation with its idea; returns the exit code."""
    name = device or default_device()
    with WorkerProcess(name, make_method(name, check_only=True)) as worker:
        known = worker.ready.implementations
    if json:
        for one in known:
            _print_document(msgspec.to_builtins(one))
        return 0
    console = make_console(sys.stdout)
    for one in known:
        when = ", on request" if one.on_request else ""
        console.print(f"[bold]{one.name}[/bold]  {', '.join(one.operations)}  ({one.source}{when})")
        problem = f"cannot be used: {one.problem}" if one.problem else ""
        console.print(f"  {escape(problem or one.idea)}")
    return 0


def list_sweeps(*, json: bool) -> int:
    """The shipped sweeps; returns the exit code."""
    rows = [(name, workloads.load(name)) for name in workloads.names()]
    if json:
        for name, sweep in rows:
            count = len(sweep.expand().cases)
            _print_document({"name": name, "description": sweep.description, "cases": count})
        return 0
    lines = aligned(
        [(name, str(len(sweep.expand().cases)), sweep.description) for name, sweep in rows],
        right=(1,),
    )
    for line in lines:
        print(line)
    return 0


def _print(
    plan: Plan,
    selection: Selection,
    reasons: dict[Job, str | None],
    duration: Duration,
    device: str,
) -> None:
    console = make_console(sys.stdout)
    for planned in plan.cases:
        _print_case(planned, plan.implementations, reasons, console)
    for item in selection.expansion.excluded:
        console.print(f"excluded  {item.combination}", markup=False, soft_wrap=True)
        console.print(f"  [dim]{escape(item.reason)}[/dim]")
    unsupported = sum(1 for reason in reasons.values() if reason)
    console.print()
    console.print(
        f"{len(plan.cases)} cases, {duration.total} jobs in {_rounds_text(plan, duration)} on "
        f"{device}; "
        f"{unsupported} jobs unsupported, {len(selection.expansion.excluded)} combinations excluded"
    )
    source = (
        f"{duration.known} of {duration.total} jobs were timed on this machine before"
        if duration.known
        else "assumed: no earlier run on this machine has these jobs"
    )
    if 0 < duration.known < duration.total:
        source += "; the others are guessed, perhaps off by a factor of 2"
    limit = "" if duration.at_most_s is None else f", at most {fmt.duration(duration.at_most_s)}"
    if duration.at_most_s is not None and duration.seconds >= duration.at_most_s:
        limit = ", all of the budget, which is too short for three rounds"
    console.print(f"estimated time: {fmt.duration(duration.seconds)}{limit} ({source})")


def _rounds_text(plan: Plan, duration: Duration) -> str:
    return (
        f"{plan.rounds} round(s)" if duration.at_most_s is None else f"up to {plan.rounds} rounds"
    )


def _print_case(
    planned: PlannedCase,
    implementations: Sequence[str],
    reasons: dict[Job, str | None],
    console: Console,
) -> None:
    case = parse_case(planned.case)
    name = f"[bold]{escape(planned.name)}[/bold]  " if planned.name else ""
    console.print(f"{name}{planned.case}", soft_wrap=True)
    console.print(
        f"  [dim]{fmt.flops_text(flops(case))}, {fmt.bytes_text(min_bytes(case))} at least, "
        f"{parameters(case):,} parameters[/dim]"
    )
    by_name = {one: reasons[Job(planned.case, one)] for one in implementations}
    runs = [one for one, reason in by_name.items() if not reason]
    console.print(f"  runs: {', '.join(runs) or 'nothing'}")
    print_unsupported([(one, reason) for one, reason in by_name.items() if reason], console)


def _print_json(
    plan: Plan,
    selection: Selection,
    reasons: dict[Job, str | None],
    duration: Duration,
    device: str,
) -> None:
    for planned in plan.cases:
        case = parse_case(planned.case)
        supports = {one: reasons[Job(planned.case, one)] for one in plan.implementations}
        _print_document(
            {
                "kind": "case",
                **msgspec.structs.asdict(planned),
                "flops": flops(case),
                "min_bytes": min_bytes(case),
                "parameters": parameters(case),
                "runs": [one for one, reason in supports.items() if not reason],
                "unsupported": {one: reason for one, reason in supports.items() if reason},
            }
        )
    for item in selection.expansion.excluded:
        _print_document({"kind": "excluded", **msgspec.structs.asdict(item)})
    _print_document(
        {
            "kind": "estimate",
            "device": device,
            "rounds": plan.rounds,
            "estimate_s": duration.seconds,
            "at_most_s": duration.at_most_s,
            "jobs": duration.total,
            "jobs_known": duration.known,
        }
    )


def _print_document(document: dict[str, Any]) -> None:
    print(msgspec.json.encode(document).decode())
