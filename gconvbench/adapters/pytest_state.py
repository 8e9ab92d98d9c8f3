"""What a pytest session has measured, and with what. Imports no torch."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, Self

import msgspec

from gconvbench.adapters.notes import Notes
from gconvbench.adapters.session import Asked, Machine, Session, asked, machine_of
from gconvbench.interchange.carried import carried
from gconvbench.interchange.machine import machine_info
from gconvbench.planning import GATE_SAMPLES, gate_method
from gconvbench.records import Environment, Plan, PlannedCase, differences
from gconvbench.runner import device_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from gconvbench.records import CacheMode, Header, Job, Record


__all__ = ["State", "this_machine_info", "why_other_machine"]


class State:
    """Sessions of the engine for built-in implementations, started when one is needed.

    Args:
        what: device and method.
        processes: how many measure each job, in turn.
        notes: where a gate reads what was measured; None in a session of its own.
    """

    def __init__(self, what: Asked, processes: int, notes: Notes | None = None) -> None:
        self.what = what
        self._processes = processes
        self._notes = notes
        self._sessions: list[Session] = []
        self._checker: Session | None = None
        self._measured: dict[str, tuple[Header, tuple[Record, ...]]] = {}

    @classmethod
    def of(cls, config: pytest.Config) -> Self:
        """As the command line asks for.

        Raises:
            UsageError: a variable has a value that is not allowed.
        """
        what = asked()
        if notes := config.getoption("--gconvbench-notes"):
            (mode,), threads = what.method.cache_modes, what.method.threads
            method = gate_method(what.device, cache=mode, threads=threads)
            return cls(what._replace(method=method), 1, Notes(notes))
        method = msgspec.structs.replace(
            what.method,
            max_time_s=float(config.getoption("benchmark_max_time")),
            min_samples=max(what.method.min_samples, config.getoption("benchmark_min_rounds")),
        )
        return cls(what._replace(method=method), config.getoption("--gconvbench-processes"))

    def measure(self, test: str, job: Job) -> tuple[Record, ...]:
        """Prove and time a job in each of the processes, in turn.

        Args:
            test: whose it is.
            job: which.
        """
        self._start(test)
        while len(self._sessions) < self._processes:
            self._sessions.append(Session(self.what, is_locking=not self._sessions))
        found = []
        for number, session in enumerate(self._sessions, start=1):
            found.append(session.measure(job, number))
            if found[-1].outcome != "measured":
                break
        return self._keep(test, self._sessions[0].header, tuple(found))

    def check(self, job: Job) -> Record:
        """Prove a job without timing it."""
        if self._checker is None:
            method = msgspec.structs.replace(self.what.method, check_only=True)
            self._checker = Session(self.what._replace(method=method), is_locking=False)
        return self._checker.measure(job)

    def measure_here(self, test: str, measure: Callable[[], tuple[Header, Record]]) -> Record:
        """Keep what is measured in this process.

        Args:
            test: whose it is.
            measure: returns the header of a run made here, and the record.
        """
        self._start(test)
        with contextlib.nullcontext() if self._sessions else device_lock(self.what.device):
            header, record = measure()
        return self._keep(test, header, (record,))[0]

    def machine_info(self) -> dict[str, Any]:
        """For pytest-benchmark: a worker's, whose settings are the same in every session."""
        if not self._sessions:
            return this_machine_info()
        machine = self._sessions[0].machine
        return machine_info(machine.environment, machine.name)

    def carried(self, document: dict[str, Any]) -> dict[str, Any]:
        """The run of this session, for a document of pytest-benchmark that has its tests.

        A run has a job once in a round, and one method and environment: it has the first of several
        tests of the same job, and of what was measured in this process only what agrees with the
        rest.
        """
        stored = {one["fullname"] for one in document["benchmarks"]}
        of_workers = [session.header for session in self._sessions]
        header = (of_workers or [header for header, _ in self._measured.values()])[0]
        first: dict[Job, str] = {}
        for test, (own, records) in self._measured.items():
            if _is_same_measuring(own, header):
                first.setdefault(records[0].job, test)
        kept = [record for test in first.values() for record in self._measured[test][1]]
        names: dict[tuple[Job, CacheMode], str] = {
            (job, timing.cache_mode): test
            for job, test in first.items()
            for timing in self._measured[test][1][0].timings
            if test in stored
        }
        cases = dict.fromkeys(record.job.case for record in kept)
        plan = Plan(
            cases=tuple(PlannedCase(case) for case in cases),
            implementations=tuple(dict.fromkeys(record.job.implementation for record in kept)),
            rounds=self._processes,
        )
        return carried(msgspec.structs.replace(header, plan=plan), kept, names)

    def close(self) -> None:
        """End the workers; a gate's process tells it first where and how they measured."""
        if self._notes and self._measured and self.what.device == "cpu":
            self._notes.anchors(self._anchors())
        for session in (*self._sessions, self._checker):
            if session:
                session.close()

    def _anchors(self) -> dict[str, tuple[float, ...]]:
        """By a worker where there is one, else here, where a test has brought torch."""
        if self._sessions:
            return self._sessions[0].measure_anchors(GATE_SAMPLES)
        from gconvbench.anchors import anchor_samples  # noqa: PLC0415

        return anchor_samples(GATE_SAMPLES)

    def _start(self, test: str) -> None:
        if self._notes:
            self._notes.started(test)

    def _keep(self, test: str, header: Header, records: tuple[Record, ...]) -> tuple[Record, ...]:
        if self._notes:
            if not self._measured:
                self._notes.ready(Machine(header.machine, header.environment))
            self._notes.measured(test, records[0])
        self._measured[test] = (header, records)
        return records


def _is_same_measuring(one: Header, other: Header) -> bool:
    """Whether records of both can be in one run."""
    same = one.environment.identity == other.environment.identity
    return same and (one.device, one.method) == (other.device, other.method)


@functools.cache
def this_machine_info() -> dict[str, Any]:
    """That of this machine, before anything is measured: as long as one import of torch."""
    machine = machine_of(asked())
    return machine_info(machine.environment, machine.name)


def why_other_machine(theirs: Any, ours: Any) -> str:  # noqa: ANN401 (of a file)
    """In which fields of the identity two fingerprints differ; empty where they may be compared.

    Args:
        theirs: of the stored one, as `machine_info` has it.
        ours: of this machine, likewise.
    """
    try:
        before, after = (
            Environment(identity=one["identity"], under_test={}, soft={}) for one in (theirs, ours)
        )
        found = [one for one in differences(before, after) if not one.is_unknown]
    except (TypeError, KeyError, AttributeError):
        return "gconvbench: the stored machine_info has no fingerprint that can be read"
    if not found:
        return ""
    fields = "; ".join(f"{one.field} was {one.before!r}, is {one.after!r}" for one in found[:4])
    more = f"; and {len(found) - 4} more" if len(found) > 4 else ""  # noqa: PLR2004
    return (
        f"gconvbench: times of {theirs.get('machine')} cannot be compared with those of "
        f"{ours.get('machine')}: {fields}{more}; name a run of this machine with "
        "--benchmark-compare=NUM, or save one"
    )
