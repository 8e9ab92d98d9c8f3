"""A pytest process of a gate: in a checkout, by this interpreter and engine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, NamedTuple

from gconvbench.adapters.session import CODE_VARIABLE
from gconvbench.adapters.sides import python_paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Ended", "run_pytest"]

_TIMEOUT_S = 3600.0
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "--benchmark-enable")
_NO_TESTS = 5
"""pytest's status where it collected none."""


class Ended(NamedTuple):
    """How it ended.

    Attributes:
        code: its exit status; negative for a signal, None where it was stopped.
        last_words: the last line that it said.
    """

    code: int | None
    last_words: str

    @property
    def failed_to_start(self) -> bool:
        """Whether that it collected nothing is its own fault."""
        return self.code not in {0, 1, _NO_TESTS}

    @property
    def outcome(self) -> Literal["crashed", "timed_out"]:
        """Of a test that it did not finish."""
        return "timed_out" if self.code is None else "crashed"


def run_pytest(folder: Path, words: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> Ended:
    """Run tests in a folder of a checkout, and everything that they start, to their end.

    Args:
        folder: to run in, and pytest's rootdir, so that tests are called alike on both sides.
        words: which tests, and more options.
        timeout_s: until it is stopped.

    Raises:
        UsageError: the checkout's configuration cannot be read.
    """
    alone = ("-n", "0") if find_spec("xdist") else ()
    command = [sys.executable, "-P", "-m", "pytest", *_OPTIONS, *alone, "--rootdir", str(folder)]
    with subprocess.Popen(  # noqa: S603 (the user's own tests, by this interpreter)
        [*command, *words],
        cwd=folder,
        env=_variables(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return Ended(None, f"took longer than {timeout_s:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return Ended(process.returncode, lines[-1] if lines else "it said nothing")


def _variables(folder: Path) -> dict[str, str]:
    """The side's code before whatever is installed, for tests and workers."""
    before = os.environ.get("PYTHONPATH")
    paths = [*python_paths(folder), *([before] if before else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), CODE_VARIABLE: str(folder)}
