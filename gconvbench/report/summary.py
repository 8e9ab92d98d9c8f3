"""A run's records brought together: per case the implementations, ordered, with advice."""

from __future__ import annotations

import functools
import statistics
from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import Case, case_if_any
from gconvbench.records import MEASURED_OUTCOMES, CaseFloor, Memory, PlannedCase
from gconvbench.report.accuracy import accuracy_labels, process_labels
from gconvbench.report.floor import floor_of, floors
from gconvbench.stats import Estimate, Ratio, estimate_over_rounds, paired_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gconvbench.records import Record
    from gconvbench.store import Run

__all__ = ["NATIVE", "CaseSummary", "Row", "summarise"]

NATIVE = "native"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One implementation of one case over all rounds.

    Attributes:
        implementation: its name.
        outcome: `measured`, `checked`, or the first thing that went wrong.
        detail: the reason, for other outcomes.
        times: estimate per cache mode; empty unless measured.
        left_out: the cache modes that could not be timed, each with the reason.
        rounds_s: median of each round in the first cache mode.
        speedups: native's time over this one's per cache mode, paired by rounds.
        first_launch_s: how long preparing and the first launch took, the median over rounds.
        memory: what one launch took, in the round where that was most.
        floor: times of this length that differ by less may be the same, on the log scale; 0 where
            the run had no twins to tell.
        error: the largest relative error seen in any result and round; None where none was found
            or it is not finite.
        of_limit: the largest share of its limit that an error took.
        of_floor: the least time by the run's ceilings over the time, per cache mode; empty where
            no ceilings are known.
        labels: of all its timings.
    """

    implementation: str
    outcome: str
    detail: str
    times: dict[str, Estimate]
    left_out: dict[str, str]
    rounds_s: dict[int, float]
    speedups: dict[str, Ratio]
    first_launch_s: float | None
    memory: Memory | None
    floor: float
    error: float | None
    of_limit: float | None
    of_floor: dict[str, float]
    labels: tuple[str, ...]

    @property
    def speedup(self) -> float | None:
        """In the first cache mode; None where native or this one has no time."""
        first = next(iter(self.speedups.values()), None)
        return first.value if first else None

    @property
    def speedup_half_width(self) -> float | None:
        """Of its 95 % interval on the log scale; None for a single round."""
        first = next(iter(self.speedups.values()), None)
        return first.half_width if first else None


class CaseSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One case: measured implementations by time, then the others.

    Attributes:
        planned: as asked for.
        case: the problem.
        rows: one per implementation.
        least: the least that it can take by the run's ceilings; None where these are not known.
    """

    planned: PlannedCase
    case: Case
    rows: tuple[Row, ...]
    least: CaseFloor | None = None

    @property
    def measured(self) -> tuple[Row, ...]:
        """The rows with times, fastest first."""
        return tuple(row for row in self.rows if row.times)

    def row_of(self, implementation: str) -> Row | None:
        """The row with times of that implementation."""
        return next((row for row in self.measured if row.implementation == implementation), None)

    @property
    def advised(self) -> Row | None:
        """The row to use: the fastest, or native unless that is clearly slower."""
        if not self.measured:
            return None
        native = self.row_of(NATIVE)
        clear = native and self._is_clearly_slower(native)
        return self.measured[0] if native is None or clear else native

    @property
    def advice(self) -> str:
        """Which implementation to use, in one line."""
        advised = self.advised
        if advised is None:
            right = [row for row in self.rows if row.outcome == "checked"]
            return f"{len(right)} right, not timed" if right else "none can be recommended"
        name, others = advised.implementation, [row for row in self.measured if row != advised]
        if not others:
            return f"use {name}; nothing else was measured"
        if not self.has_intervals:
            return f"use {name}, perhaps; one round has no interval, add rounds"
        close = [row.implementation for row in self.close]
        if not close:
            return f"use {name}; all others are clearly slower"
        faster = "faster" if advised != self.measured[0] else "slower"
        return f"use {name}; not clearly {faster}: {', '.join(close)}"

    @property
    def close(self) -> tuple[Row, ...]:
        """The rows that are not clearly slower than the fastest, the advised one left out."""
        advised = self.advised
        others = [row for row in self.measured if row != advised]
        return tuple(row for row in others if not self._is_clearly_slower(row))

    @property
    def has_intervals(self) -> bool:
        """Whether enough rounds have all that was measured, to tell them apart."""
        rounds = [set(row.rounds_s) for row in self.measured]
        return bool(rounds) and len(set.intersection(*rounds)) > 1

    def _is_clearly_slower(self, row: Row) -> bool:
        """Than the fastest, by paired rounds and by more than the noise floor."""
        fastest = self.measured[0]
        ratio = paired_ratio(row.rounds_s, fastest.rounds_s)
        return ratio is not None and ratio.is_clearly_longer(fastest.floor)


def summarise(run: Run) -> list[CaseSummary]:
    """All cases of a run in the plan's order, with whatever was recorded of them.

    Benchmarks of other tools are no cases, and not among them.
    """
    by_case: dict[str, dict[str, list[Record]]] = {}
    floor = functools.partial(floor_of, floors(run))
    ceilings = run.header.ceilings
    for record in run.records:
        rows = by_case.setdefault(record.job.case, {})
        rows.setdefault(record.job.implementation, []).append(record)
    return [
        _summary(
            planned, case, by_case[planned.case], floor, ceilings.floor(case) if ceilings else None
        )
        for planned in run.header.plan.cases
        if planned.case in by_case and (case := case_if_any(planned.case))
    ]


def _summary(
    planned: PlannedCase,
    case: Case,
    records: dict[str, list[Record]],
    floor: Callable[[float], float],
    least: CaseFloor | None,
) -> CaseSummary:
    native = records.get(NATIVE, [])
    rows = [_row(name, found, native, floor, least) for name, found in records.items()]
    rows.sort(key=lambda row: (not row.times, _first(row).median_s if row.times else 0.0))
    return CaseSummary(planned=planned, case=case, rows=tuple(rows), least=least)


def _row(
    name: str,
    records: list[Record],
    native: list[Record],
    floor: Callable[[float], float],
    least: CaseFloor | None,
) -> Row:
    bad = next((record for record in records if record.outcome not in MEASURED_OUTCOMES), None)
    worst = bad or records[0]
    times = {} if bad else _times([record for record in records if not record.job.twin])
    speedups = {
        mode: ratio
        for mode in times
        if (ratio := paired_ratio(_rounds_s(native, mode), _rounds_s(records, mode)))
    }
    error, of_limit = _errors(records)
    return Row(
        implementation=name,
        outcome=worst.outcome,
        detail=worst.detail,
        times=times,
        left_out={
            mode: why
            for record in records
            for mode, why in record.left_out.items()
            if mode not in times
        },
        rounds_s=_rounds_s(records, next(iter(times))) if times else {},
        speedups=speedups,
        first_launch_s=_median([r.first_launch_s for r in records]) if times else None,
        memory=_most_memory(records),
        floor=floor(next(iter(times.values())).median_s) if times else 0.0,
        error=error,
        of_limit=of_limit,
        of_floor={m: least.seconds / one.median_s for m, one in times.items()} if least else {},
        labels=_labels(records),
    )


def _rounds_s(records: Sequence[Record], mode: str) -> dict[int, float]:
    """Medians by round in a cache mode, not of twins; none where anything went wrong."""
    if any(record.outcome not in MEASURED_OUTCOMES for record in records):
        return {}
    return {
        record.round: timing.median_s
        for record in records
        for timing in record.timings
        if timing.cache_mode == mode and not record.job.twin
    }


def _errors(records: Sequence[Record]) -> tuple[float | None, float | None]:
    """The largest error and the largest share of a limit; None where one is not finite."""
    tensors = [t for r in records if r.accuracy for t in r.accuracy.tensors]
    errors = [t.group_error for t in tensors if t.group_error is not None]
    if not tensors or len(errors) < len(tensors):
        return None, None
    return max(errors), max((t.group_error or 0.0) / t.limit for t in tensors)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _most_memory(records: Sequence[Record]) -> Memory | None:
    found = [record.memory for record in records if record.memory]
    return max(found, key=lambda memory: memory.peak_bytes or 0, default=None)


def _labels(records: Sequence[Record]) -> tuple[str, ...]:
    found = set(process_labels(records))
    for record in records:
        found |= {label for timing in record.timings for label in timing.labels}
        found |= set(accuracy_labels(record))
    return tuple(sorted(found))


def _times(records: Iterable[Record]) -> dict[str, Estimate]:
    medians_s: dict[str, list[float]] = {}
    for record in records:
        for timing in record.timings:
            medians_s.setdefault(timing.cache_mode, []).append(timing.median_s)
    return {mode: estimate_over_rounds(values) for mode, values in medians_s.items()}


def _first(row: Row) -> Estimate:
    return next(iter(row.times.values()))
