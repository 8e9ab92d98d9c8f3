"""Carry out a plan: rounds of fresh workers, every record stored as it arrives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from gconvbench.errors import NotComparableError, NotMeasuredError
from gconvbench.records import Record, differences
from gconvbench.runner.process import WorkerLostError, WorkerProcess
from gconvbench.runner.schedule import schedule_of

if TYPE_CHECKING:
    from gconvbench.protocol import Ready
    from gconvbench.records import Environment, Footer, Header, Job
    from gconvbench.store import Run, RunWriter

__all__ = ["Observer", "execute", "why_other_environment"]

_CODE_FIELDS = {"commit", "commit_dirty"}
"""What may change under a run: the repository is not only the code under test."""


class Observer(Protocol):
    """Hears of everything that happens."""

    def job_started(self, job: Job, number: int) -> None:
        """A worker was asked for this job in this round."""

    def job_done(self, record: Record) -> None:
        """The record is on the disk."""


def execute(
    stored: Run,
    writer: RunWriter,
    observer: Observer,
    *,
    worker: WorkerProcess,
    timeout_s: float,
) -> Footer:
    """Do whatever of the run's plan is not stored yet, then close the file with the footer.

    `worker` is the one that was asked for the plan; it serves the first round that has jobs.

    A job whose outcome was not a measurement is not asked for again: it costs one record, not one
    per round. A worker that dies or hangs is replaced, and the round goes on. A round without jobs
    starts none.

    Raises:
        NotComparableError: a worker found another environment than the header's.
        NotMeasuredError: a record could not be stored.
    """
    header = stored.header
    schedule = schedule_of(header, stored.records)
    first: WorkerProcess | None = worker
    for number in range(1, header.plan.rounds + 1):
        if not (jobs := schedule.round(number)):
            continue
        with _Workers(header, timeout_s, first) as workers:
            first = None
            for job in jobs:
                if schedule.is_spent():
                    break
                observer.job_started(job, number)
                record = workers.measure(job, number)
                writer.append(record)
                schedule.add(record)
                observer.job_done(record)
    for record in schedule.rest():
        writer.append(record)
        observer.job_done(record)
    return writer.finish()


class _Workers:
    """One live worker at a time, started when needed, replaced when lost."""

    def __init__(self, header: Header, timeout_s: float, worker: WorkerProcess | None) -> None:
        self._header = header
        self._timeout_s = timeout_s
        self._worker = worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close(kill=kind is not None)

    def measure(self, job: Job, number: int) -> Record:
        """One record, whatever happens to the worker."""
        start = time.perf_counter()
        worker = self._worker or self._start()
        try:
            record = worker.measure(job, number, timeout_s=self._timeout_s)
        except WorkerLostError as error:
            self._close(kill=True)
            reason = f"the worker {error}"
            record = Record(job=job, round=number, outcome=error.outcome, detail=reason)
        else:
            if record.outcome == "crashed":
                self._close(kill=False)
        return msgspec.structs.replace(record, waited_s=round(time.perf_counter() - start, 6))

    def _start(self) -> WorkerProcess:
        """A worker; one that dies while it starts gets a second try."""
        device, method = self._header.device, self._header.method
        try:
            self._worker = WorkerProcess(device, method)
        except NotMeasuredError:
            self._worker = WorkerProcess(device, method)
        if reason := why_other_environment(self._header.environment, self._worker.ready):
            raise NotComparableError(reason)
        return self._worker

    def _close(self, *, kill: bool) -> None:
        if self._worker:
            self._worker.close(kill=kill)
        self._worker = None


def why_other_environment(environment: Environment, ready: Ready) -> str | None:
    """The first field in which a worker's environment differs from a run's, or None.

    Stricter than a comparison: one run is of one torch. What is unknown is not different.
    """
    for found in differences(environment, ready.environment):
        if found.kind == "soft" or found.is_unknown or found.field in _CODE_FIELDS:
            continue
        return (
            f"{found.kind} field {found.field!r} is {found.after!r} now, the run began with "
            f"{found.before!r}; start a new run"
        )
    return None
