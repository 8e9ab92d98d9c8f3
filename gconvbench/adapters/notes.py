"""What a gate's own pytest process writes down, line by line, so that a crash leaves the rest.

The first line is the gate's: `{"tests": [...]}`, or null for all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from gconvbench.records import Environment, Job, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.adapters.session import Machine
    from gconvbench.runner.commands import Ended

__all__ = ["PYTEST", "Notes", "Taken", "ask", "asked_for", "read_notes"]

PYTEST = "pytest"
"""What stands for the implementation of a test, so that its name reads as the command to run it."""


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened."""

    collected: tuple[str, ...] | None = None
    started: str | None = None
    test: str | None = None
    record: Record | None = None
    machine: str | None = None
    environment: Environment | None = None
    anchors: dict[str, tuple[float, ...]] | None = None


class Notes:
    """Appends to a file that the gate has begun."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def collected(self, tests: tuple[str, ...]) -> None:
        """All tests that will be run."""
        self._append(_Line(collected=tests))

    def started(self, test: str) -> None:
        """A test has reached its measuring."""
        self._append(_Line(started=test))

    def measured(self, test: str, record: Record) -> None:
        """It was measured, or how it ended instead."""
        self._append(_Line(test=test, record=record))

    def ready(self, machine: Machine) -> None:
        """Where it was measured."""
        self._append(_Line(machine=machine.name, environment=machine.environment))

    def anchors(self, samples_s: dict[str, tuple[float, ...]]) -> None:
        """Work beside the code under test, in seconds."""
        self._append(_Line(anchors=samples_s))

    def _append(self, line: _Line) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(descriptor)


class Taken(msgspec.Struct):
    """What processes noted.

    Attributes:
        collected: the tests that ask for the fixture.
        records: by test.
        unfinished: the test that it died of, if it died.
        machine: where; empty where nothing was measured.
        environment: likewise.
        anchors: samples by name, in seconds.
    """

    collected: tuple[str, ...] = ()
    records: dict[str, Record] = {}
    unfinished: str = ""
    machine: str = ""
    environment: Environment | None = None
    anchors: dict[str, tuple[float, ...]] = {}

    def add(self, later: Taken) -> None:
        """What another process noted afterwards."""
        self.collected = self.collected or later.collected
        self.records = self.records | later.records
        self.unfinished = later.unfinished
        self.machine = later.machine or self.machine
        self.environment = later.environment or self.environment
        self.anchors = later.anchors or self.anchors

    def give_up(self, test: str, outcome: Literal["crashed", "timed_out"], ended: Ended) -> None:
        """Say of a test how it ended that its process did not survive."""
        status = "" if ended.code is None else f" with status {ended.code}"
        detail = f"its process ended{status}: {ended.last_words}"
        job = Job(test, PYTEST)
        self.records[test] = Record(job=job, round=1, outcome=outcome, detail=detail)
        self.unfinished = ""


def ask(path: Path, tests: Sequence[str] | None) -> None:
    """Begin a file: which tests are wanted; None for all."""
    path.write_bytes(msgspec.json.encode({"tests": tests}) + b"\n")


def asked_for(path: str) -> frozenset[str] | None:
    """The tests that a file asks for; None for all."""
    first = Path(path).read_bytes().partition(b"\n")[0]
    tests: list[str] | None = msgspec.json.decode(first)["tests"]
    return None if tests is None else frozenset(tests)


def read_notes(path: Path) -> Taken:
    """What is there; a torn last line is left."""
    taken = Taken(records={})
    for raw in path.read_bytes().split(b"\n")[1:]:
        try:
            line = msgspec.json.decode(raw, type=_Line)
        except msgspec.MsgspecError:
            continue
        taken.collected = line.collected or taken.collected
        if line.started is not None:
            taken.unfinished = line.started
        if line.test is not None and line.record is not None:
            taken.records[line.test] = line.record
            taken.unfinished = ""
        taken.machine = line.machine or taken.machine
        taken.environment = line.environment or taken.environment
        taken.anchors = line.anchors or taken.anchors
    return taken
