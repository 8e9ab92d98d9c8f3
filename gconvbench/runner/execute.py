"""Carry out a plan: rounds of fresh workers, every record stored as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from gconvbench.errors import NotComparableError
from gconvbench.records import MEASURED_OUTCOMES, Record, differences
from gconvbench.runner.order import jobs_of, round_order
from gconvbench.runner.process import WorkerLostError, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gconvbench.protocol import Ready
    from gconvbench.records import Environment, Header, Job, Plan
    from gconvbench.store import Run, RunWriter

__all__ = ["Observer", "execute", "open_jobs", "why_other_environment"]

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
) -> None:
    """Do whatever of the run's plan is not stored yet, then close the file.

    `worker` is the one that was asked for the plan; it serves the first round.

    A job whose outcome was not a measurement is not asked for again: it costs one record, not one
    per round. A worker that dies or hangs is replaced, and the round goes on.

    Raises:
        NotComparableError: a worker found another environment than the header's.
        NotMeasuredError: a record could not be stored.
    """
    header = stored.header
    jobs = open_jobs(header.plan, stored.records)
    settled: set[Job] = set()
    for number in range(1, header.plan.rounds + 1):
        order = round_order(header.plan, seed=header.method.seed, number=number)
        with _Workers(header, timeout_s, worker if number == 1 else None) as workers:
            for job in order:
                if job in settled or (job, number) not in jobs:
                    continue
                observer.job_started(job, number)
                record = workers.measure(job, number)
                writer.append(record)
                observer.job_done(record)
                if record.outcome not in MEASURED_OUTCOMES:
                    settled.add(job)
    writer.finish()


def open_jobs(plan: Plan, done: Iterable[Record]) -> set[tuple[Job, int]]:
    """The jobs and rounds of a plan that `done` leaves open: resuming is a property of the data."""
    records = list(done)
    finished = {(record.job, record.round) for record in records}
    settled = {record.job for record in records if record.outcome not in MEASURED_OUTCOMES}
    return {
        (job, number)
        for job in jobs_of(plan)
        if job not in settled
        for number in range(1, plan.rounds + 1)
        if (job, number) not in finished
    }


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
        worker = self._worker or self._start()
        try:
            record = worker.measure(job, number, timeout_s=self._timeout_s)
        except WorkerLostError as error:
            self._close(kill=True)
            reason = f"the worker {error}"
            return Record(job=job, round=number, outcome=error.outcome, detail=reason)
        if record.outcome == "crashed":
            self._close(kill=False)
        return record

    def _start(self) -> WorkerProcess:
        self._worker = WorkerProcess(self._header.device, self._header.method)
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
