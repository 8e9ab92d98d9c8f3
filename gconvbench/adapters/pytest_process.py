"""A pytest process of a gate: in a checkout, by this interpreter and engine."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gconvbench.adapters.session import CODE_VARIABLE
from gconvbench.adapters.sides import python_paths
from gconvbench.runner.commands import Ended, run_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["failed_to_start", "run_pytest"]

_TIMEOUT_S = 3600.0
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "--benchmark-enable")
_NO_TESTS = 5
"""pytest's status where it collected none."""


def failed_to_start(ended: Ended) -> bool:
    """Whether it is pytest's own fault that nothing was collected."""
    return ended.code not in {0, 1, _NO_TESTS}


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
    variables = _variables(folder)
    return run_to_end([*command, *words], folder, timeout_s=timeout_s, variables=variables)


def _variables(folder: Path) -> dict[str, str]:
    """The side's code before whatever is installed, for tests and workers."""
    before = os.environ.get("PYTHONPATH")
    paths = [*python_paths(folder), *([before] if before else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), CODE_VARIABLE: str(folder)}
