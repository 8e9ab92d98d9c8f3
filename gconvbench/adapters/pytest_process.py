"""A pytest process of a gate: in a checkout, by this interpreter and engine."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gconvbench.adapters.session import CODE_VARIABLE
from gconvbench.adapters.sides import python_paths
from gconvbench.runner.commands import Ended, run_to_end
from gconvbench.runner.process import KEPT_MEMORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["died", "failed_to_start", "run_pytest"]

_TIMEOUT_S = 3600.0
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "--benchmark-enable")
_NO_TESTS = 5
"""pytest's status where it collected none."""


def died(ended: Ended) -> bool:
    """Whether it did not come to its own end."""
    return ended.code is None or ended.code < 0


def failed_to_start(ended: Ended) -> bool:
    """Whether it is pytest's own fault that nothing was collected."""
    return ended.code not in {0, 1, _NO_TESTS}


def run_pytest(
    code: Path, inside: Path, words: Sequence[str], *, timeout_s: float = _TIMEOUT_S
) -> Ended:
    """Run tests of a checkout, and everything that they start, to their end.

    Args:
        code: the checkout's top; pytest's rootdir, so that tests are called alike on both sides.
        inside: the folder in it to run in.
        words: which tests, and more options.
        timeout_s: until it is stopped.
    """
    alone = ("-n", "0") if find_spec("xdist") else ()
    command = [sys.executable, "-P", "-m", "pytest", *_OPTIONS, *alone, "--rootdir", str(code)]
    folder = code / inside if (code / inside).is_dir() else code
    variables = _variables(code)
    return run_to_end([*command, *words], folder, timeout_s=timeout_s, variables=variables)


def _variables(code: Path) -> dict[str, str]:
    """The side's code before whatever is installed, and freed memory kept, as in workers."""
    before = os.environ.get("PYTHONPATH")
    paths = [*python_paths(code), *([before] if before else [])]
    ours = {"PYTHONPATH": os.pathsep.join(paths), CODE_VARIABLE: str(code)}
    return {**os.environ, **KEPT_MEMORY, **ours}
