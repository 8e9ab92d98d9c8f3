"""Whether fresh processes agree, by records of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pytest

from gconvbench.planning import make_method
from gconvbench.records import Dispatch, Job, KernelLine, Record
from gconvbench.runner import WorkerLostError, stability
from gconvbench.runner.stability import stability_of
from tests.fakes import make_record

if TYPE_CHECKING:
    from gconvbench.runner.side import Side

JOB = Job("g2mb1ic4ih6iw6oc4kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:fprop", "native")


def process(time_s: float, *kernels: str) -> dict[Job, Record]:
    return {JOB: make_record(case=JOB.case, time_s=time_s, dispatch=Dispatch(kernels=kernels))}


STEADY = [process(1e-3, "winograd"), process(1.01e-3, "winograd")]


def test_processes_that_agree_are_fine() -> None:
    found = stability_of({"off": STEADY, "on": STEADY})
    assert (found.state, found.advice) == ("fine", "")
    assert found.found == (
        "cudnn.benchmark off: 2 processes within 1 %; cudnn.benchmark on: 2 processes within 1 %"
    )
    assert found.figures["off_spread"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("other", "off", "on", "said"),
    [
        (process(1.05e-3, "winograd"), "advice", "advice", "within 5 %"),
        (process(1.2e-3, "winograd"), "unfit", "advice", "within 20 %"),
        (process(1e-3, "gemm"), "unfit", "advice", "kernels winograd no longer, gemm now"),
        (
            {
                JOB: make_record(
                    case=JOB.case, outcome="crashed", detail="the worker died of SIGSEGV"
                )
            },
            "unfit",
            "advice",
            "crashed: the worker died of SIGSEGV",
        ),
    ],
    ids=["a little slower", "much slower", "other kernels", "crashed"],
)
def test_processes_that_do_not_agree_are_worse_with_the_switch_off(
    other: dict[Job, Record], off: str, on: str, said: str
) -> None:
    apart = [process(1e-3, "winograd"), other]
    for switch, state in (("off", off), ("on", on)):
        found = stability_of({"off": STEADY, "on": STEADY} | {switch: apart})
        assert found.state == state
        assert found.advice
        assert said in found.found
        assert found.figures["off_processes"] == 2


def test_times_alone_are_said_to_be_times_alone() -> None:
    apart = [process(1e-3), process(1e-3)]
    found = stability_of({"off": apart})
    assert (found.state, found.found) == (
        "fine",
        "cudnn.benchmark off: 2 processes within 0 % (their kernels were not seen)",
    )


class ScriptedWorker:
    """One that measures, sees kernels, and may be lost with either."""

    lost_when = ""

    def __init__(self, device: str, method: object, side: Side) -> None:
        self.side = side

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def measure(self, job: Job, number: int, *, timeout_s: float) -> Record:
        if self.lost_when == "measuring":
            raise WorkerLostError("died of SIGSEGV")  # noqa: EM101, TRY003
        return make_record(case=job.case, time_s=1e-3)

    def see_kernels(self, job: Job, number: int) -> KernelLine:
        if self.lost_when == "looking":
            raise WorkerLostError("died of SIGSEGV")  # noqa: EM101, TRY003
        chosen = "autotuned" if self.side.switches["cudnn_benchmark"] else "heuristic"
        return KernelLine(job=job, round=number, dispatch=Dispatch(kernels=(chosen,)))


@pytest.mark.parametrize(
    ("lost_when", "state", "said"),
    [
        ("", "fine", "2 processes within 0 %; cudnn.benchmark on: 2 processes within 0 %"),
        ("looking", "fine", "(their kernels were not seen)"),
        ("measuring", "unfit", "crashed: the worker died of SIGSEGV"),
    ],
)
def test_each_process_has_the_switch_for_its_whole_life_and_looks_at_kernels_last(
    monkeypatch: pytest.MonkeyPatch, lost_when: str, state: str, said: str
) -> None:
    monkeypatch.setattr(ScriptedWorker, "lost_when", lost_when)
    monkeypatch.setattr(stability, "WorkerProcess", ScriptedWorker)
    found = stability.algorithm_stability("cuda", make_method("cuda"))
    assert found.state == state
    assert said in found.found
