"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gconvbench.cli.values import seconds, share

__all__ = [
    "AcceptOption",
    "AcceptedOption",
    "AsvOption",
    "AxisOption",
    "BudgetOption",
    "CacheOption",
    "CaseOption",
    "CasesOption",
    "CheckOnlyOption",
    "DeviceOption",
    "ImplementationOption",
    "JsonOption",
    "MachineOption",
    "NamesOption",
    "PatternOption",
    "PinOption",
    "ResultsOption",
    "RoundsOption",
    "SeedOption",
    "SweepOption",
    "TargetOption",
    "ThreadsOption",
    "TimeoutOption",
    "TwinsOption",
]

CaseOption = Annotated[
    list[str] | None, typer.Option("--case", metavar="ID", help="A case by its id; repeatable.")
]
CasesOption = Annotated[
    list[Path] | None,
    typer.Option("--cases", metavar="FILE", help="A file with one id per line, # for comments."),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="NAME|FILE.toml",
        help="A named sweep (see list --sweeps) or a sweep file; repeatable.",
    ),
]
AxisOption = Annotated[
    list[str] | None,
    typer.Option(
        "-a",
        "--axis",
        metavar="NAME=VALUES",
        help="Vary or fix a field: groups=1,2,4 or channels=64..512:x2; repeatable.",
    ),
]
ImplementationOption = Annotated[
    str,
    typer.Option(
        "--implementation",
        metavar="A,B|all",
        help="Ways of computing it: names or patterns; default leaves out what is on request, "
        "which takes seconds a case.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", help="cpu, cuda or cuda:1; several with commas.  [default: cuda if any]"
    ),
]
RoundsOption = Annotated[
    int | None,
    typer.Option(
        "--rounds",
        min=1,
        max=1000,
        help="Fresh worker processes per job.  [default: 3; 1 without timing; 20 with a budget]",
    ),
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds until a job counts as hung.")
]
CheckOnlyOption = Annotated[
    bool, typer.Option("--check-only", help="Prove implementations right without timing them.")
]
CacheOption = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="MODE,...",
        help="Views of a time: cold, hot, graph (replays of a CUDA graph), as_called (the host's "
        "clock).  [default: hot; on CUDA all]",
    ),
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        "--target",
        parser=share,
        metavar="SHARE",
        help="Stop when the median is known to this share, such as 1%.  "
        "[default: 2%; 0.5% on CUDA]",
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget",
        parser=seconds,
        metavar="TIME",
        help="Such as 90s, 5m or 1h30m: spend it where intervals are widest against the target. "
        "--rounds is then the most there may be.",
    ),
]
TwinsOption = Annotated[
    str | None,
    typer.Option(
        "--aa",
        metavar="A,B|all",
        help="Measure these implementations twice in each round (A/A), for the noise floor.",
    ),
]
PinOption = Annotated[
    str | None,
    typer.Option("--pin", metavar="CORES", help="Run the worker on these CPU cores: 1 or 2,3."),
]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, max=1024, help="CPU threads.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of inputs and order.")]
ResultsOption = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="Where runs are stored.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Stored records instead of tables, one per line.")
]
AsvOption = Annotated[
    Path | None,
    typer.Option("--asv", metavar="DIR", help="asv's results_dir instead of stored runs."),
]
MachineOption = Annotated[
    str | None, typer.Option("--machine", help="Whose runs.  [default: of the newest run]")
]
PatternOption = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="ID", help="A case, a pattern, or a benchmark; repeatable."),
]
NamesOption = Annotated[
    str | None, typer.Option("--implementation", metavar="A,B", help="Names or patterns.")
]
AcceptedOption = Annotated[
    Path | None,
    typer.Option("--accepted", metavar="FILE", help="[default: gconvbench-accepted.toml]"),
]
AcceptOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="RUN|COMMIT",
        help="A new level starts here on purpose: the step is not reported; repeatable.",
    ),
]
