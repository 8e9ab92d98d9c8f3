"""Whether float32 is computed as asked for is seen by the results, not by switches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.examining import checks_of, precision
from gconvbench.examining.precision import math_modes, math_modes_of
from gconvbench.examining.subject import Subject
from gconvbench.implementations.native import Native
from gconvbench.planning import make_method

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

CPU = Subject("cpu", make_method("cpu"))


class Computing(Native):
    """Rounds its operands to so many significand bits, by the math mode that a case asks for."""

    def __init__(self, **bits: int) -> None:
        self._bits = bits

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        bits = self._bits[case.math_mode]
        return super().forward(case, _rounded(x, bits), _rounded(weight, bits), bias)


class Nothing(Native):
    """Returns another shape."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias)[:, :1]


def _rounded(tensor: Tensor, bits: int) -> Tensor:
    mantissa, exponent = torch.frexp(tensor)
    return torch.ldexp((mantissa * 2**bits).round(), exponent - bits)


@pytest.fixture
def with_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device says that it has TF32."""
    monkeypatch.setattr(precision, "why_device_lacks", lambda *_: None)


@pytest.mark.usefixtures("with_tf32")
@pytest.mark.parametrize(
    ("bits", "state", "said"),
    [
        ({"ieee": 24, "tf32": 11}, "fine", "ieee asked for, ieee computed, tf32 asked for, tf32"),
        ({"ieee": 24, "tf32": 24}, "advice", "tf32 asked for, ieee computed"),
        ({"ieee": 11, "tf32": 11}, "unfit", "ieee asked for, tf32 computed"),
        ({"ieee": 8, "tf32": 11}, "unfit", "ieee asked for, half precision computed"),
        ({"ieee": 24, "tf32": 8}, "unfit", "tf32 asked for, half precision computed"),
    ],
)
def test_the_arithmetic_is_told_by_the_error(bits: Any, state: str, said: str) -> None:
    found = math_modes(CPU, Computing(**bits))
    assert found.state == state, found.found
    assert said in found.found
    if state == "unfit":
        assert "NVIDIA_TF32_OVERRIDE" in found.advice
        assert "torch.backends.cudnn.allow_tf32" in found.advice
    elif state == "advice":
        assert "NVIDIA_TF32_OVERRIDE=0" in found.advice


def test_a_mode_that_the_device_lacks_is_not_asked_for() -> None:
    found = math_modes(CPU)
    assert (found.state, found.figures) == ("fine", {"ieee": "ieee"})


def test_what_is_no_result_is_unfit() -> None:
    found = math_modes(CPU, Nothing())
    assert (found.state, found.figures) == ("unfit", {"ieee": "none"})
    assert "ieee asked for, the result is wrong" in found.found


@pytest.mark.usefixtures("with_tf32")
def test_each_mode_is_set_before_it_is_looked_at_and_ieee_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(precision, "set_math_mode", lambda mode, _: asked.append(mode))
    math_modes(CPU, Computing(ieee=24, tf32=11))
    assert asked == ["ieee", "tf32", "ieee"]


def test_less_than_was_asked_for_weighs_more_than_more() -> None:
    assert math_modes_of({"ieee": "tf32", "tf32": "ieee"}).state == "unfit"


def test_a_full_examination_of_a_card_has_it_a_quick_one_has_not() -> None:
    method = make_method("cuda")
    assert math_modes in checks_of(Subject("cuda", method, "full"))
    assert math_modes not in checks_of(Subject("cuda", method, "quick"))
