"""What the scripts of this folder share: the machine's line, timed commands, tables."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.report.console import aligned
from gconvbench.store import load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from gconvbench.store import Run

__all__ = [
    "Sweep",
    "import_s",
    "machine_line",
    "print_table",
    "python_path",
    "run",
    "sweep",
    "tiny_cases",
    "variables",
]

THREADS = 1


class Sweep(NamedTuple):
    """One `gconvbench run` seen from outside; seconds count from the start of the command.

    Attributes:
        wall_s: until the command had ended.
        header_s: until its first line: the runner's and the worker's start, one import of torch.
        arrivals_s: when each record came.
        stored: the run as it was stored.
    """

    wall_s: float
    header_s: float
    arrivals_s: tuple[float, ...]
    stored: Run


def machine_line() -> str:
    """The machine in one line, without its name."""
    fields = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    models = [value.strip() for name, _, value in fields if name.strip() == "model name"]
    model = models[0] if models else "unknown CPU"
    return f"{model}, {os.cpu_count()} core(s), {THREADS} thread(s), torch {version('torch')}"


def variables(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every child process: one thread, lines printed as they come."""
    threads = {"OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)}
    return os.environ | threads | {"PYTHONUNBUFFERED": "1"} | dict(more or {})


def python_path(*folders: Path) -> str:
    """A PYTHONPATH with these folders before what is there already."""
    return os.pathsep.join(filter(None, [*map(str, folders), os.environ.get("PYTHONPATH")]))


def tiny_cases(count: int) -> list[str]:
    """So many ids of convolutions of some microseconds, all different."""
    shapes = itertools.product(range(4, 1000), range(4, 25), (1, 2, 4), (4, 8, 12, 16), (1, 3))
    return [
        f"g{groups}mb1ic{channels}ih{height}iw{width}oc{channels}kh{kernel}ph{kernel // 2}"
        for width, height, groups, channels, kernel in itertools.islice(shapes, count)
    ]


def run(
    command: Sequence[str],
    folder: Path,
    *,
    more: Mapping[str, str] | None = None,
    given: str = "",
) -> tuple[float, str]:
    """Run a command with `given` as its input: the wall time in seconds, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables(more),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return wall_s, done.stdout


def import_s(folder: Path) -> float:
    """Seconds for one process that imports torch and ends."""
    return run([sys.executable, "-c", "import torch"], folder)[0]


def sweep(
    folder: Path,
    *arguments: str,
    more: Mapping[str, str] | None = None,
    observe: Callable[[int, int], None] = lambda _process, _records: None,
) -> Sweep:
    """`gconvbench run` with these arguments, its results in `folder`.

    Args:
        folder: where the command runs and stores.
        arguments: of the command.
        more: environment variables.
        observe: is given the process and the number of records at each line.
    """
    options = ["--device", "cpu", "--results", str(folder / "results"), "--json"]
    command = [sys.executable, "-m", "gconvbench", "run", *options, *arguments]
    kinds: list[str] = []
    times_s: list[float] = []
    start = time.perf_counter()
    with (folder / "stderr.txt").open("w+") as errors:
        with subprocess.Popen(
            command, cwd=folder, env=variables(more), stdout=subprocess.PIPE, stderr=errors
        ) as process:
            for kind in _kinds(process):
                times_s.append(time.perf_counter() - start)
                kinds.append(kind)
                observe(process.pid, kinds.count("record"))
        wall_s = time.perf_counter() - start
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{command} ended with {process.returncode}:\n{errors.read()[-2000:]}")
    arrivals_s = tuple(at_s for at_s, kind in zip(times_s, kinds, strict=True) if kind == "record")
    return Sweep(wall_s, times_s[0], arrivals_s, load_run(_latest(folder)))


def _kinds(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """The kind of each line as it comes."""
    for line in process.stdout or ():
        yield line[:20].decode().split('"')[3]


def _latest(folder: Path) -> Path:
    return max((folder / "results").glob("runs/*/*.jsonl"), key=lambda path: path.stat().st_mtime)


def print_table(rows: Sequence[Sequence[str]], *, right: Container[int] | None = None) -> None:
    """Rows as aligned columns; all but the first end flush unless `right` says which do."""
    columns = range(1, len(rows[0])) if right is None else right
    for line in aligned(rows, right=columns):
        print(line)
