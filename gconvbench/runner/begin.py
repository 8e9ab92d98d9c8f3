"""The start of a run: its header, and the records of what cannot be done."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.errors import UsageError
from gconvbench.instruments import latest_document
from gconvbench.records import DoctorDocument, Header, Record, RooflineDocument
from gconvbench.runner.checkout import has_module, top_if_any
from gconvbench.runner.doctor import examination_of
from gconvbench.runner.order import jobs_of
from gconvbench.runner.schedule import with_sampling_cap
from gconvbench.store import RunWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.protocol import Description, Ready
    from gconvbench.records import Ceilings, Environment, Examination, Job, Method, Plan
    from gconvbench.runner.process import WorkerProcess

__all__ = [
    "begin_run",
    "known_ceilings",
    "make_header",
    "name_at",
    "unsupported_records",
    "with_verdict",
]


def begin_run(
    results: Path, plan: Plan, method: Method, device: str, *, worker: WorkerProcess
) -> RunWriter:
    """Start a run's file with its header and with what is known before anything is measured.

    With a budget the worker learns now how long it may take samples of each job.

    Raises:
        UsageError: nothing of the plan can be done, or the code is not that of the commit.
        NotMeasuredError: the file cannot be written, or the worker was lost.
    """
    _refuse_copies(plan, worker.ready.implementations)
    jobs = jobs_of(plan)
    unsupported = unsupported_records(jobs, worker.support(jobs, modes_apart=True))
    if method.budget_s is not None:
        method = with_sampling_cap(method, jobs=len(jobs) - len(unsupported))
        worker.set_up(method)
    ceilings = known_ceilings(results, worker.ready.machine)
    header = make_header(
        plan, method, device, worker.ready, start_s=worker.start_s, ceilings=ceilings
    )
    header = with_verdict(header, results, examination_of("quick", worker.examine("quick")))
    writer = RunWriter.create(results, header)
    for record in unsupported:
        writer.append(record)
    return writer


def with_verdict(header: Header, results: Path, examination: Examination | None) -> Header:
    """Whether the instrument is fit now, and what `doctor` said of it when it was last asked."""
    full = latest_document(results, header.machine, DoctorDocument)
    doctor = full.in_short if full else None
    return replace(header, examination=examination, doctor=doctor)


def _refuse_copies(plan: Plan, known: Sequence[Description]) -> None:
    """The commit that a run stores is to be that of the code that it measures.

    What gconvbench brings itself is left alone: its version is in the environment.

    Raises:
        UsageError: an implementation of this checkout would be measured as it was installed.
    """
    top = top_if_any(Path.cwd())
    if top is None:
        return
    for one in known:
        is_copy = not one.is_under_test and not one.module.startswith("gconvbench.")
        if one.name in plan.implementations and is_copy and has_module(top, one.module):
            message = (
                f"implementation {one.name!r} of this checkout was imported from where it is "
                "installed, so that its commit says nothing of what would be measured; "
                "python -m pip install --editable ., or put its folder on PYTHONPATH"
            )
            raise UsageError(message)


def unsupported_records(jobs: Sequence[Job], reasons: Sequence[str | None]) -> list[Record]:
    """Records of the jobs that have a reason why they cannot be done.

    Raises:
        UsageError: none of them can.
    """
    unsupported = [
        Record(job=job, round=1, outcome="unsupported", detail=reason)
        for job, reason in zip(jobs, reasons, strict=True)
        if reason
    ]
    if len(unsupported) == len(jobs):
        first = unsupported[0]
        message = f"nothing can be run; {first.job.implementation}: {first.detail}"
        raise UsageError(message)
    return unsupported


def known_ceilings(results: Path, machine: str) -> Ceilings | None:
    """Those of the newest roofline that was stored of a machine, or None."""
    document = latest_document(results, machine, RooflineDocument)
    return document.ceilings if document else None


def name_at(now: datetime, environment: Environment) -> str:
    """UTC time and commit: the name of what is stored of an environment."""
    commit = str(environment.under_test.get("commit") or "")[:7] or "nocommit"
    return f"{now:%Y%m%dT%H%M%SZ}-{commit}"


def make_header(  # noqa: PLR0913 (keyword-only after what every run has)
    plan: Plan,
    method: Method,
    device: str,
    ready: Ready,
    *,
    start_s: float | None = None,
    ceilings: Ceilings | None = None,
) -> Header:
    """The first line of a run that begins now.

    Args:
        plan: what it is to do.
        method: how.
        device: where.
        ready: what its worker said.
        start_s: what that took to start.
        ceilings: of the machine, where they are known.
    """
    now = datetime.now(UTC)
    return Header(
        run=name_at(now, ready.environment),
        created=now.isoformat(timespec="seconds"),
        plan=plan,
        method=method,
        environment=ready.environment,
        device=device,
        machine=ready.machine,
        start_s=None if start_s is None else round(start_s, 3),
        ceilings=ceilings,
    )
