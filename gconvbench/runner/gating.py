"""The session of a gate: both sides' processes, what they measured, and the time that is left."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from gconvbench.gate import level
from gconvbench.planning import GATE_SAMPLES
from gconvbench.records import MEASURED_OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gconvbench.comparing import Row
    from gconvbench.gate.processes import Floats, Indices, SideName
    from gconvbench.records import Job, Record
    from gconvbench.runner.slots import MeasuredSide, Slot

__all__ = ["Session", "TimeBudget"]

_FIRST_LOOK = 0.6
"""Share of the budget that the first look may take: suspects need as much again."""


class TimeBudget:
    """What there is time for, from what processes took so far.

    Args:
        budget_s: in all, from now.
        start_s: what a process takes before its first job.
        now: a monotonic clock in seconds.
    """

    def __init__(
        self, budget_s: float, start_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._begin = now()
        self._budget_s = budget_s
        self._start_s = start_s
        self._walls_s: list[float] = []
        self._row_s = 0.0

    def note(self, wall_s: float, rows: int) -> None:
        """A process measured so many rows in so much time."""
        self._walls_s.append(wall_s)
        if rows:
            self._row_s = max(wall_s - self._start_s, 0.0) / rows

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self._now() - self._begin >= self._budget_s

    def pairs(self, wanted: int) -> int:
        """How many pairs the first look may have, the one that is measured included."""
        pair_s = max(sum(self._walls_s[-2:]), 1e-9)
        left_s = _FIRST_LOOK * self._budget_s - (self._now() - self._begin)
        return min(wanted, 1 + max(0, math.floor(left_s / pair_s)))

    def rows(self, pairs: int) -> int:
        """How many rows each process of so many more pairs may measure."""
        left_s = self._budget_s - (self._now() - self._begin)
        row_s = left_s / (2 * max(1, pairs)) - self._start_s
        return max(0, math.floor(row_s / max(self._row_s, 1e-9)))


class Session:
    """Measures rows of either side in fresh processes, and keeps every record.

    Args:
        sides: both.
        rows: what is judged: pairs of jobs by cache mode.
        anchors: names of the anchors that follow the rows.
        budget: where the time is limited.
        tell: hears of every process.
    """

    def __init__(
        self,
        sides: Mapping[SideName, MeasuredSide],
        rows: Sequence[Row],
        *,
        anchors: Sequence[str] = (),
        budget: TimeBudget | None = None,
        tell: Callable[[str], object] = str,
    ) -> None:
        self._sides = sides
        self._rows = rows
        self.anchors = anchors
        self.budget = budget
        self._tell = tell
        self._settled: set[int] = set()
        self._unsupported: set[int] = set()
        self._announced = -1
        self.records: dict[SideName, dict[Job, list[Record]]] = {"baseline": {}, "contender": {}}

    def measure(self, side: SideName, rows: Indices) -> Floats:
        """One fresh process: log seconds per row, shape (rows,); NaN is not measured.

        A row whose job did not end as a measurement, on either side, is not asked for again; where
        one side does not support it, the other is asked once.
        """
        asked = [int(row) for row in rows if row < len(self._rows)]
        jobs = list(
            dict.fromkeys(self._job(side, row) for row in asked if self._is_open(side, row))
        )
        wants_anchors = len(asked) < len(rows)
        measured = self._sides[side]
        self._announce(len(jobs))
        slot = measured.measure(
            jobs,
            anchor_samples=GATE_SAMPLES if wants_anchors else 0,
            is_over=(lambda: self.budget is not None and self.budget.is_spent),
        )
        if self.budget is not None:
            self.budget.note(slot.wall_s, len(jobs))
        self._keep(side, slot, asked)
        return np.array([self._level(side, int(row), slot) for row in rows], dtype=float)

    def prove(self, jobs: Sequence[Job]) -> None:
        """One process of the contender with jobs that have no partner: are they right at all?"""
        self._tell(f"proving {len(jobs)} new job(s)")
        for job, record in self._sides["contender"].measure(jobs).records.items():
            self.records["contender"].setdefault(job, []).append(record)

    def _announce(self, jobs: int) -> None:
        """Say what is measured whenever that changes; a line per process would hide it."""
        processes = sum(side.slots for side in self._sides.values())
        if jobs != self._announced:
            self._announced = jobs
            self._tell(f"measuring {jobs} job(s) per process, after {processes} process(es)")

    def _job(self, side: SideName, row: int) -> Job:
        pair = self._rows[row].pair
        job = pair.baseline if side == "baseline" else pair.contender
        assert job is not None  # noqa: S101 (only pairs of two are measured)
        return job

    def _is_open(self, side: SideName, row: int) -> bool:
        if row in self._unsupported:
            return self._job(side, row) not in self.records[side]
        return row not in self._settled

    def _keep(self, side: SideName, slot: Slot, asked: Sequence[int]) -> None:
        for job, record in slot.records.items():
            self.records[side].setdefault(job, []).append(record)
        for row in asked:
            record = slot.records.get(self._job(side, row))  # type: ignore[assignment]
            if record is None or record.outcome in MEASURED_OUTCOMES:
                continue
            of_rows = self._unsupported if record.outcome == "unsupported" else self._settled
            of_rows.add(row)

    def _level(self, side: SideName, row: int, slot: Slot) -> float:
        samples_s: Sequence[float] = ()
        if row >= len(self._rows):
            samples_s = slot.anchors.get(self.anchors[row - len(self._rows)], ())
        elif record := slot.records.get(self._job(side, row)):
            mode = self._rows[row].cache_mode
            samples_s = next((t.samples_s for t in record.timings if t.cache_mode == mode), ())
        return float(level(np.array(samples_s))) if samples_s else math.nan
