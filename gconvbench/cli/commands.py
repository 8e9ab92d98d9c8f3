"""The subcommands: their options, and whom they call. The table of contents of the program.

What a command needs is imported when it runs, so that `--help` and `show` start at once.
"""

# ruff: noqa: PLC0415, FBT002, PLR0913, PLR0917

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gconvbench.cli import options as opt

__all__ = ["accept", "check", "environment", "gate", "list_", "run", "show"]

_PLACES = frozenset({"output", "results", "json"})
"""Options about where to, not about what."""


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
        _refuse_new_options(context)
        return running.resume(results, resume, timeout_s=timeout, json=json)
    if check_only:
        _refuse_timing_options(context)
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
        _refuse_this_machine(context)
        after = showing.stored_side(run, results)
    if diff is None:
        side = after if run is not None else showing.this_side(device, threads=threads)
        return showing.print_environment(side, json=json)
    before = showing.stored_side(diff, results)
    if run is None:
        asked = threads if "threads" in _given(context) else None
        after = showing.this_side_as(before, device, threads=asked)
    return showing.print_diff(before, after, json=json)


def gate(
    context: typer.Context,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="REF",
            help="A commit, branch or tag.  [default: where this branch left the main one]",
        ),
    ] = None,
    build: Annotated[
        str | None,
        typer.Option("--build", metavar="CMD", help="Builds the baseline in its checkout."),
    ] = None,
    baseline_python: Annotated[
        str | None,
        typer.Option("--baseline-python", metavar="PATH", help="Compare two interpreters instead."),
    ] = None,
    contender_python: Annotated[
        str | None, typer.Option("--contender-python", metavar="PATH", help="[default: this one]")
    ] = None,
    baseline_set: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline-set",
            metavar="NAME=VALUE",
            help="Compare two settings instead: cudnn_benchmark=false, threads=2, VARIABLE=value.",
        ),
    ] = None,
    contender_set: Annotated[
        list[str] | None, typer.Option("--contender-set", metavar="NAME=VALUE", help="Likewise.")
    ] = None,
    baseline_implementation: Annotated[
        str | None,
        typer.Option(
            "--baseline-implementation", metavar="NAME", help="Compare two of them instead."
        ),
    ] = None,
    contender_implementation: Annotated[
        str | None, typer.Option("--contender-implementation", metavar="NAME", help="With which.")
    ] = None,
    case: opt.CaseOption = None,
    cases: opt.CasesOption = None,
    sweep: opt.SweepOption = None,
    axis: opt.AxisOption = None,
    implementation: Annotated[
        str | None,
        typer.Option(
            "--implementation", metavar="A,B|all", help="Ways of computing it.  [default: default]"
        ),
    ] = None,
    device: opt.DeviceOption = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            "--pairs", min=2, max=1000, help="Fresh processes per side at first.  [default: 3]"
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget", metavar="TIME", help="Such as 10m: what there is no time for is said."
        ),
    ] = None,
    minimum_effect: Annotated[
        float | None,
        typer.Option(
            "--minimum-effect",
            parser=opt.share,
            metavar="SHARE",
            help="A smaller slowdown is none.  [default: 2%]",
        ),
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on", metavar="NOTE", help="accuracy, memory, dispatch or new; repeatable."
        ),
    ] = None,
    accepted: Annotated[
        Path | None,
        typer.Option("--accepted", metavar="FILE", help="[default: gconvbench-accepted.toml]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="[default: pyproject.toml, [tool.gconvbench.gate]]"
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, max=1024, help="CPU threads.  [default: 1]")
    ] = None,
    pin: opt.PinOption = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of inputs and order.  [default: 0]")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.1, help="Seconds until a job counts as hung.")
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", metavar="DIR", help="Where JSON, markdown and JUnit XML go."),
    ] = Path("gconvbench-gate"),
    results: opt.ResultsOption = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead.")] = False,
) -> int:
    """Did it get slower? Measure the baseline and this working tree side by side, and judge.

    Exit codes: 0 no job is slower, 1 confirmed slower, 3 uncertain, 4 not comparable, 5 missing,
    crashed or not believed, 6 wrong results.
    """
    from gconvbench.cli import gate as gating
    from gconvbench.cli.gate_sides import SideOptions
    from gconvbench.gate_options import read_gate_options

    options = read_gate_options(config, Path.cwd()).overridden(
        {
            "baseline": baseline,
            "build": build,
            "case": case,
            "cases": cases,
            "sweep": sweep,
            "axes": axis,
            "implementation": implementation,
            "device": device,
            "pairs": pairs,
            "budget": budget,
            "minimum_effect": minimum_effect,
            "fail_on": fail_on,
            "acceptances": accepted,
            "threads": threads,
            "pin": pin,
            "seed": seed,
            "timeout": timeout,
        }
    )
    return gating.gate(
        options,
        SideOptions(
            pythons=(baseline_python, contender_python),
            settings=(baseline_set or (), contender_set or ()),
            implementations=(baseline_implementation, contender_implementation),
        ),
        results=results,
        output=output,
        json=json,
        selection=_words(context),
    )


def accept(
    reason: Annotated[str, typer.Option("--reason", help="Why it is intended, for the review.")],
    comparison: Annotated[
        Path | None,
        typer.Argument(
            metavar="[COMPARISON.json]", help="What a gate found.  [default: the last gate's]"
        ),
    ] = None,
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="DATE|DAYS", help="Such as 2027-01-01 or 90d."),
    ] = "90d",
    case: Annotated[
        str | None, typer.Option("--case", metavar="GLOB", help="Only cases with such an id.")
    ] = None,
    implementation: Annotated[
        str | None, typer.Option("--implementation", metavar="GLOB", help="Only of these.")
    ] = None,
    largest_change: Annotated[
        str | None,
        typer.Option(
            "--largest-change",
            metavar="SHARE",
            help="Such as 12%.  [default: the upper end of the interval, rounded up]",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="[default: gconvbench-accepted.toml]"),
    ] = None,
) -> int:
    """Write down that a change which a gate found is intended, to be reviewed and committed.

    Each failing job gets an entry of its own; with --case or --implementation there is one for all
    that fail within. Wrong results, crashes and what could not be decided are never accepted.
    """
    from gconvbench.cli import accept as accepting

    return accepting.accept_changes(
        comparison,
        reason=reason,
        expires=expires,
        case=case,
        implementation=implementation,
        largest_change=largest_change,
        file=file,
    )


def _words(context: typer.Context) -> list[str]:
    """The options that were typed, to type them again; not where results go."""
    words = []
    for parameter in context.command.params:
        if parameter.name not in _given(context) or parameter.name in _PLACES:
            continue
        value = context.params[parameter.name]
        option = max(parameter.opts, key=len)
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [option] if isinstance(one, bool) else [option, str(one)]
    return words


def _given(context: typer.Context) -> list[str]:
    """The names of the options that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]


def _refuse_this_machine(context: typer.Context) -> None:
    """A stored run has its device and its threads."""
    from gconvbench.errors import UsageError

    for name in _given(context):
        if name in {"device", "threads"}:
            message = f"--{name} is for this machine; a stored run has its own: leave one out"
            raise UsageError(message)


def _default_rounds(*, check_only: bool, budget_s: float | None) -> int:
    if check_only:
        return 1
    return 3 if budget_s is None else 20


def _refuse_timing_options(context: typer.Context) -> None:
    """Without timing there is no interval to narrow, and nothing that a twin could tell."""
    from gconvbench.errors import UsageError

    for name in _given(context):
        if name in {"budget", "aa"}:
            message = f"--{name} is about times; leave it out, or --check-only"
            raise UsageError(message)


def _refuse_new_options(context: typer.Context) -> None:
    """With --resume the plan is the stored one."""
    from gconvbench.errors import UsageError

    for name in _given(context):
        if name not in {"resume", "results", "json", "timeout"}:
            option = "-a" if name == "axis" else "--" + name.replace("_", "-")
            message = f"--resume goes on with the stored plan; {option} cannot change it"
            raise UsageError(message)
