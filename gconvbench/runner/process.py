"""One worker process: start it, ask it, survive its death."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import msgspec

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

__all__ = ["KEPT_MEMORY", "WorkerLostError", "WorkerProcess"]

_START_TIMEOUT_S = 300.0
"""Importing torch from a cold disk takes tens of seconds."""
_QUESTION_TIMEOUT_S = 300.0
_EXPLAIN_TIMEOUT_S = 1200.0
"""Many channels, each poisoned in turn, on a slow processor."""
_GOODBYE_TIMEOUT_S = 5.0
_LOOK_S = 1.0
"""How often to see whether a silent worker still lives."""
_READ_BYTES = 1 << 16
_MISSING = re.compile(r"No module named '([\w.]+)'")
_WANTED = {"torch": "torch>=2.6", "msgspec": "msgspec>=0.19", "numpy": "numpy>=1.26"}
"""What a worker needs of its interpreter, as `pyproject.toml` asks for it."""
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
"""glibc (mallopt(3)) then never maps a block apart, nor hands freed memory back by itself. Freed
results stay with the process; by default each launch faults the pages of its output in anew."""


class WorkerLostError(Exception):
    """The worker died or hung in the middle of a request.

    Attributes:
        outcome: what to record of the job in hand.
    """

    outcome: Literal["crashed", "timed_out"] = "crashed"


class WorkerHungError(WorkerLostError):
    """The worker took too long."""

    outcome = "timed_out"


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
        self._decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
        self._unread = b""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._side = side
        self._switches = {**(side.switches if side else {}), **(modes or {})}
        self._device = device
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our worker, by a chosen interpreter)
                side.command if side else [sys.executable, "-m", "gconvbench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=side.code if side else None,
                env=_environment(method.threads, side),
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
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
        reply = self._ask(Measure(job, number), timeout_s)
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
        reply = self._ask(SeeKernels(job, number), _QUESTION_TIMEOUT_S)
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
        try:
            reply = self._ask(AskSupport(jobs, modes_apart), _QUESTION_TIMEOUT_S)
        except WorkerLostError as error:
            message = f"the worker {error} when asked what it supports; {self._last_words()}"
            raise NotMeasuredError(message) from None
        assert isinstance(reply, Support)  # noqa: S101
        return reply.reasons

    def examine(self, scope: Literal["quick", "full"]) -> tuple[Check, ...]:
        """Is the instrument fit, as far as one process can tell? After `full` it is worn out.

        Raises:
            NotMeasuredError: the worker died of the question, or took too long.
        """
        try:
            reply = self._ask(Examine(scope), _QUESTION_TIMEOUT_S)
        except WorkerLostError as error:
            message = f"the worker {error} while it was examined; {self._last_words()}"
            raise NotMeasuredError(message) from None
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
        try:
            reply = self._ask(request, _EXPLAIN_TIMEOUT_S)
        except WorkerLostError as error:
            message = f"the worker {error} while explaining; {self._last_words()}"
            raise NotMeasuredError(message) from None
        if isinstance(reply, Refused):
            raise (NotMeasuredError if reply.was_tried else UsageError)(reply.reason)
        return reply

    def measure_anchors(self, samples: int) -> dict[str, tuple[float, ...]]:
        """Samples of work that is not under test, in seconds.

        Raises:
            WorkerLostError: the worker died of it, or took too long.
        """
        reply = self._ask(MeasureAnchors(samples), _QUESTION_TIMEOUT_S)
        assert isinstance(reply, Anchored)  # noqa: S101
        return reply.samples_s

    def measure_ceilings(self, *, budget_s: float) -> Ceilings:
        """The highest rates of the device, within about `budget_s` seconds.

        Raises:
            NotMeasuredError: there is no room for it, or the worker died of it, or took too long.
        """
        try:
            reply = self._ask(MeasureCeilings(budget_s), budget_s + _QUESTION_TIMEOUT_S)
        except WorkerLostError as error:
            message = f"the worker {error} while measuring ceilings; {self._last_words()}"
            raise NotMeasuredError(message) from None
        if isinstance(reply, Refused):
            raise NotMeasuredError(reply.reason)
        assert isinstance(reply, CeilingsMeasured)  # noqa: S101
        return reply.ceilings

    def close(self, *, kill: bool = False) -> None:
        """End the process: politely, then by force with everything it started. Once is enough."""
        if self._stderr.closed:
            return
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        if not kill:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GOODBYE_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._stderr.close()

    def _set_up(self, method: Method) -> Ready:
        try:
            reply = self._ask(self._request(method), _START_TIMEOUT_S)
        except WorkerLostError as error:
            words = self._last_words()
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

    def _ask(self, request: Request, timeout_s: float) -> Reply:
        assert self._process.stdin  # noqa: S101 (a pipe was asked for)
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerLostError(self._how_it_ended()) from None
        line = self._read_line(timeout_s)
        try:
            return self._decoder.decode(line)
        except msgspec.DecodeError:
            message = "gave an answer that is none"
            raise WorkerLostError(message) from None

    def _read_line(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                message = f"took longer than {timeout_s:g} s"
                raise WorkerHungError(message)
            data = self._read(min(left_s, _LOOK_S))
            if data == b"":
                raise WorkerLostError(self._how_it_ended())
            self._unread += data or b""
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def _read(self, wait_s: float) -> bytes | None:
        """What the worker says within this time: None is nothing yet, empty is never again.

        A process that it left behind may keep the pipe open, so its end alone tells too little.
        """
        assert self._process.stdout  # noqa: S101 (a pipe was asked for)
        descriptor = self._process.stdout.fileno()
        is_gone = self._process.poll() is not None  # before the pipe: then it holds all there is
        pipe = select.poll()  # select() fails on descriptors beyond 1023, as notebooks have them
        pipe.register(descriptor, select.POLLIN)
        if pipe.poll(0 if is_gone else 1000 * wait_s):
            return os.read(descriptor, _READ_BYTES)
        return b"" if is_gone else None

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(_GOODBYE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return "closed its pipe and went on"
        if status == -signal.SIGKILL:
            return "was killed (SIGKILL), often by the system for want of memory"
        if status < 0:
            return f"died of {_signal_name(-status)}"
        return f"exited with status {status}"

    def _last_words(self) -> str:
        """The last line of the worker's standard error: for a person, never stored."""
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


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
