"""What stored runs say of the instrument on a card: validity, views, noise, overhead, rivals.

    python docs/numbers/card.py [RUN ...]

Reads runs, measures nothing and needs no card; by default all runs of cards in this repository.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from common import print_table

from gconvbench.errors import UsageError
from gconvbench.labels import HOST_BOUND
from gconvbench.records import CACHE_MODES
from gconvbench.report import format as fmt
from gconvbench.report.floor import floors
from gconvbench.report.summary import NATIVE, summarise
from gconvbench.report.table import run_line
from gconvbench.store import find_run, list_runs, load_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gconvbench.records import CacheMode, Record, Timing
    from gconvbench.report.summary import CaseSummary, Row
    from gconvbench.store import Run

RESULTS = Path(__file__).parents[2] / "results"
UNKNOWN = "not recorded"
RIVALS = ("triton_implicit_gemm", "triton_fused_shuffle", "split_concat", "native_channels_last")


def main() -> int:
    """Read, compute, print; 2 where there is no run of a card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", metavar="RUN", help="files or names")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    try:
        named = [find_run(options.results, one) for one in options.runs]
        runs = [load_run(path) for path in named or list_runs(options.results)]
    except UsageError as error:
        print(error)
        return 2
    runs = [run for run in runs if run.header.device != "cpu"]
    if not runs:
        print("no stored run is of a CUDA device; gconvbench run --device cuda makes one")
        return 2
    for run in runs:
        show(run)
    return 0


def show(run: Run) -> None:
    """One run's tables."""
    print(textwrap.fill(f"{run.header.run}: {run_line(run)}", 80))
    summaries = summarise(run)
    print_table(
        [("view", "timings", "at target", "overhead", "idle", "host-bound"), *_by_view(run)]
    )
    print_table([("ratio", "cases", "median", "10 %", "90 %"), *_ratios(summaries)])
    if noise := floors(run):
        print_table([
            ("A/A", "pairs", "half within", "95 % within"),
            *((floor.name, str(floor.pairs), f"{floor.median:.2%}", f"{floor.upper:.2%}")
              for floor in noise),
        ])  # fmt: skip


def _by_view(run: Run) -> Iterator[tuple[str, ...]]:
    """Per view: precision, what a sample costs beyond itself, and the validity check's rate."""
    for mode in CACHE_MODES:
        timings = list(_timings(run.records, mode))
        if not timings:
            continue
        reached = sum(timing.target_reached for timing in timings) / len(timings)
        bound = sum(HOST_BOUND in timing.labels for timing in timings)
        overheads_s = [one for timing in timings if (one := _overhead_s(timing)) is not None]
        overhead = fmt.seconds(statistics.median(overheads_s)) if overheads_s else UNKNOWN
        yield (mode, str(len(timings)), f"{reached:.0%}", overhead, _idle(timings), str(bound))


def _timings(records: Iterable[Record], mode: CacheMode) -> Iterator[Timing]:
    return (one for record in records for one in record.timings if one.cache_mode == mode)


def _overhead_s(timing: Timing) -> float | None:
    """Wall time per sample that is not the launches': flushing, sleeping, waiting, reading."""
    if timing.telemetry is None:
        return None
    launched_s = sum(timing.samples_s) * timing.launches_per_sample
    return max(0.0, timing.telemetry.wall_s - launched_s) / len(timing.samples_s)


def _idle(timings: Sequence[Timing]) -> str:
    """Samples in which the device had waited, of all that were tried."""
    counts = Counter[str]()
    for clock in (timing.clock for timing in timings if timing.clock):
        counts += Counter(tried=clock.tried, idle=clock.idle)
    return f"{counts['idle'] / counts['tried']:.2%}" if counts["tried"] else UNKNOWN


def _ratios(summaries: Sequence[CaseSummary]) -> Iterator[tuple[str, ...]]:
    rows = [row for summary in summaries for row in summary.measured]
    for above, below in (("cold", "hot"), ("as_called", "hot"), ("graph", "hot")):
        yield from _spread(f"{above} / {below}", _between(rows, above, below))
    for name in RIVALS:
        found = [row for row in rows if row.implementation == name and row.speedup is not None]
        yield from _spread(f"{NATIVE} / {name}", [row.speedup or 0.0 for row in found])


def _between(rows: Iterable[Row], above: str, below: str) -> list[float]:
    return [
        row.times[above].median_s / row.times[below].median_s
        for row in rows
        if {above, below} <= row.times.keys()
    ]


def _spread(name: str, values: Sequence[float]) -> Iterator[tuple[str, ...]]:
    if len(values) > 1:
        tenths = statistics.quantiles(values, n=10)
        shown = (statistics.median(values), tenths[0], tenths[-1])
        yield (name, str(len(values)), *(f"{value:.3g}" for value in shown))


if __name__ == "__main__":
    sys.exit(main())
