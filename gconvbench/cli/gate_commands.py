"""The subcommands that compare two sides: their options, and whom they call."""

# ruff: noqa: PLC0415, FBT002, PLR0913, PLR0917

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gconvbench.cli import options as opt
from gconvbench.cli import refusals

__all__ = ["accept", "compare", "gate"]

_PLACES = frozenset({"output", "results", "json"})
"""Options about where to, not about what."""


def gate(
    context: typer.Context,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="REF",
            help="A commit, branch or tag; or latest or a run's file, to screen against a stored "
            "run.  [default: where this branch left the main one]",
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
            "--fail-on", metavar="NOTE", help="accuracy, dispatch, memory, new; repeatable."
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
    from gconvbench.cli.gate_earlier import refuse_subfolder
    from gconvbench.cli.gate_sides import SideOptions
    from gconvbench.gate_options import read_gate_options

    if not (implementation and (case or cases or sweep)):  # else nothing else would be measured
        refuse_subfolder(config)
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
            config=config,
        ),
        results=results,
        output=output,
        json=json,
        selection=_words(context),
    )


def compare(
    context: typer.Context,
    baseline: Annotated[
        str, typer.Argument(metavar="BASELINE", help="A file, a run's name, latest~1, a commit.")
    ] = "latest~1",
    contender: Annotated[str, typer.Argument(metavar="CONTENDER", help="Likewise.")] = "latest",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Where JSON, markdown and JUnit XML go."),
    ] = None,
    results: opt.ResultsOption = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead.")] = False,
) -> int:
    """Show two stored runs side by side; works without torch.

    Runs of different hours differ for more reasons than their code: what looks slower here is
    uncertain at most. `gconvbench gate` measures both sides together, and decides.

    Exit codes: 0 nothing looks slower, 3 something does, 4 not comparable, 5 missing or crashed.
    """
    from gconvbench.cli import compare as comparing

    return comparing.compare(
        baseline,
        contender,
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
        if parameter.name not in refusals.given(context) or parameter.name in _PLACES:
            continue
        value = context.params[parameter.name]
        if parameter.param_type_name == "argument":
            words.append(str(value))
            continue
        option = max(parameter.opts, key=len)
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [option] if isinstance(one, bool) else [option, str(one)]
    return words
