"""Do two runs of the same sweep agree within the intervals that they report?

    python docs/numbers/reproduction.py

A sweep of 6 cases by 2 implementations runs ten times on an unchanged machine. Two runs agree on a
job where their times differ by at most the root of the sum of both squared half-widths, all on the
log scale. That is asked of every pair of runs, once with the times and intervals over rounds, as
gconvbench reports them, and beside it with those of one process alone: the median of one round's
samples, with the order-statistic interval of that median, against the same round of the other run.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import machine_line, print_table, sweep

from gconvbench.report import format as fmt
from gconvbench.stats import estimate_over_rounds, median_half_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gconvbench.records import Job, Record
    from gconvbench.store import Run

AIM = 0.9
"""The least share of pairs that agree."""
CASES = (
    "g1mb1ic64ih28oc64kh3ph1",
    "g2mb1ic128ih14oc128kh3ph1",
    "g4mb1ic128ih28oc128kh3ph1",
    "g8mb1ic256ih14oc256kh3ph1",
    "g16mb1ic256ih28oc256kh1",
    "g32mb1ic128ih28oc128kh3ph1",
)
IMPLEMENTATIONS = "native,im2col_bmm"


class Interval(NamedTuple):
    """The logarithm of a time, and the half-width of its 95 % interval."""

    log: float
    half_width: float

    def distance(self, other: Interval) -> float:
        """How far the two times are apart."""
        return abs(self.log - other.log)

    def agrees(self, other: Interval) -> bool:
        """Whether that is within what both intervals allow."""
        return self.distance(other) <= math.hypot(self.half_width, other.half_width)


Intervals = dict[tuple["Job", int], Interval]
"""By job and round; round 0 stands for all."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="in each run, at least 2")
    parser.add_argument("--cases", type=int, default=len(CASES), help="the first so many")
    options = parser.parse_args()
    print(machine_line())
    stored = list(_runs(options.runs, options.rounds, CASES[: options.cases]))
    jobs = len({record.job for run in stored for record in run.records})
    print(f"{options.runs} runs of {jobs} jobs in {options.rounds} rounds, every pair of runs")
    columns = ("interval", "pairs", "agree", "half-width", "difference: median", "90 %", "largest")
    rows = [
        ("over rounds", *_cells([_over_rounds(run) for run in stored])),
        ("of one process", *_cells([_of_each_round(run) for run in stored])),
    ]
    print_table([columns, *rows])
    print(f"the aim: at least {fmt.share(AIM)} of the pairs agree over rounds")


def _runs(count: int, rounds: int, cases: Sequence[str]) -> Iterator[Run]:
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "ids.txt").write_text("\n".join(cases))
            options = ("--implementation", IMPLEMENTATIONS, "--rounds", str(rounds))
            yield sweep(Path(folder), "--cases", "ids.txt", *options).stored


def _over_rounds(run: Run) -> Intervals:
    by_job: dict[Job, list[float]] = {}
    for record in _measured(run):
        by_job.setdefault(record.job, []).append(record.timings[0].median_s)
    estimates = {job: estimate_over_rounds(medians_s) for job, medians_s in by_job.items()}
    return {
        (job, 0): Interval(math.log(found.median_s), found.half_width)
        for job, found in estimates.items()
        if found.half_width is not None
    }


def _of_each_round(run: Run) -> Intervals:
    intervals = {}
    for record in _measured(run):
        median_s = record.timings[0].median_s
        half_width_s = median_half_width(sorted(record.timings[0].samples_s))
        if half_width_s is not None:
            interval = Interval(math.log(median_s), half_width_s / median_s)
            intervals[record.job, record.round] = interval
    return intervals


def _measured(run: Run) -> Iterable[Record]:
    return (record for record in run.records if record.timings)


def _cells(runs: Sequence[Intervals]) -> tuple[str, ...]:
    pairs = [
        (one[key], other[key])
        for one, other in itertools.combinations(runs, 2)
        for key in one.keys() & other.keys()
    ]
    distances = sorted(one.distance(other) for one, other in pairs)
    half_widths = [interval.half_width for run in runs for interval in run.values()]
    return (
        str(len(pairs)),
        fmt.share(statistics.fmean(one.agrees(other) for one, other in pairs)),
        fmt.half_width_text(statistics.median(half_widths)),
        fmt.share(statistics.median(distances)),
        fmt.share(distances[math.ceil(0.9 * len(distances)) - 1]),
        fmt.share(distances[-1]),
    )


if __name__ == "__main__":
    main()
