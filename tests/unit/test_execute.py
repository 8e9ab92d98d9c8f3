"""Rounds of workers, with workers that a test makes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from gconvbench.errors import NotMeasuredError
from gconvbench.protocol import Ready
from gconvbench.records import Environment, Job, Record
from gconvbench.runner import execute
from gconvbench.store import RunWriter, load_run
from tests.fakes import make_header, make_plan, make_record

if TYPE_CHECKING:
    from pathlib import Path


class Worker:
    """Measures at once."""

    def __init__(self) -> None:
        nothing = Environment(identity={}, under_test={}, soft={})
        self.ready = Ready(nothing, "box-cpu", ())

    def measure(self, job: Job, number: int, *, timeout_s: float) -> Record:
        return make_record(job.implementation, case=job.case, number=number)

    def close(self, *, kill: bool = False) -> None:
        """Nothing to end."""


class Silent:
    """Watches."""

    def job_started(self, job: Job, number: int) -> None:
        """Nothing."""

    def job_done(self, record: Record) -> None:
        """Nothing."""


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_a_worker_that_dies_while_it_starts_gets_a_second_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deaths: int
) -> None:
    left = [NotMeasuredError("the worker died while starting")] * deaths

    def start(*_: object) -> Any:
        if left:
            raise left.pop()
        return Worker()

    monkeypatch.setattr(sys.modules["gconvbench.runner.workers"], "WorkerProcess", start)
    writer = RunWriter.create(tmp_path, make_header(make_plan(rounds=2)))
    first: Any = Worker()

    def carry_out() -> None:
        execute(load_run(writer.path), writer, Silent(), worker=first, timeout_s=1.0)

    if deaths == 2:
        with pytest.raises(NotMeasuredError):
            carry_out()
    else:
        carry_out()
    run = load_run(writer.path)
    assert len(run.records) == (2 if deaths == 2 else 4)
    assert run.is_complete == (deaths < 2)
