"""Carry out a plan: rounds of fresh workers, every record stored as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gconvbench.runner.order import by_modes
from gconvbench.runner.schedule import schedule_of
from gconvbench.runner.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.records import Footer, Job, KernelLine, Plan, Record
    from gconvbench.runner.order import Modes
    from gconvbench.runner.process import WorkerProcess
    from gconvbench.store import Run, RunWriter

__all__ = ["Observer", "execute"]


class Observer(Protocol):
    """Hears of everything that happens."""

    def job_started(self, job: Job, number: int) -> None:
        """A worker was asked for this job in this round."""

    def job_done(self, record: Record) -> None:
        """The record is on the disk."""

    def kernels_seen(self, line: KernelLine) -> None:
        """So is what was seen of a job later."""


def execute(
    stored: Run,
    writer: RunWriter,
    observer: Observer,
    *,
    worker: WorkerProcess,
    timeout_s: float,
) -> Footer:
    """Do whatever of the run's plan is not stored yet, then close the file with the footer.

    `worker` is the one that was asked for the plan; it serves the first round that has jobs, of
    these the ones without modes. Each of the modes of a round has a worker of its own.

    On a card the kernels are looked at in the first round; where settings may let each process
    choose anew, in every one.

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
        for modes, jobs in _processes(header.plan, schedule.round(number), is_first=bool(first)):
            if first and modes:
                first.close()
                first = None
            with Workers(header, timeout_s, first, modes=dict(modes)) as workers:
                first = None
                for job in jobs:
                    if schedule.is_spent():
                        break
                    observer.job_started(job, number)
                    record = workers.measure(job, number)
                    writer.append(record)
                    schedule.add(record)
                    observer.job_done(record)
                for line in workers.see_kernels() if number == 1 or modes else ():
                    writer.append(line)
                    observer.kernels_seen(line)
    for record in schedule.rest():
        writer.append(record)
        observer.job_done(record)
    return writer.finish()


def _processes(plan: Plan, jobs: Sequence[Job], *, is_first: bool) -> list[tuple[Modes, list[Job]]]:
    """What each process of a round measures, in the order of the round's first jobs.

    The first time what needs no mode comes first: its worker is there, and is not to be kept
    waiting while another one measures.
    """
    groups = list(by_modes(plan, jobs).items())
    return sorted(groups, key=lambda group: bool(group[0])) if is_first else groups
