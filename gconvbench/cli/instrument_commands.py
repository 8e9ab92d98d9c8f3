"""The subcommands about the instrument itself: their options, and whom they call."""

# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gconvbench.cli import options as opt  # noqa: TC001 (typer reads annotations)
from gconvbench.cli.values import seconds

__all__ = ["doctor", "roofline"]


def doctor(
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda or cuda:1.  [default: cuda if any]")
    ] = None,
    threads: opt.ThreadsOption = 1,
    results: opt.ResultsOption = Path("results"),
    json: Annotated[
        bool, typer.Option("--json", help="The stored document instead of text.")
    ] = False,
) -> int:
    """Examine the instrument before anyone trusts it: clocks, caches, noise, neighbours, settings.

    Each finding comes with advice. Exit code 3 where the instrument is not fit to measure. The
    verdict is stored, and every later run of this machine names it.
    """
    from gconvbench.cli.doctor import examine

    return examine(device, threads=threads, results=results, json=json)


def roofline(
    device: opt.DeviceOption = None,
    threads: opt.ThreadsOption = 1,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            parser=seconds,
            metavar="TIME",
            help="About how long to measure, such as 30s.  [default: 20s; 10s on CUDA]",
        ),
    ] = None,
    results: opt.ResultsOption = Path("results"),
    json: Annotated[
        bool, typer.Option("--json", help="The stored document instead of a table.")
    ] = False,
) -> int:
    """Measure what the device can do at most: its bandwidth, its throughput, its launch floor.

    It is stored beside the device's runs, and runs that begin later judge each job by it: the
    column `of floor` is the least time by these ceilings over the time taken.
    """
    from gconvbench.cli.roofline import start

    return start(device, threads=threads, budget_s=budget, results=results, json=json)
