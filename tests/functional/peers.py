"""The peers' own commands in a scripted repository, in an environment that is nobody's."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.functional.conftest import ROOT, Outcome

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Peers", "flagged"]

_SITE = """
import os, sys
with open(os.environ["PROCESS_LOG"], "a") as log:
    print(" ".join(sys.orig_argv), file=log)
"""


class Peers:
    """Runs `asv` and `pytest` in a folder.

    Args:
        folder: where.
        home: an empty home, in which processes are counted, too.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        site = home / "site"
        site.mkdir(parents=True)
        (site / "sitecustomize.py").write_text(_SITE)
        self._log = home / "processes"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PYTEST_") and name != "COLUMNS"
        } | {
            "HOME": str(home),
            "TMPDIR": str(home),
            "GCONVBENCH_LOCKS": str(home),
            "PROCESS_LOG": str(self._log),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "src"), str(site)]),
            "ASV_PYTHONPATH": str(site),
            "OMP_NUM_THREADS": "1",
        }

    def within(self, folder: str) -> Peers:
        """The same, started in a folder below."""
        found = copy.copy(self)
        found.folder = self.folder / folder
        return found

    def asv(self, *arguments: str) -> Outcome:
        """`asv`, as its script starts it."""
        return self._run("-m", "asv", *arguments)

    def pytest(self, *arguments: str, processes: int = 1) -> Outcome:
        """`pytest`, with so many processes behind each time; its cache stays out of the way."""
        ours = ("-p", "no:cacheprovider", f"--gconvbench-processes={processes}")
        return self._run("-m", "pytest", *ours, *arguments)

    def gconvbench(self, *arguments: str) -> Outcome:
        """Our own command."""
        return self._run("-m", "gconvbench", *arguments)

    def processes(self, text: str) -> int:
        """How many interpreters were started since the last question whose command has this."""
        return sum(text in line for line in self.commands())

    def commands(self) -> list[str]:
        """Their command lines."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def forget_processes(self) -> None:
        """Count from here."""
        self._log.unlink(missing_ok=True)

    def _run(self, *arguments: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


def flagged(text: str, sign: str) -> set[str]:
    """The benchmarks in a table of `asv compare` whose first column has this sign."""
    rows = re.findall(rf"^\| {re.escape(sign)} .*\| (\S.*?) +\|$", text, re.MULTILINE)
    return set(rows)
