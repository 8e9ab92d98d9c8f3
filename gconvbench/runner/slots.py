"""A slot: one fresh process of one side that measures some jobs, each of them stored."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.runner.begin import known_ceilings, make_header, with_verdict
from gconvbench.runner.doctor import examination_of
from gconvbench.runner.process import WorkerProcess
from gconvbench.runner.workers import Workers
from gconvbench.store import RunWriter, with_kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gconvbench.gate.processes import SideName
    from gconvbench.protocol import Ready
    from gconvbench.records import Examination, Header, Job, Method, Plan, Record
    from gconvbench.runner.side import Side

__all__ = ["Asked", "MeasuredSide", "Slot", "ask"]


@dataclass(frozen=True)
class Slot:
    """What one process left.

    Attributes:
        records: per job.
        anchors: per anchor its samples, in seconds per launch; none where they were not asked for.
        wall_s: how long all took, the start included.
    """

    records: dict[Job, Record]
    anchors: dict[str, tuple[float, ...]]
    wall_s: float


class Asked(NamedTuple):
    """What a side has.

    Attributes:
        ready: what its worker said of itself.
        reasons: per job why it cannot be done; None where it can.
        start_s: how long the worker took to start.
        examination: of the instrument; None where there was none.
    """

    ready: Ready
    reasons: dict[Job, str | None]
    start_s: float
    examination: Examination | None = None


def ask(
    side: Side, device: str, method: Method, jobs_of: Callable[[Ready], tuple[Job, ...]]
) -> Asked:
    """What a side has, and per job the reason why it cannot do it.

    Args:
        side: the side.
        device: on which.
        method: how it will measure.
        jobs_of: the jobs to ask about, given what the side has.
    """
    with WorkerProcess(device, method, side) as worker:
        jobs = jobs_of(worker.ready)
        reasons = dict(zip(jobs, worker.support(jobs), strict=True))
        examination = examination_of("quick", worker.examine("quick"))
        return Asked(worker.ready, reasons, worker.start_s, examination)


class MeasuredSide:
    """One side of a gate, and the run that its records are stored in.

    Args:
        side: the side.
        ready: what its worker said when it was asked.
        name: which side.
        plan: what the first look measures; more may follow for some jobs.
        method: how.
        device: on which.
        results: where runs are stored.
        timeout_s: until a job counts as hung.
        examination: of the instrument when the side was asked.
    """

    def __init__(  # noqa: PLR0913 (keyword-only, one per choice)
        self,
        side: Side,
        ready: Ready,
        *,
        name: SideName,
        plan: Plan,
        method: Method,
        device: str,
        results: Path,
        timeout_s: float,
        examination: Examination | None = None,
    ) -> None:
        self.side = side
        self.ready = ready
        ceilings = known_ceilings(results, ready.machine)
        header = make_header(plan, method, device, ready, ceilings=ceilings)
        header = with_verdict(header, results, examination)
        self.header: Header = msgspec.structs.replace(header, gate_side=name)
        self.writer = RunWriter.create(results, self.header)
        self.slots = 0
        self._timeout_s = timeout_s

    @property
    def run(self) -> str:
        """The stored run's name."""
        return self.writer.path.stem

    def measure(
        self,
        jobs: Sequence[Job],
        *,
        anchor_samples: int = 0,
        is_over: Callable[[], bool] = bool,
    ) -> Slot:
        """Measure these jobs in one fresh process, in an order of its own.

        A job that kills the process costs one record; the others go on in another process. On a
        GPU the first process looks at kernels in the end.

        Args:
            jobs: which.
            anchor_samples: how many of each anchor; 0 leaves them out.
            is_over: whether the time is spent; the jobs that are left then have no record.
        """
        self.slots += 1
        start = time.monotonic()
        records: dict[Job, Record] = {}
        with Workers(self.header, self._timeout_s, side=self.side) as workers:
            for job in self._shuffled(jobs):
                if is_over():
                    break
                record = workers.measure(job, self.slots)
                self.writer.append(record)
                records[job] = record
            anchors = workers.measure_anchors(anchor_samples) if anchor_samples else {}
            for line in workers.see_kernels() if self.slots == 1 else ():
                self.writer.append(line)
                records[line.job] = with_kernels(records[line.job], line)
        return Slot(records, anchors, time.monotonic() - start)

    def finish(self) -> None:
        """Close the run's file."""
        self.writer.finish()

    def _shuffled(self, jobs: Sequence[Job]) -> list[Job]:
        """Cases in random order, what is of one case together: it shares the proof."""
        generator = random.Random(f"{self.header.method.seed} {self.slots}")  # noqa: S311
        cases: dict[str, list[Job]] = {}
        for job in jobs:
            cases.setdefault(job.case, []).append(job)
        order = list(cases.values())
        generator.shuffle(order)
        for of_case in order:
            generator.shuffle(of_case)
        return [job for of_case in order for job in of_case]
