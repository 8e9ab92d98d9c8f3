"""The line to a worker process: requests go in, replies come out, and it may die at any time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Literal

import msgspec

from gconvbench.protocol import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gconvbench.protocol import Request

__all__ = ["Connection", "WorkerLostError"]

_GOODBYE_TIMEOUT_S = 5.0
_LOOK_S = 1.0
"""How often to see whether a silent worker still lives."""
_READ_BYTES = 1 << 16


class WorkerLostError(Exception):
    """The worker died or hung in the middle of a request.

    Attributes:
        outcome: what to record of the job in hand.
    """

    outcome: Literal["crashed", "timed_out"] = "crashed"


class WorkerHungError(WorkerLostError):
    """The worker took too long."""

    outcome = "timed_out"


class Connection:
    """A started process that speaks our protocol.

    Args:
        command: what to start.
        cwd: where; None is here.
        env: its variables.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path | None, env: Mapping[str, str]) -> None:
        self._decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
        self._unread = b""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our worker, by a chosen interpreter)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        except OSError:
            self._stderr.close()
            raise

    def ask(self, request: Request, timeout_s: float) -> Reply:
        """The reply to a request.

        Raises:
            WorkerLostError: the process died, answered nonsense, or took longer than `timeout_s`.
        """
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

    def last_words(self) -> str:
        """The last line of the worker's standard error: for a person, never stored."""
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
