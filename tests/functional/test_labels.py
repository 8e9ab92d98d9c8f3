"""Labels and the noise floor, provoked on purpose in real processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.conftest import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import Command

_BUSY = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True)\nwhile 1: 0"


@contextmanager
def busy_neighbour(core: int) -> Iterator[None]:
    """A process that never leaves the core."""
    with subprocess.Popen(
        [sys.executable, "-c", _BUSY, str(core)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def test_a_busy_neighbour_on_the_same_core_is_said(gconvbench: Command) -> None:
    core = max(os.sched_getaffinity(0))
    with busy_neighbour(core):
        done = gconvbench(
            "run", *SMALL, "--implementation", "native", "--rounds", "2", "--pin", str(core),
            "--json",
        )  # fmt: skip
    assert done.code == 0, done.err
    assert done.lines[0]["method"]["cores"] == [core]
    for record in done.records():
        (timing,) = record["timings"]
        assert "contended" in timing["labels"]
        assert timing["telemetry"]["waited_s"] > 0.05 * timing["telemetry"]["wall_s"]
    shown = gconvbench("show")
    assert "contended: others used the cores meanwhile" in shown.out
    assert "[1/2," in done.err
    assert "contended" in done.err


def test_pinned_to_a_core_the_worker_stays_there(gconvbench: Command) -> None:
    core = min(os.sched_getaffinity(0))
    done = gconvbench("check", *SMALL, "--implementation", "telling_its_cores", "--json")
    (record,) = done.records()
    assert record["detail"] == f"ValueError: {sorted(os.sched_getaffinity(0))}"
    done = gconvbench(
        "run", *SMALL, "--implementation", "telling_its_cores", "--pin", str(core), "--json"
    )
    (record,) = done.records()
    assert record["detail"] == f"ValueError: {[core]}"


def test_jobs_measured_twice_tell_the_noise_floor(gconvbench: Command) -> None:
    done = gconvbench(
        "run", "-a", "groups=1,2", "-a", "channels=4", "-a", "size=6", "--rounds", "2",
        "--implementation", "native,split_concat", "--aa", "native", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err

    def name(record: dict[str, Any]) -> tuple[str, str, int, int]:
        job = record["job"]
        return job["case"][:2], job["implementation"], job.get("twin", 0), record["round"]

    assert sorted(map(name, done.records())) == sorted(
        (case, implementation, twin, number)
        for case in ("g1", "g2")
        for implementation, twin in (("native", 0), ("native", 1), ("split_concat", 0))
        for number in (1, 2)
    )
    shown = gconvbench("show").out
    assert "noise floor: the same job measured twice in each round (A/A)" in shown
    counts = re.findall(
        r"^  (?:under 100 µs|100 µs to 10 ms|over 10 ms) +(\d+) +[±×]", shown, re.MULTILINE
    )
    assert sum(map(int, counts)) == 2
    assert "jobs: 4 measured" in shown


def test_a_twin_of_what_is_not_measured_is_refused(gconvbench: Command) -> None:
    done = gconvbench("run", *SMALL, "--implementation", "native", "--aa", "split_concat")
    assert done.code == 2
    assert "--aa 'split_concat' names nothing that is measured; measured: native" in done.err


@pytest.mark.parametrize("option", ["--budget=5m", "--aa=native"])
def test_what_is_about_times_is_refused_without_them(gconvbench: Command, option: str) -> None:
    done = gconvbench("run", *SMALL, "--check-only", option)
    assert done.code == 2
    assert "is about times; leave it out, or --check-only" in done.err


def test_a_budget_is_spent_and_what_it_did_not_reach_is_named(gconvbench: Command) -> None:
    """A tenth of a second is over before a worker has started."""
    done = gconvbench("run", *SMALL, "--budget", "0.1s", "--implementation", "native", "--json")
    assert done.code == 5
    (record,) = done.records()
    assert record["outcome"] == "not_reached"
    assert record["detail"] == "the budget of 0.1 s was spent before its turn"
    assert done.lines[0]["method"]["budget_s"] == 0.1
    assert done.lines[0]["method"]["max_time_s"] == 0.02


def test_with_a_budget_rounds_go_on_to_the_target(gconvbench: Command) -> None:
    done = gconvbench(
        "run", *SMALL, "--budget", "1h", "--target", "99%", "--implementation", "native", "--json"
    )
    assert done.code == 0, done.err
    assert len(done.records()) >= 3
    assert "of the budget left] round 1 native" in done.err
    shown = gconvbench("show").out
    assert "3 round(s) within 1 h 00 min" in " ".join(shown.split())
