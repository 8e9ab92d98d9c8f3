"""What a job costs beyond accuracy and launches, and how often torch is imported.

    python docs/numbers/overhead.py

Sweeps of tiny cases run in one round and in three. A job's wall time is that between its record
and the one before, as they arrive from `gconvbench run --json`; the first job of a round, before
which a worker starts, is shown apart. From it are taken the seconds of its proof (`proof_s`), of
its first launch and of the launches of warm-up and samples; what is left is overhead. The launches
of the warm-up are not stored, so their time follows from how they are batched (1, 2, 4, ...).
Imports of torch are counted in every process that the command starts.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import machine_line, print_table, python_path, sweep, tiny_cases

from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from common import Sweep

    from gconvbench.records import Method, Record

LIMIT_S = 0.05
"""Of overhead per job, the aim."""
COUNTER = Path(__file__).parent / "count_imports"


class Job(NamedTuple):
    """Where one job's wall time went, in seconds."""

    wall_s: float
    proof_s: float
    launches_s: float

    @property
    def overhead_s(self) -> float:
        """What is neither accuracy nor launches."""
        return self.wall_s - self.proof_s - self.launches_s


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=24, help="in each round")
    parser.add_argument("--rounds", type=int, nargs="+", default=[1, 3])
    options = parser.parse_args()
    print(machine_line())
    print(f"{options.jobs} jobs a round, each the forward pass of a tiny convolution")
    columns = ("rounds", "imports", "job", "accuracy", "launches", "overhead", "worst", "start")
    rows = [columns, *(_row(options.jobs, rounds) for rounds in options.rounds)]
    print_table(rows, right=range(len(columns)))
    print(f"medians over jobs; overhead may be {fmt.seconds(LIMIT_S)}, imports one per round;")
    print("start: what the first job of a round takes longer")


def _row(jobs: int, rounds: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        imports = folder / "imports"
        (folder / "ids.txt").write_text("\n".join(tiny_cases(jobs)))
        options = ("--cases", "ids.txt", "--implementation", "native", "--rounds", str(rounds))
        more = {"PYTHONPATH": python_path(COUNTER), "TORCH_IMPORTS": str(imports)}
        done = sweep(folder, *options, more=more)
        count = len(imports.read_text().splitlines())
    first, later = _jobs(done)
    overheads_s = [job.overhead_s for job in later or first]
    start_s = statistics.median(job.overhead_s for job in first) - statistics.median(overheads_s)
    return (
        str(rounds),
        str(count),
        *(
            fmt.seconds(statistics.median(figures))
            for figures in zip(*(later or first), strict=True)
        ),
        fmt.seconds(statistics.median(overheads_s)),
        fmt.seconds(max(overheads_s)),
        fmt.seconds(max(start_s, 0.0)),
    )


def _jobs(done: Sweep) -> tuple[list[Job], list[Job]]:
    """The first job of each round, and the others."""
    method = done.stored.header.method
    first: list[Job] = []
    later: list[Job] = []
    before_s, before_round = done.header_s, 0
    for record, at_s in zip(done.stored.records, done.arrivals_s, strict=True):
        job = Job(at_s - before_s, record.proof_s or 0.0, _launches_s(record, method))
        (later if record.round == before_round else first).append(job)
        before_s, before_round = at_s, record.round
    return first, later


def _launches_s(record: Record, method: Method) -> float:
    """The first launch, the one for memory, the warm-up, and the samples."""
    total_s = record.first_launch_s or 0.0
    for timing in record.timings:
        launch_s = statistics.fmean(timing.samples_s)
        batches = math.ceil(math.log2(method.warmup_time_s / launch_s + 1))
        launches = 1 + 2 ** max(batches, 1) - 1
        launches += len(timing.samples_s) * timing.launches_per_sample
        total_s += launches * launch_s
    return total_s


if __name__ == "__main__":
    main()
