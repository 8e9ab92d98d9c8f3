"""The host of asv's requests, seen from asv: start it, ask it, survive its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
from asv import util

from gconvbench.adapters.asv_messages import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HostProcess"]

_READ_BYTES = 1 << 16
_GOODBYE_S = 5.0


class HostProcess:
    """A process that answers for one commit; a new one is started where it died or hung.

    Args:
        commit: whose code it has on its path.
        variables: its environment.
    """

    def __init__(self, commit: str | None, variables: Mapping[str, str]) -> None:
        self._commit = commit
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def serves(self, commit: str | None) -> bool:
        """Whether it is this commit's."""
        return self._commit == commit

    def ask(
        self, arguments: Sequence[str], folder: str, *, timeout_s: float | None
    ) -> Reply | None:
        """Have a request answered; None where it is not for this process.

        A death or a hang is a reply, too, with the status that asv knows for it.
        """
        process = self._process or self._start()
        request = Request(tuple(arguments), folder)
        try:
            assert process.stdin  # noqa: S101 (a pipe was asked for)
            process.stdin.write(msgspec.json.encode(request) + b"\n")
            process.stdin.flush()
            line = self._line(process, timeout_s)
        except TimeoutError:
            self._kill()
            return Reply(util.TIMEOUT_RETCODE, "")
        except (BrokenPipeError, EOFError):
            code = process.wait()
            self._kill()
            return Reply(code or 1, f"gconvbench: the process that measures ended with {code}")
        return msgspec.json.decode(line, type=Reply | None)

    def close(self) -> None:
        """End it politely, then by force."""
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GOODBYE_S)
        self._kill()

    def _start(self) -> subprocess.Popen[bytes]:
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gconvbench.adapters.asv_host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(self._variables),
            start_new_session=True,
        )
        return self._process

    def _line(self, process: subprocess.Popen[bytes], timeout_s: float | None) -> bytes:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        assert process.stdout  # noqa: S101 (a pipe was asked for)
        pipe = select.poll()
        pipe.register(process.stdout, select.POLLIN)
        while b"\n" not in self._unread:
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                raise TimeoutError
            if pipe.poll(None if left_s is None else 1000 * left_s):
                data = os.read(process.stdout.fileno(), _READ_BYTES)
                if not data:
                    raise EOFError
                self._unread += data
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def _kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process = None
