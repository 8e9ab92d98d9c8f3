"""A run as asv's benchmarks: one per operation, direction and metric, times per cache mode.

Their parameters are the case id and the implementation, as a full product; asv wants the `repr` of
each, NaN where a combination was skipped and None where it failed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gconvbench.cases import parameters, parse_case
from gconvbench.errors import UsageError
from gconvbench.interchange.jobs import jobs_of_run
from gconvbench.interchange.suite import CASE, IMPLEMENTATION, Family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.cases import Case
    from gconvbench.interchange.jobs import JobWhole
    from gconvbench.records import Memory
    from gconvbench.store import Run

__all__ = ["SKIPPED", "Cell", "Table", "tables_of"]

_ERROR, _MEMORY, _PARAMETERS = "track_error", "track_peak_memory", "track_parameters"
_UNITS = {_ERROR: "relative error", _MEMORY: "bytes", _PARAMETERS: "parameters"}


class Cell(NamedTuple):
    """What asv is given for one combination.

    Attributes:
        value: NaN where skipped, None where failed.
        samples: in seconds; None where there are none.
        number: launches per sample, likewise.
    """

    value: float | None
    samples: tuple[float, ...] | None = None
    number: int | None = None


SKIPPED = Cell(math.nan)
_FAILED = Cell(None)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark of asv.

    Attributes:
        name: such as `run.conv.fprop.track_time_hot`.
        unit: of its values.
        version: which says the jobs that it stands for.
        cells: by case id and implementation; not every combination need be there.
    """

    name: str
    unit: str
    version: str
    cells: dict[tuple[str, str], Cell]

    @property
    def params(self) -> list[list[str]]:
        """The cases and the implementations, as asv writes them."""
        return [list(map(repr, dict.fromkeys(words))) for words in zip(*self.cells, strict=True)]


def tables_of(run: Run) -> tuple[list[Table], int]:
    """All benchmarks of a run, and how many of its jobs are no cases and so in none of them.

    A benchmark of which everything was skipped is none: times of a run that took none.
    """
    found: dict[str, Table] = {}
    left_out = 0
    for one in jobs_of_run(run):
        try:
            case = parse_case(one.job.case)
        except UsageError:
            left_out += 1
            continue
        for metric, cell in _cells(one, case, run.header.method.cache_modes).items():
            table = _table(found, case, metric)
            table.cells[one.job.case, one.job.implementation] = cell
    return [one for one in found.values() if _has_any(one)], left_out


def _has_any(table: Table) -> bool:
    values = (cell.value for cell in table.cells.values())
    return any(value is None or not math.isnan(value) for value in values)


def _table(found: dict[str, Table], case: Case, metric: str) -> Table:
    name = f"run.{case.operation}.{case.direction}.{metric}"
    fixed = f"operation={case.operation}", f"direction={case.direction}"
    family = Family(fixed, (CASE, IMPLEMENTATION))
    unit = _UNITS.get(metric, "seconds")
    return found.setdefault(name, Table(name=name, unit=unit, version=family.version, cells={}))


def _cells(one: JobWhole, case: Case, modes: Sequence[str]) -> dict[str, Cell]:
    """By metric."""
    timed = [f"track_time_{mode}" for mode in modes]
    if one.state != "good":
        empty = SKIPPED if one.state == "unsupported" else _FAILED
        return dict.fromkeys((*timed, _ERROR, _MEMORY, _PARAMETERS), empty)
    cells = dict.fromkeys(timed, SKIPPED)
    for mode, times in one.times.items():
        samples_s = times.samples_s
        cells[f"track_time_{mode}"] = Cell(samples_s[0], samples_s, times.launches_per_sample)
    return {
        **cells,
        _ERROR: _number(one.worst_tensor and one.worst_tensor.group_error),
        _MEMORY: _memory(one.memories),
        _PARAMETERS: _number(parameters(case)),
    }


def _memory(memories: Sequence[Memory]) -> Cell:
    """An allocator's number, or one sample of resident pages per round, for asv to judge."""
    told = [float(one.told_bytes or 0) for one in memories]
    if not told:
        return SKIPPED
    if any(one.resolution_bytes for one in memories):
        return Cell(told[0], tuple(told), 1)
    return Cell(max(told))


def _number(value: Any) -> Cell:  # noqa: ANN401 (integers and floats)
    return SKIPPED if value is None else Cell(value)
