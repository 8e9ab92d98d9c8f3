"""Progress on standard error: a bar with the time left where there is a terminal, else lines."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from gconvbench.records import Job, KernelLine, Record, Timing

__all__ = ["BarProgress", "LineProgress", "progress"]


class BarProgress:
    """A bar that names the case in hand; with a budget it shows the time, else the jobs."""

    def __init__(
        self,
        bar: Progress,
        total: int,
        *,
        budget_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bar = bar
        self._budget_s = budget_s
        self._now = now
        self._start = now()
        self._task = bar.add_task("", total=total if budget_s is None else round(budget_s))

    def job_started(self, job: Job, number: int) -> None:
        """Name the job."""
        text = f"round {number} {job.implementation} {job.case}"
        self._bar.update(self._task, description=text)

    def job_done(self, record: Record) -> None:
        """Advance; mention what went wrong."""
        if self._budget_s is None:
            self._bar.advance(self._task)
        else:
            self._bar.update(self._task, completed=round(self._now() - self._start))
        if record.outcome not in _QUIET:
            self._bar.console.print(_line(record), soft_wrap=True, markup=False)

    def kernels_seen(self, line: KernelLine) -> None:
        """Mention what could not be seen."""
        if line.detail:
            self._bar.console.print(_kernel_text(line), soft_wrap=True, markup=False)


class LineProgress:
    """One line per record with the time left: of the budget, or by the mean of the jobs so far."""

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        budget_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._total = total
        self._budget_s = budget_s
        self._now = now
        self._start = now()
        self._done = 0

    def job_started(self, job: Job, number: int) -> None:
        """Nothing: the line comes when the job is done."""

    def job_done(self, record: Record) -> None:
        """Print the line."""
        self._done += 1
        spent_s = self._now() - self._start
        if self._budget_s is None:
            left_s = spent_s / self._done * max(0, self._total - self._done)
            counter = f"{self._done}/{self._total}, {fmt.duration(left_s)} left"
        else:
            left_s = max(0.0, self._budget_s - spent_s)
            counter = f"{self._done}, {fmt.duration(left_s)} of the budget left"
        self._console.print(f"[{counter}] {_line(record)}", soft_wrap=True, markup=False)

    def kernels_seen(self, line: KernelLine) -> None:
        """Mention what could not be seen."""
        if line.detail:
            self._console.print(_kernel_text(line), soft_wrap=True, markup=False)


@contextmanager
def progress(
    console: Console, total: int, *, budget_s: float | None = None
) -> Iterator[BarProgress | LineProgress]:
    """The progress display that suits the console; `total` counts jobs over all rounds."""
    if not console.is_terminal:
        yield LineProgress(console, total, budget_s=budget_s)
        return
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        BarColumn(12),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False, table_column=rest),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        yield BarProgress(bar, total, budget_s=budget_s)


_QUIET = frozenset({"measured", "checked", "unsupported"})


def _line(record: Record) -> str:
    job = record.job
    times = ", ".join(_time(timing) for timing in record.timings)
    what = times or record.outcome
    reason = f" ({record.detail})" if record.detail else ""
    return f"round {record.round} {job.implementation} {job.case}: {what}{reason}"


def _kernel_text(line: KernelLine) -> str:
    job = line.job
    return f"round {line.round} {job.implementation} {job.case}: no kernels ({line.detail})"


def _time(timing: Timing) -> str:
    labels = f" [{', '.join(timing.labels)}]" if timing.labels else ""
    return f"{timing.cache_mode} {fmt.seconds(timing.median_s)}{labels}"
