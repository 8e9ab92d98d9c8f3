"""Ten thousand jobs in one sweep: memory of runner and worker, time to store, time to show.

    python docs/numbers/capacity.py

Every job is another tiny convolution by the implementation `native`, in one round. Resident memory
of both processes (VmRSS) is read when a record arrives, at most once a second; its slope is that of
a straight line through the second half of the jobs. The command prints records (--json); without
that the runner loads them all at the end, for the table. Storing is timed afterwards by appending
records of this run to another file beside it, so with the same file system and size of record.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import machine_line, print_table, run, sweep, tiny_cases

from gconvbench.report import format as fmt
from gconvbench.store import RunWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.store import Run

LIMIT_S = 1e-3
"""Of storing one record, the aim."""
APPENDS = 1000


class Reading(NamedTuple):
    """Resident memory in bytes after so many jobs."""

    jobs: int
    runner: int
    worker: int


class Memory:
    """Reads the memory of a runner and its worker now and then."""

    def __init__(self, every_s: float) -> None:
        self.readings: list[Reading] = []
        self.peak = 0
        self._every_s = every_s
        self._next_s = 0.0

    def observe(self, runner: int, jobs: int) -> None:
        """Read if it is time to."""
        self.peak = max(self.peak, _bytes(runner, "VmHWM"))
        children = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
        if not children or not jobs or time.monotonic() < self._next_s:
            return
        reading = Reading(jobs, _bytes(runner, "VmRSS"), _bytes(int(children[0]), "VmRSS"))
        self.readings.append(reading)
        self._next_s = time.monotonic() + self._every_s

    def slope(self, figure: str) -> float:
        """Bytes per job, over the second half of the jobs."""
        half = [one for one in self.readings if 2 * one.jobs >= self.readings[-1].jobs]
        if len({one.jobs for one in half}) < 2:  # noqa: PLR2004 (a line needs two points)
            return 0.0
        sizes = [float(getattr(one, figure)) for one in half]
        return statistics.linear_regression([one.jobs for one in half], sizes).slope


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--check-only", action="store_true", help="accuracy without timing")
    options = parser.parse_args()
    print(machine_line())
    memory = Memory(every_s=min(1.0, options.jobs / 1000))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ids.txt").write_text("\n".join(tiny_cases(options.jobs)))
        arguments = ["--cases", "ids.txt", "--implementation", "native", "--rounds", "1"]
        arguments += ["--check-only"] if options.check_only else []
        done = sweep(folder, *arguments, observe=memory.observe)
        job_s = (done.arrivals_s[-1] - done.header_s) / options.jobs
        after_s = done.wall_s - done.arrivals_s[-1]
        print(
            f"{options.jobs} jobs in {fmt.duration(done.wall_s)}, {fmt.seconds(job_s)} each, "
            f"{fmt.seconds(after_s)} after the last; {fmt.bytes_text(_size(done.stored))} stored"
        )
        print_table(_memory_rows(memory))
        print(f"runner's peak, its end included: {fmt.bytes_text(memory.peak)}")
        _print_store(done.stored, folder)


def _memory_rows(memory: Memory) -> list[tuple[str, ...]]:
    last = memory.readings[-1].jobs
    rows: list[tuple[str, ...]] = [("resident memory", "runner", "worker")]
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        one = min(memory.readings, key=lambda reading: abs(reading.jobs - share * last))
        rows.append((f"after {one.jobs} jobs", *map(fmt.bytes_text, (one.runner, one.worker))))
    slopes = [f"{1000 * memory.slope(who) / 2**10:+.0f} KiB" for who in ("runner", "worker")]
    return [*rows, ("slope per 1000 jobs", *slopes)]


def _print_store(stored: Run, folder: Path) -> None:
    times_s = sorted(_append_times_s(stored, folder))
    rare_s = times_s[int(0.99 * (len(times_s) - 1))]
    print(
        f"storing a record: median {fmt.seconds(statistics.median(times_s))}, "
        f"99 % within {fmt.seconds(rare_s)}; the aim: at most {fmt.seconds(LIMIT_S)}"
    )
    for option in ([], ["--json"], ["--csv"]):
        show = [sys.executable, "-m", "gconvbench", "show", str(stored.path), *option]
        wall_s, out = run(show, folder)
        print(
            f"{' '.join(['show', *option])}: {fmt.seconds(wall_s)}, {len(out.splitlines())} lines"
        )


def _append_times_s(stored: Run, folder: Path) -> Sequence[float]:
    writer = RunWriter.create(folder / "appended", stored.header)
    times_s = []
    for record in (stored.records * APPENDS)[:APPENDS]:
        start = time.perf_counter()
        writer.append(record)
        times_s.append(time.perf_counter() - start)
    return times_s


def _size(stored: Run) -> int:
    return stored.path.stat().st_size


def _bytes(process: int, field: str) -> int:
    """A figure of /proc/PID/status, stored in KiB; 0 once the process is gone."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(found[0]) * 2**10 if found else 0


if __name__ == "__main__":
    main()
