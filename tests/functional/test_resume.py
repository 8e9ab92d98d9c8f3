"""A sweep that is stopped midway, at any point and in any way, ends as the one that was not."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from gconvbench.store import load_run
from tests.functional.conftest import Command, children

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from gconvbench.records import Job

    Wait = Callable[[Callable[[], bool], subprocess.Popen[str]], None]

CASES = ("-a", "groups=1,2", "-a", "channels=4", "-a", "size=5,6", "--seed", "7")
SWEEP = ("check", *CASES, "--implementation", "native,pausing")
ROUNDS = ("--rounds", "2")
RECORD = b'{"kind":"record",'
POINTS = (1, 5, 11)
"""Stored records: after the first, in the middle of round 1 and of round 2. `pausing` is every
second job, so that a run is stopped at such a point or one record later."""


def jobs_in(path: Path) -> list[tuple[Job, int]]:
    """As they stand in the file, which `load_run` would rid of duplicates."""
    records = load_run(path).records
    assert path.read_bytes().count(RECORD) == len(records)
    return [(record.job, record.round) for record in records]


def start_and_pause(
    gconvbench: Command, wait_for: Wait, stored: int, *arguments: str
) -> subprocess.Popen[str]:
    """A run that has stored so many records, and cannot get further than one more."""
    (gconvbench.folder / "pause").write_text(f"{stored}")
    process = gconvbench.start(*arguments)

    def is_there() -> bool:
        return any(path.read_bytes().count(RECORD) >= stored for path in gconvbench.stored())

    wait_for(is_there, process)
    return process


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Job, int]]:
    """What the sweep leaves when nothing happens."""
    command = Command(tmp_path_factory.mktemp("uninterrupted"))
    assert command(*SWEEP, *ROUNDS).code == 0
    jobs = jobs_in(command.stored()[0])
    assert len(jobs) == len(set(jobs)) == 16
    return jobs


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_sweep_stopped_again_and_again_completes_to_the_same_plan(
    gconvbench: Command,
    wait_for: Wait,
    uninterrupted: list[tuple[Job, int]],
    number: signal.Signals,
    code: int,
) -> None:
    before = b""
    for stored in POINTS:
        arguments = ("run", "--resume", "latest") if before else (*SWEEP, *ROUNDS)
        process = start_and_pause(gconvbench, wait_for, stored, *arguments)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in err
        (path,) = gconvbench.stored()
        assert path.read_bytes().startswith(before)
        assert jobs_in(path) in (uninterrupted[:stored], uninterrupted[: stored + 1])
        before = path.read_bytes()
    (gconvbench.folder / "pause").unlink()
    assert gconvbench("run", "--resume", "latest").code == 0
    assert gconvbench.stored() == [path]
    assert path.read_bytes().startswith(before)
    assert jobs_in(path) == uninterrupted
    assert load_run(path).is_complete
    assert load_run(path).unreadable == 0


def test_a_worker_killed_from_outside_costs_one_record(gconvbench: Command, wait_for: Wait) -> None:
    process = start_and_pause(gconvbench, wait_for, 3, *SWEEP)
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    (gconvbench.folder / "pause").unlink()
    process.communicate(timeout=120)
    assert process.returncode == 5
    run = load_run(gconvbench.stored()[0])
    assert run.is_complete
    assert len(run.records) == 8
    (lost,) = [record for record in run.records if record.outcome != "checked"]
    assert lost.outcome == "crashed"
    assert lost.detail.startswith("the worker was killed (SIGKILL)")
