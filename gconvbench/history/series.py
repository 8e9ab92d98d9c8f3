"""Series of one value per run, from stored runs: per case, implementation and cache mode."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.records import (
    MEASURED_OUTCOMES,
    Dispatch,
    Environment,
    Method,
    method_differences,
    united_dispatch,
)
from gconvbench.stats import Estimate, estimate_over_rounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gconvbench.records import Header, Record

__all__ = ["History", "HistoryRun", "Key", "Series", "collect_series", "logs_of"]

_OTHER_QUANTITY = ("clock", "threads", "cores", "inputs")
"""Fields of the method that make it another quantity. Others, such as the target or the warm-up,
may move a time; they are named where a level begins."""


class HistoryRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as far as a history looks at it.

    Attributes:
        name: of the run, or of the file's commit.
        created: when it was measured or committed, as text that sorts by time.
        commit: of the code under test, empty where there is none.
        environment: where it was measured; None where the source does not say.
        method: how; likewise.
    """

    name: str
    created: str
    commit: str
    environment: Environment | None = None
    method: Method | None = None


class Key(msgspec.Struct, frozen=True, order=True):
    """Which series: a case id, implementation and cache mode, or a benchmark and its parameters."""

    case: str
    implementation: str = ""
    cache_mode: str = ""

    @property
    def name(self) -> str:
        """All of it in one string."""
        return " ".join(filter(None, (self.case, self.implementation, self.cache_mode)))


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One value per run.

    Attributes:
        key: of what.
        values: by run, in `unit`; None where a run has none.
        unit: such as `seconds`.
        half_widths: by run, of the 95 % interval over its rounds on the log scale, None where there
            is none; empty where the source has no rounds.
        dispatch: by run, what a launch ran, as far as that is known; empty where no run says.
    """

    key: Key
    values: tuple[float | None, ...]
    unit: str = "seconds"
    half_widths: tuple[float | None, ...] = ()
    dispatch: tuple[Dispatch, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All series of a machine.

    Attributes:
        machine: whose.
        runs: oldest first; the values of every series count them.
        series: by key.
        left_out: how many runs were not used, by the reason.
    """

    machine: str
    runs: tuple[HistoryRun, ...]
    series: tuple[Series, ...]
    left_out: dict[str, int]


def logs_of(series: Series) -> list[float]:
    """Natural logarithms, NaN where there is no value or one that has none."""
    return [math.log(v) if v is not None and 0 < v < math.inf else math.nan for v in series.values]


def collect_series(
    stored: Iterable[tuple[Header, Sequence[Record]]], *, contenders: bool = False
) -> History:
    """Bring the runs of one machine together.

    A run's value is the median over rounds of the medians within the rounds, none where any round
    went wrong. Left out and counted are runs without times, those of another machine than the
    newest one or whose method measures another quantity, and the sides of gates: a contender's code
    may never have been merged, and a baseline's is older than its time.

    Args:
        stored: header and records of each run, oldest first; read one after the other.
        contenders: whether the contenders of gates count as runs of their commits; true where only
            gates of the main branch are stored.
    """
    left_out = Counter[str]()
    found: list[tuple[Header, dict[Key, _Value]]] = []
    for header, records in stored:
        if header.gate_side == "baseline" or (header.gate_side and not contenders):
            left_out[f"{header.gate_side}s of gates"] += 1
        elif values := _values(records):
            found.append((header, values))
        else:
            left_out["no times in them"] += 1
    same = []
    for header, values in found:
        if why := _why_apart(header, found[-1][0]):
            left_out[why] += 1
        else:
            same.append((header, values))
    keys = sorted({key for _, values in same for key in values})
    series = (_series(key, [values.get(key) for _, values in same]) for key in keys)
    return History(
        machine=found[-1][0].machine if found else "",
        runs=tuple(_run(header) for header, _ in same),
        series=tuple(series),
        left_out=dict(left_out),
    )


class _Value(NamedTuple):
    """Of one series in one run."""

    time: Estimate
    dispatch: Dispatch


def _series(key: Key, values: Sequence[_Value | None]) -> Series:
    return Series(
        key=key,
        values=tuple(one and one.time.median_s for one in values),
        half_widths=tuple(one and one.time.half_width for one in values),
        dispatch=tuple(one.dispatch if one else Dispatch() for one in values),
    )


def _values(records: Sequence[Record]) -> dict[Key, _Value]:
    """By series in one run."""
    bad = {one.job for one in records if one.outcome not in MEASURED_OUTCOMES}
    medians_s: dict[Key, list[float]] = {}
    dispatch: dict[Key, list[Dispatch | None]] = {}
    for record in records:
        job = record.job
        if job.twin or job in bad:
            continue
        for timing in record.timings:
            key = Key(job.case, job.implementation, timing.cache_mode)
            medians_s.setdefault(key, []).append(timing.median_s)
            dispatch.setdefault(key, []).append(record.dispatch)
    return {
        key: _Value(estimate_over_rounds(values), united_dispatch(dispatch[key]))
        for key, values in medians_s.items()
    }


def _why_apart(header: Header, newest: Header) -> str:
    """Why a run is in no series with the newest one; empty where it is."""
    if header.machine != newest.machine:
        return "another machine than the newest"
    fields = [one.field for one in method_differences(header.method, newest.method)]
    other = [field for field in fields if field in _OTHER_QUANTITY]
    return f"another {' and '.join(other)} than the newest" if other else ""


def _run(header: Header) -> HistoryRun:
    under_test: Mapping[str, object] = header.environment.under_test
    return HistoryRun(
        name=header.run,
        created=header.created,
        commit=str(under_test.get("commit") or ""),
        environment=header.environment,
        method=header.method,
    )
