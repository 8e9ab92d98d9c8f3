"""Which of PyTorch's operators a launch runs."""

from __future__ import annotations

import sys

import pytest
import torch
from torch.nn.functional import conv2d

from gconvbench.cases import Case
from gconvbench.device import set_switches
from gconvbench.implementations import load_table
from gconvbench.operands import normal_operands
from gconvbench.operators import operators_of
from gconvbench.records import operators_text
from gconvbench.settings import preserved_settings


def nothing() -> None:
    """What there is to wait for on the CPU."""


def operators(implementation: str, direction: str = "fprop") -> tuple[str, ...]:
    case = Case(groups=2, in_channels=8, out_channels=8, height=6, width=6, direction=direction)
    operands = normal_operands(case, seed=0, device="cpu")
    return operators_of(
        load_table().implementations[implementation].launch(case, operands), nothing
    )


def test_each_operator_is_named_once_in_the_order_of_its_first_use() -> None:
    x = torch.ones(2)
    found = operators_of(lambda: (x + x, x * x, x + x), nothing)
    assert found == ("aten::add", "aten::mul")


def test_implementations_and_directions_run_different_ones() -> None:
    native, split = operators("native"), operators("split_concat")
    assert "aten::cat" in set(split) - set(native)
    assert "aten::convolution_backward" in operators("native", "dgrad")
    assert "aten::convolution_backward" not in native


def test_what_an_operator_is_dispatched_to_shows() -> None:
    x, weight = torch.ones(4, 32, 28, 28), torch.ones(32, 32, 3, 3)
    seen = []
    for enabled in (True, False):
        with preserved_settings("cpu"):
            set_switches({"onednn_enabled": enabled})
            seen.append(operators_of(lambda: conv2d(x, weight), nothing))
    assert "aten::mkldnn_convolution no longer" in operators_text(*seen)


def test_without_the_profiler_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.autograd.profiler_legacy", None)
    assert operators_of(nothing, nothing) == ()


def test_somebody_elses_profiler_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    activities = [torch.profiler.ProfilerActivity.CPU]
    x = torch.ones(2)
    with torch.profiler.profile(activities=activities) as theirs:
        assert operators_of(lambda: x + x, nothing) == ()
        x.mul(x)
    capfd.readouterr()  # it prints
    assert "aten::mul" in {event.name for event in theirs.events() or ()}


def test_what_a_launch_raises_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        operators_of(lambda: 1 / 0, nothing)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (["a", "b"], ["b", "c"], "a no longer, c now"),
        (["a", "b"], ["b", "a"], ""),
        (["aten::view", "a"], ["aten::slice", "b"],
         "a no longer, b now, aten::view no longer, aten::slice now"),
        ([], ["a"], ""),
        (["a"], [], ""),
        (["a"], list("abcdefghi"), "b now, c now, d now, e now, f now, g now, and 2 more"),
    ],
)  # fmt: skip
def test_a_difference_is_named_where_both_are_known(
    before: list[str], after: list[str], text: str
) -> None:
    assert operators_text(before, after) == text
