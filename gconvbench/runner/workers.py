"""One live worker at a time, replaced when it dies, in the environment that its run began with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import msgspec

from gconvbench.cases import case_if_any
from gconvbench.errors import NotComparableError, NotMeasuredError
from gconvbench.records import KernelLine, Record, differences
from gconvbench.runner.connection import WorkerLostError
from gconvbench.runner.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gconvbench.protocol import Ready
    from gconvbench.records import Environment, Header, Job
    from gconvbench.runner.side import Side

__all__ = ["Workers", "why_other_environment"]

_CODE_FIELDS = {"commit", "commit_dirty"}
"""What may change under a run: the repository is not only the code under test."""


class Workers:
    """One live worker at a time, started when needed, replaced when lost.

    Args:
        header: of the run.
        timeout_s: until a job counts as hung.
        worker: one that is there already.
        side: of a gate, whose code is measured.
        modes: settings of torch that its workers are to have beyond the run's environment.
    """

    def __init__(
        self,
        header: Header,
        timeout_s: float,
        worker: WorkerProcess | None = None,
        side: Side | None = None,
        modes: Mapping[str, bool | str] | None = None,
    ) -> None:
        self._modes = modes or {}
        self._header = header
        self._timeout_s = timeout_s
        self._worker = worker
        self._side = side
        self._measured: list[tuple[Job, int]] = []

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
            self._measured += [(job, number)] if record.timings else []
            if record.outcome == "crashed":
                self._close(kill=False)
        waited_s = round(time.perf_counter() - start, 6)
        floor_s = self._floor_s(job) if record.timings else None
        return msgspec.structs.replace(record, waited_s=waited_s, floor_s=floor_s)

    def measure_anchors(self, samples: int) -> dict[str, tuple[float, ...]]:
        """Samples of work that is not under test; none where the worker died of it."""
        worker = self._worker or self._start()
        try:
            return worker.measure_anchors(samples)
        except WorkerLostError:
            self._close(kill=True)
            return {}

    def see_kernels(self) -> Iterator[KernelLine]:
        """The kernels of what the present worker has measured, when nothing more is timed by it.

        On the CPU they are in the records already. Those of a worker that was lost are not known.
        """
        measured, self._measured = self._measured, []
        for job, number in measured if self._header.device != "cpu" else ():
            if self._worker is None:
                return
            try:
                yield self._worker.see_kernels(job, number)
            except WorkerLostError as error:
                self._close(kill=True)
                yield KernelLine(job=job, round=number, detail=f"the worker {error}")

    def renew(self) -> None:
        """End the worker; the next job has a fresh one."""
        self._close(kill=False)

    def _floor_s(self, job: Job) -> float | None:
        """The least that the job can take by the run's ceilings, where these are known."""
        ceilings, case = self._header.ceilings, case_if_any(job.case)
        floor = ceilings.floor(case) if ceilings and case else None
        return floor.seconds if floor else None

    def _start(self) -> WorkerProcess:
        """A worker; one that dies while it starts gets a second try."""
        device, method = self._header.device, self._header.method
        try:
            self._worker = WorkerProcess(device, method, self._side, self._modes)
        except NotMeasuredError:
            self._worker = WorkerProcess(device, method, self._side, self._modes)
        if reason := why_other_environment(
            self._header.environment, self._worker.ready, self._modes
        ):
            raise NotComparableError(reason)
        return self._worker

    def _close(self, *, kill: bool) -> None:
        if self._worker:
            self._worker.close(kill=kill)
        self._worker = None
        self._measured = []


def why_other_environment(
    environment: Environment, ready: Ready, modes: Mapping[str, bool | str] | None = None
) -> str | None:
    """The first field in which a worker's environment differs from a run's, or None.

    Stricter than a comparison: one run is of one torch. What is unknown is not different. Settings
    that the worker is to have as a mode must be those, whatever the run's are.
    """
    wanted = modes or {}
    for name, value in wanted.items():
        found_value = ready.environment.identity.get(name)
        if found_value != value:
            return f"{name} is {found_value!r} in a worker that was set up with {value!r}"
    for found in differences(environment, ready.environment):
        if found.kind == "soft" or found.is_unknown or found.field in _CODE_FIELDS | {*wanted}:
            continue
        return (
            f"{found.kind} field {found.field!r} is {found.after!r} now, the run began with "
            f"{found.before!r}; start a new run"
        )
    return None
