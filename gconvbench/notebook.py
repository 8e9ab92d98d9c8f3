"""`gconvbench.bench`: one case from a Python session or a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.arguments import meant_case, meant_device, whole_number
from gconvbench.cases import case_id
from gconvbench.errors import UsageError
from gconvbench.in_place import run_in_place
from gconvbench.planning import (
    DEFAULT,
    VIEWS_IN_PLACE,
    chosen_implementations,
    make_method,
    modes_of,
)
from gconvbench.records import Plan, PlannedCase
from gconvbench.report.bench import BenchTable
from gconvbench.runner import device_lock, results_folder, run_apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch.nn import Conv2d

    from gconvbench.cases import Case
    from gconvbench.protocol import Description

__all__ = ["BenchTable", "bench"]

_IN_PLACE = (
    "in place, one process: intervals cover less than they say; "
    "isolate=True measures in fresh processes"
)


def bench(  # noqa: PLR0913 (one argument per option of `gconvbench run`)
    what: Conv2d | Case | str,
    *,
    input_shape: Sequence[int] | None = None,
    implementations: str | Sequence[str] = DEFAULT,
    direction: str | None = None,
    math_mode: str | None = None,
    device: str | None = None,
    cache: str | None = None,
    rounds: int = 3,
    target: float | None = None,
    threads: int | None = None,
    seed: int = 0,
    isolate: bool = False,
    timeout_s: float = 600.0,
    results: str | Path | None = None,
) -> BenchTable:
    """Prove and time the ways of computing one case; Ctrl-C ends it.

    Operands are drawn by gconvbench, since times do not depend on their values: the module's own
    weights are neither used nor touched. In place an implementation runs in this very process,
    whose settings are left as they were found. One that crashes takes the process (in a notebook
    the kernel) along, and one that hangs is waited for; with `isolate=True` either costs one row.

    Args:
        what: a `torch.nn.Conv2d`, a `Case`, or a case id.
        input_shape: (N, C, H, W) of a module's input.
        implementations: names and patterns with commas between or as a list; `default`, `all`.
        direction: `fprop`, `dgrad`, `wgrad` or `training`; by default the case's, of a module
            `fprop`.
        math_mode: `ieee` or `tf32`; by default the case's, of a module `ieee`.
        device: `cpu`, `cuda` or `cuda:1`; by default the module's, of a case `cuda` where there is
            one.
        cache: some of `cold,hot,graph,as_called`; by default `hot` on the CPU, on CUDA with
            `isolate` all, else all but `graph`, whose capture other threads would disturb.
        rounds: how often to repeat all in shuffled order; with `isolate` each in a fresh process.
        target: half-width of the median's interval at which sampling stops, as its share.
        threads: of the CPU; by default as many as this process uses.
        seed: of operands and order.
        isolate: measure in worker processes, as `gconvbench run` does.
        timeout_s: with `isolate` the most that one job may take, in seconds.
        results: with `isolate` a folder to store the run in, for `gconvbench show`.

    Raises:
        UsageError: something asked for does not exist or cannot be measured.
        InstrumentError: another run is using the device.
    """
    case = meant_case("bench", what, input_shape, direction=direction, math_mode=math_mode)
    if results is not None and not isolate:
        message = "results stores what fresh processes measured; add isolate=True"
        raise UsageError(message)
    where = meant_device(what, device)
    method = make_method(
        where,
        cache=cache or (None if isolate else VIEWS_IN_PLACE[where.partition(":")[0]]),
        target=target,
        threads=whole_number("threads", torch.get_num_threads() if threads is None else threads),
        seed=seed,
        check_only=False,
    )
    names = implementations if isinstance(implementations, str) else ",".join(implementations)
    passes = whole_number("rounds", rounds)

    def plan_of(known: Sequence[Description]) -> Plan:
        chosen = chosen_implementations(names, known)
        return Plan(
            cases=(PlannedCase(case_id(case)),),
            implementations=chosen,
            rounds=passes,
            modes=modes_of(chosen, known),
        )

    with device_lock(where):
        if not isolate:
            return BenchTable(run_in_place(where, method, plan_of), _IN_PLACE)
        with results_folder(results) as folder:
            run = run_apart(where, method, plan_of, folder, timeout_s=timeout_s)
            return BenchTable(run, "" if results is None else f"stored in {run.path}")
