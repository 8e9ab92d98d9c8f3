"""`gconvbench doctor` on this machine's processor, whatever state that is in."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from tests.functional.conftest import SMALL

if TYPE_CHECKING:
    from tests.functional.conftest import Command

QUICK = [
    "environment_variables", "torch_settings", "threads", "contention", "host_timer", "governor",
    "boost_and_smt",
]  # fmt: skip
FULL = [*QUICK, "host_linearity", "noise_floor", "profiler_aftermath"]
CPU = ("--device", "cpu")


def by_name(examination: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in examination["checks"]}


def documents(command: Command) -> list[dict[str, Any]]:
    paths = sorted(command.results.glob("runs/*/*.doctor.json"))
    return [json.loads(path.read_text()) for path in paths]


def verdict(examination: dict[str, Any]) -> str:
    """Worked out anew."""
    states = {check["state"] for check in examination["checks"]}
    if "unfit" in states:
        return "unfit"
    return "fit_with_advice" if "advice" in states else "fit"


def test_every_check_is_made_and_the_verdict_is_stored_printed_and_kept_by_runs(
    gconvbench: Command,
) -> None:
    done = gconvbench("doctor", *CPU, "--json")
    (stored,) = documents(gconvbench)
    assert json.loads(done.out) == stored
    examination = stored["examination"]
    assert [check["name"] for check in examination["checks"]] == FULL
    is_unfit = verdict(examination) == "unfit"
    assert done.code == (3 if is_unfit else 0), done.err
    for check in examination["checks"]:
        assert check["found"]
        assert bool(check["advice"]) == (check["state"] in {"advice", "unfit"})
        assert "the check itself failed" not in check["found"]
    checks = by_name(examination)
    for name in ("host_timer", "host_linearity", "noise_floor", "profiler_aftermath"):
        numbers = [v for v in checks[name]["figures"].values() if isinstance(v, float)]
        assert numbers
        assert all(number >= 0 for number in numbers)

    run = gconvbench("run", *SMALL, *CPU, "--implementation", "native", "--rounds", "1", "--json")
    header = run.lines[0]
    assert header["machine"] == stored["machine"]
    assert header["doctor"]["name"] == stored["name"]
    assert header["doctor"]["verdict"] == verdict(examination)
    quick = header["examination"]
    assert quick["scope"] == "quick"
    assert [check["name"] for check in quick["checks"]] == QUICK
    says_so = "unfit" in {verdict(quick), verdict(examination)}
    assert ("the instrument is not fit" in run.err) == says_so


def test_more_threads_than_cores_are_unfit_and_the_text_says_what_to_do(
    gconvbench: Command,
) -> None:
    cores = len(os.sched_getaffinity(0))
    done = gconvbench("doctor", *CPU, "--threads", str(cores + 1))
    assert done.code == 3, done.err
    lines = done.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("✗ threads"))
    assert f"{cores + 1} thread(s) on {cores} core(s)" in lines[at]
    assert "→ --threads" in lines[at + 1]
    assert lines[-1].startswith("stored in ")
    assert "the instrument is not fit: " in done.out
    assert max(map(len, lines[:-1])) <= 80


def test_a_run_on_an_unfit_instrument_runs_and_says_so(gconvbench: Command) -> None:
    threads = str(len(os.sched_getaffinity(0)) + 1)
    done = gconvbench(
        "run", *SMALL, *CPU, "--implementation", "native", "--rounds", "1", "--threads", threads
    )
    assert done.code == 0, done.err
    (line,) = [one for one in done.err.splitlines() if "not fit" in one]
    assert line.startswith("gconvbench: the instrument is not fit: threads")
    assert line.endswith("gconvbench doctor tells what to do")
    shown = " ".join(gconvbench("show").out.split())
    assert f"not fit when the run began: threads: {threads} thread(s) on" in shown
    page = gconvbench("report", "--format", "markdown").out
    assert f"threads: {threads} thread(s) on" in page


def test_a_device_that_is_not_there_or_none_is_wrong_use(gconvbench: Command) -> None:
    done = gconvbench("doctor", "--device", "tpu")
    assert (done.code, done.out) == (2, "")
    assert "device 'tpu' is not known" in done.err
    done = gconvbench("doctor", "--device", "cuda:7")
    assert (done.code, done.out) == (2, "")
    assert "'cuda:7'" in done.err
    assert not documents(gconvbench)


def test_a_device_in_use_is_refused(gconvbench: Command) -> None:
    import fcntl  # noqa: PLC0415 (only here)

    path = gconvbench.folder / "gconvbench-cpu.lock"
    with path.open("w") as lock:
        lock.write("12345\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = gconvbench("doctor", *CPU)
    assert done.code == 3
    assert "device 'cpu' is in use by another run (process 12345)" in done.err
    assert not documents(gconvbench)
