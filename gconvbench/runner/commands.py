"""Commands of other people's, run to their end with everything that they start."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Ended", "run_to_end"]


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        code: its exit status; negative for a signal, None where it took too long.
        last_words: the last line that it said.
    """

    code: int | None
    last_words: str


def run_to_end(
    command: str | Sequence[str],
    folder: Path,
    *,
    timeout_s: float,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command; whatever it has started ends with it, whatever happens.

    Args:
        command: words, or a line for the shell.
        folder: to run in.
        timeout_s: until it is stopped, in seconds.
        variables: its environment; None for this process's own.
    """
    with (
        tempfile.TemporaryFile() as said,  # a pipe would be waited for as long as anybody has it
        subprocess.Popen(  # noqa: S603 (a person's own command)
            command,
            cwd=folder,
            env=variables,
            shell=isinstance(command, str),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return Ended(None, f"it did not end within {timeout_s:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return Ended(process.returncode, lines[-1].strip() if lines else "it said nothing")
