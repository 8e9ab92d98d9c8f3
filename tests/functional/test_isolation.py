"""Crashes, hangs, want of memory and interruptions cost one record, and nothing stored is lost."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gconvbench.records import SCHEMA
from gconvbench.store import load_run
from tests.functional.conftest import ROOT, SMALL, WITHOUT_PLUGIN, Outcome, children

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functional.conftest import Command

    Wait = Callable[[Callable[[], bool], subprocess.Popen[str]], None]


ENDINGS = {
    "segfaulting": ("crashed", "the worker died of SIGSEGV"),
    "hungry": ("out_of_memory", "can't allocate memory"),
    "raising": ("failed", "ValueError: the cat sat on the kernel"),
    "wrong": ("wrong", "output has error 0.0"),
    "wrong_shape": ("wrong", "output has shape (1, 4, 5, 6) instead of (1, 4, 6, 6)"),
    "wrong_dtype": ("wrong", "output has dtype torch.float64 instead of torch.float32"),
    "wrong_device": ("wrong", "output is on meta instead of cpu"),
    "no_tuple": ("wrong", "returns Tensor instead of a tuple of tensors"),
    "changing_input": ("wrong", "changes its input x"),
    "hanging": ("timed_out", "the worker took longer than 3 s"),
    "hanging_when_asked": ("timed_out", "the worker took longer than 3 s"),
    "leaving_when_asked": ("crashed", "the worker exited with status 3"),
    "garbling": ("crashed", "the worker gave an answer that is none"),
    "aborting": ("crashed", "the worker died of SIGABRT"),
    "killed": ("crashed", "the worker was killed (SIGKILL), often by the system for want of"),
    "signalled": ("crashed", "the worker died of signal 35"),
    "closing": ("crashed", "the worker exited with status "),
    "answering": ("crashed", "the worker gave an answer to something else"),
    "breeding": ("timed_out", "the worker took longer than 3 s"),
    "orphaning": ("crashed", "the worker exited with status 4"),
    "stale": ("wrong", "after timing, output is the same for other operands"),
}
"""Of each implementation that fails: how it ends, and what its record says."""


def test_each_failure_costs_one_record_and_the_sweep_goes_on(gconvbench: Command) -> None:
    right = ("native", "forking", "split_concat")
    names = ",".join([*right, *ENDINGS])
    outcome = gconvbench(
        "run", *SMALL, "--implementation", names, "--rounds", "2", "--timeout", "3", "--json"
    )
    by_name: dict[str, list[dict[str, Any]]] = {}
    for record in outcome.records():
        by_name.setdefault(record["job"]["implementation"], []).append(record)
    for name in right:
        assert [r["outcome"] for r in by_name.pop(name)] == ["measured", "measured"]
    assert {name: [r["outcome"] for r in found] for name, found in by_name.items()} == {
        name: [ending] for name, (ending, _) in ENDINGS.items()
    }
    for name, (_, words) in ENDINGS.items():
        (record,) = by_name[name]
        assert words in record["detail"], name
        assert "\n" not in record["detail"]
        assert not record["timings"]
    assert outcome.code == 6
    assert load_run(gconvbench.stored()[0]).is_complete
    assert nothing_is_left_of(gconvbench)


@pytest.mark.parametrize(
    ("name", "code"), [("raising", 5), ("segfaulting", 5), ("wrong", 6), ("native", 0)]
)
def test_the_exit_code_tells_the_kind(gconvbench: Command, name: str, code: int) -> None:
    outcome = gconvbench("run", *SMALL, "--implementation", name, "--check-only")
    assert outcome.code == code
    assert "Traceback" not in outcome.err


def test_one_that_crashes_while_it_is_loaded_is_named(gconvbench: Command, tmp_path: Path) -> None:
    """Nothing can be measured beside it, so one must know what to uninstall."""
    info = tmp_path / "bad_luck-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-luck\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gconvbench.implementations]\nunlucky = bad_luck:It\n")
    (tmp_path / "bad_luck.py").write_text("import os\nos._exit(3)\n")
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    outcome = gconvbench("run", *SMALL, "--implementation", "native", PYTHONPATH=path)
    assert outcome.code == 5
    assert outcome.err.strip() == (
        "gconvbench: the worker exited with status 3 while starting: "
        "it was loading implementation 'unlucky' of bad-luck"
    )


def test_a_job_too_large_for_the_worker_s_memory_costs_its_records_alone(
    gconvbench: Command,
) -> None:
    """Under a real limit, which is what the process needs anyway and half a GiB for the jobs."""
    limit = peak_bytes_of_an_idle_worker() + (512 << 20)
    done = subprocess.run(
        gconvbench.line(
            "run", "-a", "groups=2", "-a", "channels=64", "-a", "size=8,512", "--json",
            "--implementation", "native,split_concat", "--rounds", "1", "--device", "cpu",
        ),
        cwd=gconvbench.folder,
        env=gconvbench.environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    records = Outcome(done.returncode, done.stdout, done.stderr).records()
    outcomes = {("ih512" in r["job"]["case"], r["outcome"]) for r in records}
    assert outcomes == {(False, "measured"), (True, "out_of_memory")}
    assert len(records) == 4
    for record in records:  # the limit's doing, not lack of memory that was foreseen
        assert "are free" not in record.get("detail", "")
    assert done.returncode == 5
    assert load_run(gconvbench.stored()[0]).is_complete


def peak_bytes_of_an_idle_worker() -> int:
    """In address space, which differs widely between builds of PyTorch."""
    code = "import gconvbench.worker; print(open('/proc/self/status').read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("VmPeak:")]
    return int(line.split()[1]) << 10


def test_every_round_has_one_worker_and_so_one_import_of_torch(
    gconvbench: Command, tmp_path: Path
) -> None:
    imports = tmp_path / "imports.txt"
    gconvbench(
        "check", *SMALL, "-a", "groups=1,2", "--implementation", "native,split_concat,chatty",
        "--rounds", "2", GCONVBENCH_TEST_IMPORTS=str(imports),
    )  # fmt: skip
    assert len(load_run(gconvbench.stored()[0]).records) == 12
    workers = imports.read_text().split()
    assert len(workers) == len(set(workers)) == 2


def interrupted(gconvbench: Command, wait_for: Wait, number: int) -> subprocess.Popen[str]:
    """A run stopped by a signal in the middle of a job that never ends."""
    process = gconvbench.start(
        "run", "-a", "groups=1,2", "-a", "channels=4", "-a", "size=6", "--rounds", "1",
        "--implementation", "native,hanging", "--timeout", "600",
    )  # fmt: skip

    def something_is_stored() -> bool:
        return bool(gconvbench.stored()) and bool(children(process.pid))

    wait_for(something_is_stored, process)
    process.send_signal(number)
    process.wait(60)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_interrupted_before_its_first_job_ends_with_the_same_code(
    gconvbench: Command, wait_for: Wait, number: signal.Signals, code: int
) -> None:
    process = gconvbench.start("check", *SMALL, "--implementation", "hanging")
    wait_for(lambda: bool(children(process.pid)), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert not gconvbench.stored()


def test_a_line_that_an_interruption_tore_is_measured_again(
    gconvbench: Command, wait_for: Wait
) -> None:
    interrupted(gconvbench, wait_for, signal.SIGKILL).communicate()
    (path,) = gconvbench.stored()
    before = load_run(path)
    assert before.footer is None
    with path.open("ab") as file:
        file.write(b'{"kind":"record","job":{"ca')
    outcome = gconvbench("run", "--resume", "latest", "--timeout", "2", "--json")
    assert outcome.code == 5
    after = load_run(path)
    assert after.is_complete
    assert after.unreadable == 1
    assert after.records[: len(before.records)] == before.records
    jobs = [(r.job.case[:2], r.job.implementation) for r in after.records]
    assert sorted(jobs) == [(g, n) for g in ("g1", "g2") for n in ("hanging", "native")]


def test_a_killed_runner_leaves_no_worker_behind(gconvbench: Command, wait_for: Wait) -> None:
    process = gconvbench.start("run", *SMALL, "--implementation", "hanging", "--timeout", "600")
    wait_for(lambda: bool(gconvbench.stored()) and bool(children(process.pid)), process)
    (worker,) = children(process.pid)
    process.kill()
    process.communicate()
    assert nothing_is_left_of(gconvbench)
    assert not Path(f"/proc/{worker}/exe").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_runner_leaves_no_child_of_the_worker_behind(
    gconvbench: Command, wait_for: Wait, number: signal.Signals
) -> None:
    process = gconvbench.start("check", *SMALL, "--implementation", "breeding")
    wait_for(lambda: len(processes_of(gconvbench)) == 3, process)  # runner, worker, its child
    process.send_signal(number)
    process.communicate(timeout=60)
    assert nothing_is_left_of(gconvbench)


def processes_of(gconvbench: Command) -> list[int]:
    """All that live and were started in the test's folder, whoever their parents are now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # ended since, a zombie, or another user's
            if path.readlink() == gconvbench.folder:
                found.append(int(path.parent.name))
    return found


def nothing_is_left_of(gconvbench: Command) -> bool:
    """What was killed takes a moment to end."""
    for _ in range(200):
        if not processes_of(gconvbench):
            return True
        time.sleep(0.05)
    return False


def test_a_complete_run_has_nothing_to_resume(gconvbench: Command) -> None:
    gconvbench("run", *SMALL, "--implementation", "native", "--check-only")
    (path,) = gconvbench.stored()
    before = path.read_bytes()
    outcome = gconvbench("run", "--resume", "latest")
    assert outcome.code == 0
    assert "nothing is left to resume" in outcome.err
    assert path.read_bytes() == before


def test_a_run_is_not_resumed_in_another_environment(gconvbench: Command, wait_for: Wait) -> None:
    interrupted(gconvbench, wait_for, signal.SIGTERM).communicate()
    before = gconvbench.stored()[0].read_bytes()
    outcome = gconvbench("run", "--resume", "latest", NVIDIA_TF32_OVERRIDE="0")
    assert outcome.code == 4
    assert (
        "identity field 'NVIDIA_TF32_OVERRIDE' is '0' now, the run began with 'unset'"
        in outcome.err
    )
    assert gconvbench.stored()[0].read_bytes() == before


def test_a_run_is_not_resumed_without_an_implementation_of_its_plan(
    gconvbench: Command, wait_for: Wait
) -> None:
    interrupted(gconvbench, wait_for, signal.SIGTERM).communicate()
    before = gconvbench.stored()[0].read_bytes()
    outcome = gconvbench("run", "--resume", "latest", **WITHOUT_PLUGIN)
    assert outcome.code == 4
    assert "implementation 'hanging' of its plan is not installed now" in outcome.err
    assert gconvbench.stored()[0].read_bytes() == before


def test_a_run_of_an_older_schema_is_shown_and_not_resumed(
    gconvbench: Command, wait_for: Wait
) -> None:
    interrupted(gconvbench, wait_for, signal.SIGTERM).communicate()
    (path,) = gconvbench.stored()
    path.write_text(path.read_text("utf-8").replace(f'"schema":{SCHEMA}', '"schema":1'), "utf-8")
    before = path.read_bytes()
    outcome = gconvbench("run", "--resume", "latest")
    assert outcome.code == 4
    assert f"it has schema 1, this version writes {SCHEMA}; start a new run" in outcome.err
    assert path.read_bytes() == before
