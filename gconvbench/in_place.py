"""Work in the calling process, which is somebody else's: a notebook's kernel."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gconvbench.cases import case_id
from gconvbench.device import reset_settings, why_unavailable
from gconvbench.errors import UsageError
from gconvbench.explaining import Explainer
from gconvbench.protocol import AskSupport, ExplainLayer, Measure, Ready, SetUp
from gconvbench.records import MEASURED_OUTCOMES
from gconvbench.runner import jobs_of, make_header, round_order, unsupported_records
from gconvbench.settings import preserved_settings
from gconvbench.start import start_engine
from gconvbench.store import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gconvbench.cases import Case
    from gconvbench.engine import Engine
    from gconvbench.protocol import Description
    from gconvbench.records import Explanation, Job, Method, Plan, Record

__all__ = ["explain_in_place", "run_in_place"]


def run_in_place(
    device: str, method: Method, plan_of: Callable[[Sequence[Description]], Plan]
) -> Run:
    """Carry out a plan here: as many passes as it has rounds. Nothing is stored.

    The process's settings are left as they were found. Ctrl-C ends it with `KeyboardInterrupt`.

    Args:
        device: where to measure.
        method: how to measure.
        plan_of: the plan, once it is known which implementations there are.

    Raises:
        UsageError: the device cannot be used, or nothing of the plan can be done.
    """
    with _engine_here(SetUp(device, method)) as (engine, ready):
        plan = plan_of(ready.implementations)
        jobs = jobs_of(plan)
        records = unsupported_records(jobs, engine.support(AskSupport(jobs)).reasons)
        open_jobs = set(jobs) - {record.job for record in records}
        records += _measured(engine, plan, open_jobs, seed=method.seed)
    header = make_header(plan, method, device, ready)
    return Run(Path(), header, tuple(records), footer=None, unreadable=0, intact=None)


def explain_in_place(device: str, method: Method, case: Case) -> Explanation:
    """What is to be seen of a layer, seen here; the process's settings are left as they were.

    Args:
        device: where to launch it.
        method: of which threads and seed count.
        case: the layer.

    Raises:
        UsageError: the device cannot be used, or cannot compute the layer.
    """
    request = SetUp(device, method)
    with _engine_here(request) as (_, ready):
        return Explainer(request, ready).layer(ExplainLayer(case_id(case)))


@contextmanager
def _engine_here(request: SetUp) -> Iterator[tuple[Engine, Ready]]:
    """An engine in this process; its settings are a fresh process's within the block."""
    if reason := why_unavailable(request.device):
        raise UsageError(reason)
    with preserved_settings(request.device):
        reset_settings(request.method.threads)
        _refuse_other_default_device()
        engine, ready = start_engine(request, announce=lambda _: None, passes=(KeyboardInterrupt,))
        assert engine is not None  # noqa: S101 (the device is there)
        assert isinstance(ready, Ready)  # noqa: S101
        yield engine, ready


def _measured(engine: Engine, plan: Plan, jobs: set[Job], *, seed: int) -> Iterator[Record]:
    """A record per job and pass; after one that was no measurement, no other of its job.

    A crash has lost the device for the whole process, and ends it.
    """
    for number in range(1, plan.rounds + 1):
        for job in round_order(plan, seed=seed, number=number):
            if job not in jobs:
                continue
            record = engine.measure(Measure(job, number))
            yield record
            if record.outcome == "crashed":
                return
            if record.outcome not in MEASURED_OUTCOMES:
                jobs.discard(job)


def _refuse_other_default_device() -> None:
    """That of an enclosing block cannot be reset, and operands would land there."""
    device = torch.get_default_device()
    if device.type != "cpu":
        message = (
            f"the default device of an enclosing `with torch.device(...)` is '{device}'; allowed: "
            "cpu; call it outside of the block"
        )
        raise UsageError(message)
