"""Rounds of workers, with workers that a test makes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from gconvbench.errors import NotMeasuredError
from gconvbench.protocol import Ready
from gconvbench.records import Dispatch, Environment, Job, KernelLine, Record
from gconvbench.runner import execute
from gconvbench.runner.connection import WorkerLostError
from gconvbench.store import RunWriter, load_run
from tests.fakes import make_header, make_plan, make_record

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.store import Run


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

    def kernels_seen(self, line: KernelLine) -> None:
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


class Looking(Worker):
    """A worker on a card, whose profiler sees a kernel of each job, or takes the worker along."""

    def __init__(self, asked: list[str], *, dies: bool = False) -> None:
        super().__init__()
        self._asked = asked
        self._dies = dies

    def measure(self, job: Job, number: int, *, timeout_s: float) -> Record:
        self._asked.append(f"measure {number}")
        return super().measure(job, number, timeout_s=timeout_s)

    def see_kernels(self, job: Job, number: int) -> KernelLine:
        self._asked.append(f"look {number}")
        if self._dies:
            message = "died of SIGSEGV"
            raise WorkerLostError(message)
        dispatch = Dispatch(kernels=("k",), counts={"k": number})
        return KernelLine(job=job, round=number, dispatch=dispatch)


def carried_out(
    monkeypatch: pytest.MonkeyPatch, results: Path, *, device: str, dies: bool = False
) -> tuple[Run, list[str]]:
    asked: list[str] = []
    worker: Any = Looking(asked, dies=dies)
    monkeypatch.setattr(
        sys.modules["gconvbench.runner.workers"], "WorkerProcess", lambda *_: worker
    )
    writer = RunWriter.create(results, make_header(make_plan(rounds=2), device=device))
    execute(load_run(writer.path), writer, Silent(), worker=worker, timeout_s=1.0)
    return load_run(writer.path), asked


def test_kernels_of_a_card_are_looked_at_once_when_all_of_a_round_is_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, asked = carried_out(monkeypatch, tmp_path, device="cuda")
    assert asked == ["measure 1"] * 2 + ["look 1"] * 2 + ["measure 2"] * 2
    assert run.is_complete
    assert run.unreadable == 0
    found = [(r.round, r.dispatch.counts) for r in run.records if r.dispatch]
    assert found == [(1, {"k": 1})] * 2


def test_on_the_cpu_nobody_looks_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, asked = carried_out(monkeypatch, tmp_path, device="cpu")
    assert asked == ["measure 1"] * 2 + ["measure 2"] * 2


def test_a_worker_that_dies_of_looking_costs_kernels_and_no_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, asked = carried_out(monkeypatch, tmp_path, device="cuda", dies=True)
    assert asked.count("look 1") == 1
    assert [record.outcome for record in run.records] == ["measured"] * 4
    assert run.is_complete
    assert '"detail":"the worker died of SIGSEGV"' in run.path.read_text()
