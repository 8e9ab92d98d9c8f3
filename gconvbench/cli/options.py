"""Options that mean the same in every command, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gconvbench.errors import UsageError, refused_name
from gconvbench.records import Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.protocol import Description

__all__ = [
    "AxisOption",
    "CacheOption",
    "CaseOption",
    "CasesOption",
    "CheckOnlyOption",
    "DeviceOption",
    "ImplementationOption",
    "JsonOption",
    "ResultsOption",
    "RoundsOption",
    "SeedOption",
    "SweepOption",
    "TargetOption",
    "ThreadsOption",
    "chosen_implementations",
    "default_device",
    "make_method",
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
        help="A named sweep (quick, forum, groups, full) or a sweep file; repeatable.",
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
    str, typer.Option("--implementation", metavar="A,B|all", help="Which ways of computing it.")
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="cpu, cuda or cuda:1; several with commas.  [default: cuda if any]"),
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", min=1, max=1000, help="Fresh worker processes per job.")
]
CheckOnlyOption = Annotated[
    bool, typer.Option("--check-only", help="Prove implementations right without timing them.")
]
CacheOption = Annotated[
    str | None,
    typer.Option(
        "--cache", metavar="hot|cold|cold,hot", help="Cache modes.  [default: hot; cold,hot on CUDA]"
    ),
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        "--target",
        help="Stop when the median is known to this share.  [default: 0.02; 0.005 on CUDA]",
    ),
]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, max=1024, help="CPU threads.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of inputs and order.")]
ResultsOption = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="Where runs are stored.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Stored records instead of tables, one per line.")
]

_CACHE_MODES = ("hot", "cold")
_TARGETS = {"cpu": 0.02, "cuda": 0.005}
"""Default half-width of the median's interval, as a share of the median. On the CPU 40 samples
reach 1.8 % at the median of many cases; a GPU is quieter."""


def default_device() -> str:
    """`cuda` where the NVIDIA driver sees a device, else `cpu`; found without torch."""
    import pynvml  # noqa: PLC0415 (slow to import, and rarely needed)

    try:
        pynvml.nvmlInit()
        return "cuda" if pynvml.nvmlDeviceGetCount() else "cpu"
    except pynvml.NVMLError:
        return "cpu"


def make_method(  # noqa: PLR0913 (one argument per option)
    device: str,
    *,
    cache: str | None,
    target: float | None,
    threads: int,
    seed: int,
    check_only: bool,
) -> Method:
    """How to measure on `device`.

    Raises:
        UsageError: a cache mode that is unknown or that the device does not have.
    """
    kind = device.partition(":")[0]
    modes = tuple((cache or ("hot" if kind == "cpu" else "cold,hot")).split(","))
    for mode in modes:
        if mode not in _CACHE_MODES:
            raise UsageError(refused_name("cache mode", mode, _CACHE_MODES))
    if kind == "cpu" and "cold" in modes:
        message = "cache mode 'cold' needs a CUDA device; on the CPU times are hot"
        raise UsageError(message)
    share = _TARGETS[kind] if target is None else target
    if not 0 < share < 1:
        message = f"target ({share}) must be between 0 and 1, such as 0.01 for 1 %"
        raise UsageError(message)
    return Method(
        clock="host" if kind == "cpu" else "cuda_events",
        cache_modes=tuple("cold" if mode == "cold" else "hot" for mode in dict.fromkeys(modes)),
        target=share,
        threads=threads,
        seed=seed,
        check_only=check_only,
    )


def chosen_implementations(text: str, known: Sequence[Description]) -> tuple[str, ...]:
    """The names meant by `--implementation`.

    Raises:
        UsageError: a name that is not known, or whose module cannot be used.
    """
    usable = [one.name for one in known if not one.problem]
    if text == "all":
        return tuple(usable)
    problems = {one.name: one.problem for one in known if one.problem}
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name in problems:
            message = f"implementation {name!r} cannot be used: {problems[name]}"
            raise UsageError(message)
        if name not in usable:
            raise UsageError(refused_name("implementation", name, [*usable, "all"]))
    return names
