"""Modes in real processes: who measures what, and that the setting was really on."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.planning import make_method, modes_of
from gconvbench.records import Plan, PlannedCase
from gconvbench.runner import run_apart
from gconvbench.store import load_run
from tests.functional.conftest import SMALL, WITHOUT_PLUGIN, children

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import Job, KernelLine, Record
    from tests.functional.conftest import Command

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch is built without oneDNN"
)

CASE = "g2mb1ic4ih6iw6oc4kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:fprop"
WAYS = ("native", "native_without_onednn", "split_concat")


class Looking:
    """Notes which of this process's children live when a record arrives."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str, frozenset[int]]] = []

    def job_started(self, job: Job, number: int) -> None:
        """Nothing to see."""

    def kernels_seen(self, line: KernelLine) -> None:
        """Nothing to see."""

    def job_done(self, record: Record) -> None:
        living = frozenset(children(os.getpid()))
        self.seen.append((record.round, record.job.implementation, living))


def test_each_mode_is_measured_in_processes_of_its_own_that_have_it(tmp_path: Path) -> None:
    observer, before = Looking(), frozenset(children(os.getpid()))

    def plan_of(known: Any) -> Plan:
        return Plan(
            cases=(PlannedCase(CASE),), implementations=WAYS, rounds=2, modes=modes_of(WAYS, known)
        )

    method = make_method("cpu", target=0.5)
    run = run_apart("cpu", method, plan_of, tmp_path, timeout_s=60.0, observer=observer)

    assert len(run.records) == 6
    assert {record.outcome for record in run.records} == {"measured"}
    workers: dict[tuple[int, bool], set[int]] = {}
    for number, name, living in observer.seen:
        (worker,) = living - before
        workers.setdefault((number, name == "native_without_onednn"), set()).add(worker)
    assert all(len(pids) == 1 for pids in workers.values())
    assert len(set.union(*workers.values())) == len(workers) == 4
    assert run.header.plan.modes == {"native_without_onednn": {"onednn_enabled": False}}
    assert run.header.environment.identity["onednn_enabled"] is True
    for record in run.records:
        assert record.dispatch is not None
        uses_onednn = "aten::mkldnn_convolution" in record.dispatch.operators
        if record.job.implementation in WAYS[:2]:  # a small dense layer is not oneDNN's anyway
            assert uses_onednn == (record.job.implementation == "native")
            assert bool(record.dispatch.kernels) == uses_onednn


def test_a_run_with_a_mode_is_listed_carried_out_and_shown(gconvbench: Command) -> None:
    asked = (*SMALL, "--implementation", "native,native_without_onednn,native_benchmark")
    listed = gconvbench("list", *asked, "--rounds", "2", **WITHOUT_PLUGIN)
    assert "runs: native, native_without_onednn\n" in listed.out
    assert "native_benchmark: cudnn_benchmark is a setting of CUDA devices" in listed.out

    done = gconvbench("run", *asked, "--rounds", "2", "--aa", "native_without_onednn",
                      "--target", "0.5", **WITHOUT_PLUGIN)  # fmt: skip
    assert done.code == 0, done.err
    assert re.search(r"native_without_onednn +\d", done.out)
    assert "jobs: 2 measured, 1 unsupported" in done.out
    assert len(load_run(gconvbench.stored()[0]).records) == 1 + 2 * 3  # a twin beside the two


def test_a_check_and_a_budget_reach_a_mode_s_own_worker(gconvbench: Command) -> None:
    checked = gconvbench(
        "check", *SMALL, "--implementation", "native_without_onednn", "--json", **WITHOUT_PLUGIN
    )
    assert {one["outcome"] for one in checked.records()} == {"checked"}
    done = gconvbench(
        "run", *SMALL, "--implementation", "native,native_without_onednn", "--budget", "60",
        "--target", "0.5", "--json", **WITHOUT_PLUGIN,
    )  # fmt: skip
    assert {one["job"]["implementation"] for one in done.records()} == {*WAYS[:2]}
    assert {one["outcome"] for one in done.records()} == {"measured"}
    assert {one["round"] for one in done.records()} >= {1, 2, 3}
