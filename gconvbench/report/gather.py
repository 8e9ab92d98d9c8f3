"""Stored runs brought together for a report: per machine, each case from one run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import case_if_any
from gconvbench.errors import UsageError
from gconvbench.records import Record
from gconvbench.report.summary import CaseSummary, summarise
from gconvbench.store import Run, load_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


_BELIEVABLE_S = (1e-15, 1e9)

__all__ = ["Entry", "Gathered", "Machine", "gather"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A case on a machine.

    Attributes:
        run: that it is shown of.
        summary: its implementations over all rounds.
        records: by implementation, twins left out.
    """

    run: Run
    summary: CaseSummary
    records: dict[str, tuple[Record, ...]]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine's runs and cases.

    Attributes:
        slug: its folder's name.
        runs: oldest first.
        summaries: of the cases of each run, in the same order.
        entries: each case once, of the newest run first.
        elsewhere: how many cases' older measurements are in the history only.
        benchmarks: of other tools, which are no cases; `gconvbench show` has them.
    """

    slug: str
    runs: tuple[Run, ...]
    summaries: tuple[tuple[CaseSummary, ...], ...]
    entries: tuple[Entry, ...]
    elsewhere: int
    benchmarks: int

    @property
    def timed(self) -> tuple[Entry, ...]:
        """The entries with a time."""
        return tuple(entry for entry in self.entries if entry.summary.measured)


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report is about.

    Attributes:
        machines: that of the newest run first.
        left_out: files that are not in it, counted by the reason.
    """

    machines: tuple[Machine, ...]
    left_out: dict[str, int]

    @property
    def runs(self) -> int:
        """How many there are."""
        return sum(len(machine.runs) for machine in self.machines)


def gather(paths: Sequence[Path], *, named: bool) -> Gathered:
    """Read runs and bring them together.

    A case that several runs of a machine have is shown of the newest that timed it in two ways at
    the least, else of the newest that timed it, else of the newest that proved it.

    Args:
        paths: of runs.
        named: whether these were asked for by name; else the sides of gates are left out, whose
            code may never have been merged, and so is what cannot be read.

    Raises:
        UsageError: a named run cannot be read, or nothing is left.
    """
    left_out = Counter[str]()
    by_machine: dict[str, list[Run]] = {}
    for path in dict.fromkeys(paths):
        try:
            run = _believable(load_run(path))
        except UsageError:
            if named:
                raise
            left_out["cannot be read"] += 1
            continue
        if run.header.gate_side and not named:
            left_out["sides of gates"] += 1
        elif not run.records:
            left_out["without any record"] += 1
        else:
            by_machine.setdefault(run.header.machine, []).append(run)
    machines = [_machine(slug, runs) for slug, runs in by_machine.items()]
    if not machines:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        message = f"nothing to report of {len(paths)} run(s): {reasons}; `gconvbench run` makes one"
        raise UsageError(message)
    machines.sort(key=lambda machine: _created(machine.runs[-1]), reverse=True)
    return Gathered(machines=tuple(machines), left_out=dict(left_out))


def _believable(run: Run) -> Run:
    """The run, if its times can be ones.

    Raises:
        UsageError: a sample is shorter than light takes across an atom, or longer than a life.
    """
    shortest_s, longest_s = _BELIEVABLE_S
    for record in run.records:
        for timing in record.timings:
            low, high = min(timing.samples_s), max(timing.samples_s)
            if low < shortest_s or high > longest_s:
                message = (
                    f"run {run.header.run} has a sample of {low if low < shortest_s else high:.0e} "
                    f"s; allowed: {shortest_s:.0e} to {longest_s:.0e} s; measure it again"
                )
                raise UsageError(message)
    return run


def _created(run: Run) -> tuple[str, str]:
    return run.header.created, run.header.run


def _machine(slug: str, runs: list[Run]) -> Machine:
    ordered = sorted(runs, key=_created)
    entries = [list(_entries(run)) for run in ordered]
    chosen: dict[str, Entry] = {}
    seen = 0
    for of_run in reversed(entries):
        for entry in of_run:
            seen += 1
            case = entry.summary.planned.case
            before = chosen.get(case)
            if before is None or _tells(entry) > _tells(before):
                chosen[case] = entry
    foreign = {
        record.job.case
        for run in ordered
        for record in run.records
        if case_if_any(record.job.case) is None
    }
    return Machine(
        slug=slug,
        runs=tuple(ordered),
        summaries=tuple(tuple(entry.summary for entry in of_run) for of_run in entries),
        entries=tuple(chosen.values()),
        elsewhere=seen - len(chosen),
        benchmarks=len(foreign),
    )


def _tells(entry: Entry) -> int:
    """How much a run says of a case: which way is faster, or how long one takes, or neither."""
    return min(2, len(entry.summary.measured))


def _entries(run: Run) -> Iterable[Entry]:
    records: dict[str, dict[str, list[Record]]] = {}
    for record in run.records:
        if not record.job.twin:
            by_name = records.setdefault(record.job.case, {})
            by_name.setdefault(record.job.implementation, []).append(record)
    for summary in summarise(run):
        of_case = records.get(summary.planned.case, {})
        yield Entry(
            run=run,
            summary=summary,
            records={name: tuple(found) for name, found in of_case.items()},
        )
