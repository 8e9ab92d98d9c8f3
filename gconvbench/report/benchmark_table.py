"""What another tool measured: its benchmarks, which are no cases, in one table."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from gconvbench.cases import case_if_any
from gconvbench.interchange.foreign import BENCHMARK
from gconvbench.interchange.jobs import jobs_of_run
from gconvbench.report.cells import time_texts
from gconvbench.report.comparison.words import clean
from gconvbench.report.console import aligned, print_lines
from gconvbench.stats import Estimate, estimate_over_rounds, median_half_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from gconvbench.interchange.jobs import JobTimes, JobWhole
    from gconvbench.store import Run

__all__ = ["benchmarks_of", "print_benchmarks"]

_COLUMNS = "95 %: interval over rounds, or over the samples of a single one"


def benchmarks_of(run: Run) -> list[JobWhole]:
    """Its jobs that are no cases."""
    return [one for one in jobs_of_run(run) if case_if_any(one.job.case) is None]


def print_benchmarks(jobs: Sequence[JobWhole], console: Console) -> None:
    """Each with its time, interval and number of samples; then why others have none."""
    timed = [(one, mode, times) for one in jobs for mode, times in one.times.items()]
    if timed:
        console.print()
        print_lines(_lines(timed), console)
        for label in sorted({label for _, _, times in timed for label in times.labels}):
            count = sum(label in times.labels for _, _, times in timed)
            console.print(f"{count} of {len(timed)}: {clean(label)}", style="dim", markup=False)
        console.print(f"[dim]{_COLUMNS}[/dim]")
    reasons = Counter(
        clean(f"{record.outcome}: {record.detail}")
        for one in jobs
        for record in one.records
        if record.detail
    )
    if reasons:
        console.print()
    for reason, count in reasons.items():
        console.print(f"{count} {reason}", markup=False, soft_wrap=True)


def _lines(timed: Sequence[tuple[JobWhole, str, JobTimes]]) -> list[str]:
    """Columns that say the same in all rows, or nothing, are left out."""
    several_modes = len({mode for _, mode, _ in timed}) > 1
    named = any(one.job.implementation != BENCHMARK for one, _, _ in timed)
    columns = [["benchmark", *(clean(one.job.case) for one, _, _ in timed)]]
    if named:
        names = (clean(one.job.implementation) for one, _, _ in timed)
        columns.append(["implementation", *names])
    if several_modes:
        columns.append(["cache", *(mode for _, mode, _ in timed)])
    left = len(columns)
    texts = [time_texts(_estimate(times), 0.0) for _, _, times in timed]
    columns.append(["time", *(time for time, _ in texts)])
    columns.append(["95 %", *(interval for _, interval in texts)])
    columns.append(["samples", *(str(len(times.samples_s)) for _, _, times in timed)])
    return aligned(list(zip(*columns, strict=True)), right=range(left, len(columns)))


def _estimate(times: JobTimes) -> Estimate:
    """Over rounds; of a single one with the interval of its median within it."""
    found = estimate_over_rounds(times.medians_s)
    half_width_s = median_half_width(sorted(times.samples_s))
    if found.half_width is not None or half_width_s is None:
        return found
    return found._replace(half_width=math.log1p(half_width_s / found.median_s))
