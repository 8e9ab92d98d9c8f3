"""The subcommands: their options, and whom they call. The table of contents of the program.

What a command needs is imported when it runs, so that `--help` and `show` start at once.
"""

# ruff: noqa: PLC0415, FBT002, PLR0913, PLR0917

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from gconvbench.cli import options as opt
from gconvbench.cli import refusals

__all__ = ["check", "environment", "history", "list_", "report", "run", "show"]


def run(
    context: typer.Context,
    case: opt.CaseOption = None,
    cases: opt.CasesOption = None,
    sweep: opt.SweepOption = None,
    axis: opt.AxisOption = None,
    implementation: opt.ImplementationOption = "default",
    device: opt.DeviceOption = None,
    rounds: opt.RoundsOption = None,
    check_only: opt.CheckOnlyOption = False,
    cache: opt.CacheOption = None,
    target: opt.TargetOption = None,
    budget: opt.BudgetOption = None,
    aa: opt.TwinsOption = None,
    threads: opt.ThreadsOption = 1,
    pin: opt.PinOption = None,
    seed: opt.SeedOption = 0,
    timeout: opt.TimeoutOption = 600.0,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Finish an interrupted run, such as latest."),
    ] = None,
    results: opt.ResultsOption = Path("results"),
    json: opt.JsonOption = False,
) -> int:
    """Measure cases with every implementation, after proving each one right.

    Without --case, --cases, --sweep or -a this is the sweep 'quick'.
    """
    from gconvbench.cli import run as running
    from gconvbench.cli.selection import select
    from gconvbench.cli.values import cores
    from gconvbench.planning import make_method

    if resume is not None:
        refusals.refuse_new_options(context)
        return running.resume(results, resume, timeout_s=timeout, json=json)
    if check_only:
        refusals.refuse_timing_options(context)
    selection = select(
        ids=case or (), files=cases or (), sweeps=sweep or (), axes=axis or (), device=device
    )
    return running.start(
        selection,
        method_of=partial(
            make_method,
            cache=cache,
            target=target,
            threads=threads,
            cores=cores(pin) if pin is not None else (),
            seed=seed,
            check_only=check_only,
            budget_s=budget,
        ),
        implementation=implementation,
        twins=aa,
        rounds=rounds or _default_rounds(check_only=check_only, budget_s=budget),
        timeout_s=timeout,
        results=results,
        json=json,
    )


def check(
    case: opt.CaseOption = None,
    cases: opt.CasesOption = None,
    sweep: opt.SweepOption = None,
    axis: opt.AxisOption = None,
    implementation: opt.ImplementationOption = "default",
    device: opt.DeviceOption = None,
    rounds: opt.RoundsOption = None,
    threads: opt.ThreadsOption = 1,
    seed: opt.SeedOption = 0,
    timeout: opt.TimeoutOption = 600.0,
    results: opt.ResultsOption = Path("results"),
    json: opt.JsonOption = False,
) -> int:
    """Prove every implementation right, without timing; exit code 6 where one is wrong.

    Without --case, --cases, --sweep or -a this is the sweep 'quick'.
    """
    from gconvbench.cli import run as running
    from gconvbench.cli.selection import select
    from gconvbench.planning import make_method

    selection = select(
        ids=case or (), files=cases or (), sweeps=sweep or (), axes=axis or (), device=device
    )
    return running.start(
        selection,
        method_of=partial(make_method, threads=threads, seed=seed, check_only=True),
        implementation=implementation,
        twins=None,
        rounds=rounds or 1,
        timeout_s=timeout,
        results=results,
        json=json,
    )


def list_(
    case: opt.CaseOption = None,
    cases: opt.CasesOption = None,
    sweep: opt.SweepOption = None,
    axis: opt.AxisOption = None,
    implementation: opt.ImplementationOption = "default",
    device: opt.DeviceOption = None,
    rounds: opt.RoundsOption = None,
    check_only: opt.CheckOnlyOption = False,
    cache: opt.CacheOption = None,
    target: opt.TargetOption = None,
    budget: opt.BudgetOption = None,
    aa: opt.TwinsOption = None,
    threads: opt.ThreadsOption = 1,
    pin: opt.PinOption = None,
    results: opt.ResultsOption = Path("results"),
    implementations: Annotated[
        bool, typer.Option("--implementations", help="Show the ways of computing it instead.")
    ] = False,
    sweeps: Annotated[
        bool, typer.Option("--sweeps", help="Show the named sweeps instead.")
    ] = False,
    json: opt.JsonOption = False,
) -> int:
    """Show what a run with the same options would do, without running it."""
    from gconvbench.cli import listing
    from gconvbench.cli.selection import select
    from gconvbench.cli.values import cores
    from gconvbench.planning import make_method

    if sweeps:
        return listing.list_sweeps(json=json)
    if implementations:
        return listing.list_implementations(device, json=json)
    selection = select(
        ids=case or (), files=cases or (), sweeps=sweep or (), axes=axis or (), device=device
    )
    return listing.list_cases(
        selection,
        method_of=partial(
            make_method,
            cache=cache,
            target=target,
            threads=threads,
            cores=cores(pin) if pin is not None else (),
            check_only=check_only,
            budget_s=budget,
        ),
        implementation=implementation,
        twins=aa,
        rounds=rounds or _default_rounds(check_only=check_only, budget_s=budget),
        results=results,
        json=json,
    )


def show(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A file, a run's name, latest, latest~1.")
    ] = "latest",
    results: opt.ResultsOption = Path("results"),
    json: opt.JsonOption = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="One row per record, for spreadsheets.")
    ] = False,
    accuracy: Annotated[
        bool, typer.Option("--accuracy", help="Errors instead of times, against earlier runs.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="RUN", help="With --accuracy: this earlier run only."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Errors over reduction lengths, as .svg, .png or .pdf."
        ),
    ] = None,
) -> int:
    """Show a stored run: per case the implementations by time, and which to use."""
    from gconvbench.cli import show as showing

    if accuracy or against or plot:
        showing.refuse_other_forms(json=json, csv=csv)
        return showing.show_accuracy(run, results, against=against, plot=plot)
    return showing.show_run(run, results, json=json, csv=csv)


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Files, runs' names, latest, latest~1.  [default: all]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="- for standard output.  [default: report.html; markdown to standard output]",
        ),
    ] = None,
    form: Annotated[
        Literal["html", "markdown"], typer.Option("--format", help="A page, or for a comment.")
    ] = "html",
    results: opt.ResultsOption = Path("results"),
) -> int:
    """Write stored runs as one web page that opens offline, or as markdown for a pull request.

    Per case the best implementation and by how much, its samples, errors, kernels and the command
    that measures it again; the crossover map, roofline, accuracy, networks, history, and whatever
    was skipped. Without RUN all stored runs but the sides of gates, each machine apart.
    """
    from gconvbench.cli.report import write_report

    return write_report(runs or (), results, output=output, form=form)


def history(
    asv: opt.AsvOption = None,
    machine: opt.MachineOption = None,
    case: opt.PatternOption = None,
    implementation: opt.NamesOption = None,
    accept: opt.AcceptOption = None,
    accepted: opt.AcceptedOption = None,
    gates: Annotated[
        bool,
        typer.Option(
            "--gates",
            help="Contenders of gates, too, as runs of their commits: where only gates of the main "
            "branch are stored.",
        ),
    ] = False,
    results: opt.ResultsOption = Path("results"),
    json: Annotated[
        bool, typer.Option("--json", help="Events and series with every number, one per line.")
    ] = False,
) -> int:
    """Say when each case changed over the stored runs of a machine, by how much, and what with it.

    One value per run, the median over rounds; one event per commit range over all cases. Slowdowns
    that the file of accepted changes has start a new level. Exit code 5 where nothing matched.
    """
    from gconvbench.cli.history import Asked, show_history

    asked = Asked(machine, case or (), implementation, accept or (), accepted, gates)
    return show_history(results, asked, asv=asv, json=json)


def environment(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="A stored run instead of this machine; works without torch."
        ),
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            "--diff", metavar="RUN", help="Say field by field what differs from this run."
        ),
    ] = None,
    device: opt.DeviceOption = None,
    threads: opt.ThreadsOption = 1,
    results: opt.ResultsOption = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead.")] = False,
) -> int:
    """Print the fingerprint of machine and software, which every run stores.

    With --diff, say field by field why that run and this machine, or RUN, may not be compared; of
    this machine it is asked with that run's method.
    Fields of the identity and the method must agree; those under test are what a comparison may be
    about; soft ones are worth a warning. What is not known of both is unknown, not different.

    Exit codes of --diff: 0 comparable, 4 not comparable, 3 where only unknown fields stand in the
    way.
    """
    from gconvbench.cli import environment as showing

    if run is not None:
        refusals.refuse_this_machine(context)
        after = showing.stored_side(run, results)
    if diff is None:
        side = after if run is not None else showing.this_side(device, threads=threads)
        return showing.print_environment(side, json=json)
    before = showing.stored_side(diff, results)
    if run is None:
        asked = threads if "threads" in refusals.given(context) else None
        after = showing.this_side_as(before, device, threads=asked)
    return showing.print_diff(before, after, json=json)


def _default_rounds(*, check_only: bool, budget_s: float | None) -> int:
    if check_only:
        return 1
    return 3 if budget_s is None else 20
