"""One worker process: start it, ask it, survive its death."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import gconvbench
from gconvbench.errors import NotMeasuredError, UsageError
from gconvbench.protocol import (
    Anchored,
    AskSupport,
    CeilingsMeasured,
    Examine,
    Examined,
    Explained,
    ExplainFile,
    ExplainLayer,
    FileExplained,
    KernelsSeen,
    Measure,
    MeasureAnchors,
    MeasureCeilings,
    Measured,
    Ready,
    Refused,
    Reply,
    SeeKernels,
    SetUp,
    Support,
)
from gconvbench.runner.checkout import top_if_any
from gconvbench.runner.connection import Connection, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.protocol import Request
    from gconvbench.records import (
        Ceilings,
        Check,
        Explanation,
        FileExplanation,
        Job,
        KernelLine,
        Method,
        Record,
    )
    from gconvbench.runner.side import Side

__all__ = ["KEPT_MEMORY", "WorkerProcess"]

_START_TIMEOUT_S = 300.0
"""Importing torch from a cold disk takes tens of seconds."""
_QUESTION_TIMEOUT_S = 300.0
_EXPLAIN_TIMEOUT_S = 1200.0
"""Many channels, each poisoned in turn, on a slow processor."""
_MISSING = re.compile(r"No module named '([\w.]+)'")
_WANTED = {"torch": "torch>=2.6", "msgspec": "msgspec>=0.19", "numpy": "numpy>=1.26"}
"""What a worker needs of its interpreter, as `pyproject.toml` asks for it."""
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
"""glibc (mallopt(3)) then never maps a block apart, nor hands freed memory back by itself. Freed
results stay with the process; by default each launch faults the pages of its output in anew."""


class WorkerProcess:
    """A worker that was set up; use as a context manager.

    Args:
        device: `cpu`, `cuda` or `cuda:1`.
        method: how to measure.
        side: whose code is measured, and how it is set up; None is what is installed.
        modes: settings of torch, beside those of the side.

    Attributes:
        ready: what the worker said when it was set up.
        start_s: how long that took, import of torch and all.

    Raises:
        UsageError: the worker cannot serve here, such as no CUDA or no torch.
    """

    def __init__(
        self,
        device: str,
        method: Method,
        side: Side | None = None,
        modes: Mapping[str, bool | str] | None = None,
    ) -> None:
        self._side = side
        self._switches = {**(side.switches if side else {}), **(modes or {})}
        self._device = device
        try:
            self._connection = Connection(
                side.command if side else [sys.executable, "-m", "gconvbench.worker"],
                cwd=side.code if side else None,
                env=_environment(method.threads, side),
            )
        except OSError as error:
            if side is None:
                raise
            message = f"interpreter {side.python!r} cannot be started: {error.strerror}"
            raise UsageError(message) from None
        start = time.perf_counter()
        self.ready = self._set_up(method)
        self.start_s = time.perf_counter() - start

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(kill=kind is not None)

    def measure(self, job: Job, number: int, *, timeout_s: float) -> Record:
        """Prove and time one job.

        Raises:
            WorkerLostError: the worker died, or took longer than `timeout_s`.
        """
        reply = self._connection.ask(Measure(job, number), timeout_s)
        record = reply.record if isinstance(reply, Measured) else None
        if record is None or (record.job, record.round) != (job, number):
            message = "gave an answer to something else"
            raise WorkerLostError(message)
        return record

    def see_kernels(self, job: Job, number: int) -> KernelLine:
        """The kernels of a job that it has measured, when nothing more is timed by it.

        Raises:
            WorkerLostError: it died of that, or took too long.
        """
        reply = self._connection.ask(SeeKernels(job, number), _QUESTION_TIMEOUT_S)
        assert isinstance(reply, KernelsSeen)  # noqa: S101
        return reply.line

    def set_up(self, method: Method) -> None:
        """Measure by another method from now on; threads and cores stay as they were."""
        self._set_up(method)

    def support(
        self, jobs: tuple[Job, ...], *, modes_apart: bool = False
    ) -> tuple[str | None, ...]:
        """Per job the reason why it is unsupported, or None.

        Args:
            jobs: what to ask about.
            modes_apart: whether those with modes will be measured by workers that have them.

        Raises:
            NotMeasuredError: the worker died of the question.
        """
        question = AskSupport(jobs, modes_apart)
        reply = self._answer(question, _QUESTION_TIMEOUT_S, "when asked what it supports")
        assert isinstance(reply, Support)  # noqa: S101
        return reply.reasons

    def examine(self, scope: Literal["quick", "full"]) -> tuple[Check, ...]:
        """Is the instrument fit, as far as one process can tell? After `full` it is worn out.

        Raises:
            NotMeasuredError: the worker died of the question, or took too long.
        """
        reply = self._answer(Examine(scope), _QUESTION_TIMEOUT_S, "while it was examined")
        assert isinstance(reply, Examined)  # noqa: S101
        return reply.checks

    def explain(self, case: str, name: str = "") -> Explanation:
        """What the groups of a case mean; `name` is its layer's.

        Raises:
            UsageError: it cannot be computed here.
            NotMeasuredError: it failed, or the worker died of it, or took too long.
        """
        reply = self._explained(ExplainLayer(case, name))
        assert isinstance(reply, Explained)  # noqa: S101
        return reply.explanation

    def explain_file(self, path: str, groups: dict[str, int]) -> FileExplanation:
        """The convolutions of a checkpoint, of some of which the groups are given.

        Raises:
            UsageError: the file cannot be read.
            NotMeasuredError: as of `explain`.
        """
        reply = self._explained(ExplainFile(path, groups))
        assert isinstance(reply, FileExplained)  # noqa: S101
        return reply.file

    def _explained(self, request: ExplainLayer | ExplainFile) -> Reply:
        reply = self._answer(request, _EXPLAIN_TIMEOUT_S, "while explaining")
        if isinstance(reply, Refused):
            raise (NotMeasuredError if reply.was_tried else UsageError)(reply.reason)
        return reply

    def measure_anchors(self, samples: int) -> dict[str, tuple[float, ...]]:
        """Samples of work that is not under test, in seconds.

        Raises:
            WorkerLostError: the worker died of it, or took too long.
        """
        reply = self._connection.ask(MeasureAnchors(samples), _QUESTION_TIMEOUT_S)
        assert isinstance(reply, Anchored)  # noqa: S101
        return reply.samples_s

    def measure_ceilings(self, *, budget_s: float) -> Ceilings:
        """The highest rates of the device, within about `budget_s` seconds.

        Raises:
            NotMeasuredError: there is no room for it, or the worker died of it, or took too long.
        """
        timeout_s = budget_s + _QUESTION_TIMEOUT_S
        reply = self._answer(MeasureCeilings(budget_s), timeout_s, "while measuring ceilings")
        if isinstance(reply, Refused):
            raise NotMeasuredError(reply.reason)
        assert isinstance(reply, CeilingsMeasured)  # noqa: S101
        return reply.ceilings

    def close(self, *, kill: bool = False) -> None:
        """End the process: politely, then by force with everything it started. Once is enough."""
        self._connection.close(kill=kill)

    def _answer(self, request: Request, timeout_s: float, when: str) -> Reply:
        """The reply to what is no job, where a worker that is lost costs more than a record.

        Raises:
            NotMeasuredError: it was lost.
        """
        try:
            return self._connection.ask(request, timeout_s)
        except WorkerLostError as error:
            message = f"the worker {error} {when}; {self._connection.last_words()}"
            raise NotMeasuredError(message) from None

    def _set_up(self, method: Method) -> Ready:
        try:
            reply = self._connection.ask(self._request(method), _START_TIMEOUT_S)
        except WorkerLostError as error:
            words = self._connection.last_words()
            self.close(kill=True)
            if reason := self._why_unfit(words):
                raise UsageError(reason) from None
            raise NotMeasuredError(self._why_lost(error, words)) from None
        except BaseException:
            self.close(kill=True)
            raise
        if isinstance(reply, Ready):
            return reply
        self.close(kill=True)
        reason = reply.reason if isinstance(reply, Refused) else "the worker spoke out of turn"
        raise UsageError(reason)

    def _request(self, method: Method) -> SetUp:
        code = self._side.code if self._side else top_if_any(Path.cwd())
        return SetUp(self._device, method, self._switches, str(code or ""))

    def _why_unfit(self, words: str) -> str | None:
        """What the interpreter lacks, told from the last words of a worker that did not start."""
        python = self._side.python if self._side else sys.executable
        if missing := _MISSING.search(words):
            name = missing[1].partition(".")[0]
            wanted = _WANTED.get(name, name)
            return f"{name} is not installed for {python}; {python} -m pip install '{wanted}'"
        if "nknown option: -P" in words or "usage: " in words or "unknown option -P" in words:
            return f"interpreter {python} is too old or none; Python 3.11 or later is needed"
        return None

    def _why_lost(self, error: WorkerLostError, words: str) -> str:
        """Why there is no worker, where nothing is known to be missing."""
        if self._side is None or self._side.python == sys.executable:
            return f"the worker {error} while starting: {words}"
        python = self._side.python
        wanted = "give a Python 3.11 or later that has torch"
        return f"interpreter {python!r} {error} instead of starting a worker: {words}; {wanted}"


def _environment(threads: int, side: Side | None) -> dict[str, str]:
    """The worker's variables: a fixed number of threads, freed memory kept, this same package."""
    package = str(Path(gconvbench.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    if side is not None:
        path = side.python_path
    return {
        **os.environ,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        **KEPT_MEMORY,
        **(side.variables if side else {}),
    }
