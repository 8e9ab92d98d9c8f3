"""The real command line in real processes, with the ill-behaved plugin installed beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "plugin"
SMALL = ("-a", "groups=2", "-a", "channels=4", "-a", "size=6")
"""One tiny case."""
WITHOUT_PLUGIN = {"PYTHONPATH": str(ROOT)}
"""For `--implementation all`, which would include the one that hangs."""


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def records(self, **job: str) -> list[dict[str, Any]]:
        """The records among the lines, of the jobs with these fields."""
        records = [line for line in self.lines if line["kind"] == "record"]
        return [r for r in records if all(r["job"][k] == v for k, v in job.items())]


class Command:
    """Runs `gconvbench` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results"
        self.started: list[subprocess.Popen[str]] = []
        self.environment = os.environ | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{PLUGIN}",
            "TMPDIR": str(folder),
            "GCONVBENCH_LOCKS": str(folder),
            "COLUMNS": "80",
        }

    def __call__(self, *arguments: str, **environment: str) -> Outcome:
        done = subprocess.run(
            self.line(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start it and do not wait; Ctrl-C is heard even where a script's background ignores it."""
        process = subprocess.Popen(
            self.line(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_interrupts,  # noqa: PLW1509 (pytest runs one thread)
        )
        self.started.append(process)
        return process

    def clean_up(self) -> None:
        """End whatever a failed test left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    @staticmethod
    def line(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "gconvbench", *arguments]

    def stored(self) -> list[Path]:
        """The files of all runs so far."""
        return sorted(self.results.glob("runs/*/*.jsonl"))


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    path = f"/proc/{pid}/task/{pid}/children"
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


@pytest.fixture
def gconvbench(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command.clean_up()


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Command, Outcome]:
    """One small run that several tests look at."""
    command = Command(tmp_path_factory.mktemp("measured"))
    outcome = command(
        "run", "-a", "groups=1,2", "-a", "channels=4", "-a", "size=6", "--rounds", "2",
        "--implementation", "native,split_concat,block_diagonal,chatty", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return command, outcome


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool], subprocess.Popen[str]], None]:
    """Poll until something holds; fails when the process ends before."""

    def wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        while not condition():
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"ended with {process.returncode}: {process.communicate()}")

    return wait
