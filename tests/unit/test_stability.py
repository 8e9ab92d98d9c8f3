"""Whether fresh processes agree, by records of theirs."""

from __future__ import annotations

import pytest

from gconvbench.records import Dispatch, Job, Record
from gconvbench.runner.stability import stability_of
from tests.fakes import make_record

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
