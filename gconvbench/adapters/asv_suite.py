"""Benchmarks for asv, a few lines each, whose numbers come from our engine. Imports no torch.

    from gconvbench.adapters.asv_suite import Suite

    class Fprop(Suite):
        axes = ("groups=2,8", "channels=64,256", "dtype=float32,bfloat16", "size=28")
        implementations = ("native", "split_concat")

has four benchmarks for asv, each over the product of the axes that have several values and of the
implementations (or, with `sweep = "forum"` or `cases = (ID, ...)`, of cases and implementations):
`track_time`, `track_error`, `track_peak_memory` and `track_parameters`. A job is
proved before it is timed, and measured once for all four; a wrong one fails. Combinations that are
no case, and those that an implementation does not support, are skipped.

In asv's own environments each combination is a process that imports torch. In ours, an asv plugin
(`gconvbench.adapters.asv`), one process answers them all.
"""

from __future__ import annotations

import atexit
import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from asv_runner.benchmarks.mark import SkipNotImplemented

from gconvbench import workloads
from gconvbench.adapters.session import Session, asked
from gconvbench.cases import case_id, parameters, parse_axis, parse_case
from gconvbench.errors import NotMeasuredError, UsageError
from gconvbench.interchange.suite import CASE, IMPLEMENTATION, Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.cases import Value
    from gconvbench.records import Job, Record

__all__ = ["TRACKS", "Suite"]

ROUNDS = 2
"""Fresh processes behind a time, as asv has for `time_*`; `asv run -a rounds=5` takes more."""


class Suite:
    """A sweep with implementations, as benchmarks for asv; subclass it in `benchmarks/`.

    Attributes:
        axes: as after `-a` on the command line; those with one value are fixed, and part of the
            benchmark's version.
        sweep: a named sweep or a sweep file, in the place of axes.
        cases: case ids, likewise.
        implementations: by name.
        timeout: seconds until asv gives a combination up; the engine does so earlier.
    """

    axes: ClassVar[tuple[str, ...]] = ()
    sweep: ClassVar[str] = ""
    cases: ClassVar[tuple[str, ...]] = ()
    implementations: ClassVar[tuple[str, ...]] = ("native",)
    timeout: ClassVar[float] = 1200.0
    params: ClassVar[list[list[Any]]]
    param_names: ClassVar[list[str]]
    skip_params: ClassVar[list[tuple[Any, ...]]]
    version: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """What asv looks for, made from axes and implementations.

        Raises:
            UsageError: an axis, value, sweep or case that does not exist, or more than one of them.
        """
        super().__init_subclass__()
        values = cls._values()
        varied = {name: v for name, v in values.items() if len(v) > 1 or name == CASE}
        fixed = tuple(f"{name}={_spelt(v[0])}" for name, v in values.items() if name not in varied)
        cls.param_names = [*varied, IMPLEMENTATION]
        cls.params = [[_spelt(v) for v in found] for found in varied.values()]
        cls.params.append(list(cls.implementations))
        family = Family(fixed, tuple(cls.param_names))
        cls.version = family.version
        combinations = itertools.product(*cls.params)
        cls.skip_params = [one for one in combinations if not _is_case(family, one)]
        for name, track in TRACKS.items():
            setattr(cls, name, track)

    @classmethod
    def _values(cls) -> dict[str, tuple[Value, ...]]:
        """By axis, or by the one parameter that is a case id."""
        if sum(map(bool, (cls.axes, cls.sweep, cls.cases))) > 1:
            message = f"{cls.__name__}: axes, sweep and cases exclude each other; give one of them"
            raise UsageError(message)
        ids = [case_id(parse_case(text)) for text in cls.cases]
        if cls.sweep:
            ids = [case_id(one.case) for one in workloads.load(cls.sweep).expand().cases]
        return {CASE: tuple(ids)} if ids else dict(_axis(text) for text in cls.axes)


def _axis(text: str) -> tuple[str, tuple[Value, ...]]:
    axis, values = parse_axis(text)
    return axis.name, values


def _spelt(value: Value) -> int | str:
    """As on the command line; asv shows whole numbers on an axis of its own."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return value


def _is_case(family: Family, values: tuple[object, ...]) -> bool:
    try:
        family.job(values)
    except UsageError:
        return False
    return True


class _Rounds:
    """Records of this process: one per job and round, each round in a fresh worker.

    A round ends when a benchmark asks for the same job again.
    """

    def __init__(self) -> None:
        self._session: Session | None = None
        self._round = 1
        self._asked: Counter[tuple[Job, str]] = Counter()
        self._records: dict[tuple[Job, int], Record] = {}

    def record(self, job: Job, benchmark: str) -> Record:
        """The job's record of the round that this benchmark has not seen yet.

        Where the job was not measured in that round, it is the present round's.
        """
        self._asked[job, benchmark] += 1
        wanted = self._asked[job, benchmark]
        if wanted > self._round:
            self._round = wanted
            if self._session is not None:
                self._session.renew()
        for number in (wanted, self._round):
            if (job, number) in self._records:
                return self._records[job, number]
        if self._session is None:
            self._session = Session(asked())
            atexit.register(self._session.close)
        record = self._session.measure(job, self._round)
        self._records[job, self._round] = record
        return record


_rounds = _Rounds()


def _record(suite: Suite, values: tuple[object, ...], metric: str) -> Record:
    """What was measured of a combination, for one of the suite's benchmarks.

    Raises:
        SkipNotImplemented: it cannot be computed in this way; asv stores NaN.
        NotMeasuredError: it was wrong, or failed; asv stores null.
    """
    kind = type(suite)
    benchmark = f"{kind.__module__}.{kind.__qualname__}.{metric}"
    record = _rounds.record(_job(suite, values), benchmark)
    if record.outcome == "unsupported":
        raise SkipNotImplemented(record.detail)
    if record.outcome != "measured":
        message = f"{record.job.implementation}: {record.outcome}: {record.detail}"
        raise NotMeasuredError(message)
    return record


def _job(suite: Suite, values: tuple[object, ...]) -> Job:
    family = Family.of_version(suite.version)
    assert family is not None  # noqa: S101 (the class wrote it)
    return family.job(values)


def track_time(self: Suite, *values: object) -> dict[str, object]:
    """Seconds of a launch: samples, so that asv has its interval and its test."""
    (timing,) = _record(self, values, "time").timings
    return {"samples": list(timing.samples_s), "number": timing.launches_per_sample}


def track_error(self: Suite, *values: object) -> float | None:
    """Relative error in the 2-norm against float64, the largest over groups and results."""
    accuracy = _record(self, values, "error").accuracy
    errors = [tensor.group_error for tensor in accuracy.tensors] if accuracy else []
    known = [error for error in errors if error is not None]
    return float(f"{max(known):.3g}") if known else None  # asv shows every digit


def track_peak_memory(self: Suite, *values: object) -> object:
    """Bytes of a launch beyond its operands.

    A GPU's allocator tells them exactly. On the CPU they are resident pages, which for the same
    code may differ by half from process to process: one sample per round, for asv to judge.
    """
    memory = _record(self, values, "memory").memory
    if memory is None or memory.told_bytes is None:
        return None
    is_exact = memory.resolution_bytes == 0
    return memory.told_bytes if is_exact else {"samples": [memory.told_bytes], "number": 1}


def track_parameters(self: Suite, *values: object) -> int:
    """Weights and biases of the layer."""
    return parameters(parse_case(_job(self, values).case))


_UNITS = {
    track_time: "seconds",
    track_error: "relative error",
    track_peak_memory: "bytes",
    track_parameters: "parameters",
}
for _track, _unit in _UNITS.items():
    vars(_track)["unit"] = _unit
for _track in (track_time, track_peak_memory):
    vars(_track)["rounds"] = ROUNDS
TRACKS: dict[str, Callable[..., object]] = {track.__name__: track for track in _UNITS}
"""The benchmarks of a suite by their names; whatever else a class has is asv's own."""
