"""What a run says about accuracy: worst errors, their growth, labels, and what changed since."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import DIRECTIONS, SIGNIFICAND_BITS, Case, case_if_any
from gconvbench.records import FAILED_OUTCOMES, ISOLATED_IF_FINITE, MEASURED_OUTCOMES, RIGHT, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gconvbench.records import Agreement, Record, TensorAccuracy
    from gconvbench.store import Run

__all__ = [
    "FASTER_THAN_WALK",
    "Cell",
    "Changed",
    "Growth",
    "Point",
    "accuracy_labels",
    "changed_algorithms",
    "error_matrix",
    "error_points",
    "growths",
    "process_labels",
    "same_bits_as",
    "worst_agreement",
]

CHANGED_FACTOR = 1.5
"""An error that grew by more than this bears witness of another algorithm: the same operations on
the same operands give the same error to the last digit, other orders of summation similar ones."""
_NOISE_SHARE = 0.1
"""Errors below a tenth of the storage type's unit roundoff are not told apart."""
_FEWEST_LENGTHS = 4
_SHORTEST_RANGE = 10.0
FASTER_THAN_WALK = 0.75
"""Halfway between the random walk's exponent, 1/2, and that of errors that all point one way, 1."""
_RESULTS_WITH_LAYOUT = ("output", "grad_input")


class Cell(msgspec.Struct, frozen=True):
    """All jobs of one implementation, dtype and direction: how they ended, and the worst error.

    Attributes:
        outcome: the worst of all; `checked` where all that is supported is right.
        of_limit: the largest share of a limit; None where nothing was compared.
    """

    outcome: str
    of_limit: float | None


def error_matrix(run: Run) -> dict[str, dict[str, dict[str, Cell]]]:
    """Cells by dtype, implementation and direction, in the plan's order."""
    found: dict[str, dict[str, dict[str, Cell]]] = {}
    for record in run.records:
        case = case_if_any(record.job.case)
        if case is None:
            continue
        rows = found.setdefault(case.dtype, {})
        row = rows.setdefault(record.job.implementation, {})
        cell = _cell(record)
        row[case.direction] = _worse(row.get(case.direction, cell), cell)
    order = run.header.plan.implementations
    return {
        dtype: {
            name: {one: rows[name][one] for one in DIRECTIONS if one in rows[name]}
            for name in order
            if name in rows
        }
        for dtype, rows in found.items()
    }


def _cell(record: Record) -> Cell:
    outcome = "checked" if record.outcome in MEASURED_OUTCOMES else record.outcome
    tensors = record.accuracy.tensors if record.accuracy else ()
    shares = [
        math.inf if one.group_error is None else one.group_error / one.limit for one in tensors
    ]
    return Cell(outcome, max(shares, default=None))


def _worse(one: Cell, other: Cell) -> Cell:
    ranks = ["unsupported", "checked", *sorted(FAILED_OUTCOMES), "wrong"]
    outcome = max(one.outcome, other.outcome, key=ranks.index)
    shares = [cell.of_limit for cell in (one, other) if cell.of_limit is not None]
    return Cell(outcome, max(shares, default=None))


def accuracy_labels(record: Record) -> Iterator[str]:
    """What a reader should know of a result that is right."""
    accuracy, case = record.accuracy, case_if_any(record.job.case)
    if accuracy is None or case is None:
        return
    if accuracy.flow == ISOLATED_IF_FINITE:
        yield "NaN leaks between groups (0 * NaN)"
    if accuracy.repeatability.startswith("other"):
        yield "other bits when launched again"
    if accuracy.deterministic.startswith("other"):
        yield "other bits with deterministic algorithms"
    for tensor in accuracy.tensors:
        yield from _tensor_labels(case, tensor)
    for layout, seen in accuracy.layouts.items():
        if seen != RIGHT:
            yield f"{layout} operands: {seen}"


def _tensor_labels(case: Case, tensor: TensorAccuracy) -> Iterator[str]:
    known = tensor.memory_format if tensor.tensor in _RESULTS_WITH_LAYOUT else ""
    if known and case.memory_format not in known:
        yield f"{tensor.tensor} comes out {known}, not {case.memory_format}"
    if case.math_mode == "tf32" and tensor.precision == "ieee":
        yield f"{tensor.tensor} in ieee precision, better than the tf32 asked for"


def process_labels(records: Iterable[Record]) -> Iterator[str]:
    """What only several records of one job can show, one record per process."""
    digests: dict[str, set[str]] = {}
    for record in records:
        for tensor in record.accuracy.tensors if record.accuracy else ():
            digests.setdefault(tensor.tensor, set()).add(tensor.digest)
    if any(len(found) > 1 for found in digests.values()):
        yield "other bits in another process"


def worst_agreement(run: Run) -> tuple[Job, Agreement] | None:
    """The two right implementations that disagree most, relative to what is allowed."""
    found = [
        (record.job, record.accuracy.agreement)
        for record in run.records
        if record.outcome in MEASURED_OUTCOMES and record.accuracy and record.accuracy.agreement
    ]
    return max(found, key=lambda pair: pair[1].of_allowed, default=None)


class Point(msgspec.Struct, frozen=True):
    """One measured error and what it is held against."""

    implementation: str
    dtype: str
    tensor: str
    reduction_length: int
    error: float
    limit: float


def error_points(run: Run) -> list[Point]:
    """Every finite error of the first round, of whole tensors."""
    return [
        Point(
            record.job.implementation,
            case.dtype,
            one.tensor,
            one.reduction_length,
            one.error,
            one.limit,
        )
        for record in run.records
        if record.accuracy and record.round == 1 and (case := case_if_any(record.job.case))
        for one in record.accuracy.tensors
        if one.error is not None
    ]


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """How an implementation's error grows with the reduction length L: as L^exponent.

    Attributes:
        shortest: the range of L that was fitted.
        longest: likewise.
        exponent: slope of the least-squares line through log error over log L.
        is_finding: the error is above the rounding of the result and grows faster than a random
            walk of roundings explains.
    """

    implementation: str
    dtype: str
    tensor: str
    shortest: int
    longest: int
    exponent: float
    is_finding: bool


def growths(run: Run) -> list[Growth]:
    """The growth of every error that was seen over a wide enough range, fastest first."""
    series: dict[tuple[str, str, str], list[Point]] = {}
    for point in error_points(run):
        if point.error > 0:
            key = (point.implementation, point.dtype, point.tensor)
            series.setdefault(key, []).append(point)
    found = [growth for points in series.values() if (growth := _growth(points))]
    return sorted(found, key=lambda growth: -growth.exponent)


def _growth(points: Sequence[Point]) -> Growth | None:
    lengths = [point.reduction_length for point in points]
    shortest, longest = min(lengths), max(lengths)
    if len(set(lengths)) < _FEWEST_LENGTHS or longest < _SHORTEST_RANGE * shortest:
        return None
    slope, _ = statistics.linear_regression(
        [math.log(length) for length in lengths], [math.log(point.error) for point in points]
    )
    first = points[0]
    above = max(point.error for point in points) > 2.0 ** -SIGNIFICAND_BITS[first.dtype]
    return Growth(
        implementation=first.implementation,
        dtype=first.dtype,
        tensor=first.tensor,
        shortest=shortest,
        longest=longest,
        exponent=slope,
        is_finding=slope > FASTER_THAN_WALK and above,
    )


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """An error that is larger than in an earlier run by more than chance explains."""

    job: Job
    tensor: str
    before: float
    now: float
    run: str


def changed_algorithms(run: Run, earlier: Sequence[Run]) -> list[Changed]:
    """Results whose error exceeds 1.5 max(earlier error, u / 10), the largest growth first.

    Args:
        run: the run in question.
        earlier: runs of the same machine and seed, newest first; each result is compared with the
            latest that has it.
    """
    before = _latest(earlier)
    changed = []
    for (job, tensor), (one, _) in _latest([run]).items():
        old, name = before.get((job, tensor), (None, ""))
        case = case_if_any(job.case)
        if case is None or old is None or old.group_error is None or one.group_error is None:
            continue
        roundoff = 2.0 ** -SIGNIFICAND_BITS[case.dtype]
        if one.group_error > CHANGED_FACTOR * max(old.group_error, _NOISE_SHARE * roundoff):
            changed.append(
                Changed(
                    job=job, tensor=tensor, before=old.group_error, now=one.group_error, run=name
                )
            )
    return sorted(changed, key=lambda one: -one.now / max(one.before, math.ulp(0.0)))


def same_bits_as(run: Run, earlier: Sequence[Run]) -> tuple[int, int]:
    """How many results have the very bits of the latest earlier run that has them, and of how many.

    Only results whose bits were recorded count.
    """
    before = _latest(earlier)
    pairs = [
        (one.digest, before[key][0].digest)
        for key, (one, _) in _latest([run]).items()
        if key in before
    ]
    known = [(now, then) for now, then in pairs if now and then]
    return sum(now == then for now, then in known), len(known)


def _latest(runs: Sequence[Run]) -> dict[tuple[Job, str], tuple[TensorAccuracy, str]]:
    """Each result's accuracy in the first of the runs that has it, with that run's name."""
    found: dict[tuple[Job, str], tuple[TensorAccuracy, str]] = {}
    for run in runs:
        for record in run.records:
            if record.outcome in MEASURED_OUTCOMES and record.accuracy:
                for one in record.accuracy.tensors:
                    found.setdefault((record.job, one.tensor), (one, run.header.run))
    return found
