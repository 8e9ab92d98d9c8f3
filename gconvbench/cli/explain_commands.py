"""The subcommand `explain`: its options, and whom it calls."""

# ruff: noqa: PLC0415, FBT002, PLR0913, PLR0917

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads annotations)
from typing import Annotated

import typer

from gconvbench.cli import options as opt  # noqa: TC001 (typer reads annotations)

__all__ = ["explain"]


def explain(
    case: opt.CaseOption = None,
    axis: opt.AxisOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="A network: forum, resnext50_32x4d, ... or a sweep file of one.",
        ),
    ] = None,
    state_dict: Annotated[
        Path | None,
        typer.Option(
            "--state-dict",
            metavar="FILE",
            help="A checkpoint, read without running anything in it (torch.save, safetensors).",
        ),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--groups",
            metavar="WEIGHT=G",
            help="With --state-dict: the groups of a weight, where you know them; repeatable.",
        ),
    ] = None,
    time: Annotated[
        bool,
        typer.Option(
            "--time",
            help="Also measure one group against the groups, in fresh processes (of a network "
            "one layer).",
        ),
    ] = False,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=1000, help="Fresh processes with --time.")
    ] = 3,
    timeout: opt.TimeoutOption = 600.0,
    device: opt.DeviceOption = None,
    threads: opt.ThreadsOption = 1,
    seed: opt.SeedOption = 0,
    json: Annotated[
        bool, typer.Option("--json", help="What was seen, one JSON document per layer.")
    ] = False,
) -> int:
    """Say what groups mean in a layer, each sentence backed by something computed now.

    Without --case, -a, --model or --state-dict this is the layer that the forum's question tries.
    Exit code 6 where PyTorch's own convolution is seen to be wrong.
    """
    from gconvbench.cli.explain import Asked, start

    asked = Asked(
        ids=tuple(case or ()),
        axes=tuple(axis or ()),
        model=model,
        state_dict=state_dict,
        groups=tuple(groups or ()),
        device=device,
        threads=threads,
        seed=seed,
        rounds=rounds if time else None,
        timeout_s=timeout,
        json=json,
    )
    return start(asked)
