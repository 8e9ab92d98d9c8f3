"""Which arithmetic an error bears witness of, seen by rounding operands as such arithmetic does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, prove
from gconvbench.accuracy.limit import asked_precision, precision_seen, result_limit
from gconvbench.cases import DTYPES, OPERATIONS, Case, reduction_length
from gconvbench.implementations.native import Native

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.implementations import Operands

TF32_BITS, HALF_BITS = 11, 8
"""Significand bits, the leading one included."""
SHAPES: dict[str, dict[str, Any]] = {  # the reduction lengths that follow are L of the output
    "L=1": {"groups": 8, "in_channels": 8, "out_channels": 16, "kernel_size": (1, 1)},
    "L=9": {"groups": 8, "in_channels": 8, "out_channels": 8, "padding": (1, 1)},
    "L=64": {"groups": 1, "kernel_size": (1, 1)},
    "L=288": {"groups": 2, "out_channels": 16, "padding": (1, 1)},
    "L=4608": {"groups": 1, "in_channels": 512, "out_channels": 8, "padding": (1, 1)},
}


def case_of(shape: str, **changes: Any) -> Case:
    """The output's L is in the name; that of the weight's gradient is 2 * 9 * 9."""
    base: dict[str, Any] = {"batch": 2, "height": 9, "width": 9, "direction": "training"}
    return Case(**(base | SHAPES[shape] | changes))


def rounded(tensor: Tensor, bits: int) -> Tensor:
    """To the nearest number of so many significand bits, as a tensor core reads its operands."""
    mantissa, exponent = torch.frexp(tensor)
    return torch.ldexp(torch.round(mantissa * 2**bits) / 2**bits, exponent)


class Rounding(Native):
    """Native on operands rounded to fewer bits."""

    name = "rounding"

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def prepare(self, case: Case, operands: Operands) -> Operands:
        return operands.mapped(lambda tensor: rounded(tensor, self._bits))


def test_the_emulation_rounds_to_so_many_bits() -> None:
    one = torch.tensor([1 + 2**-10, 1 + 2**-11 + 2**-20, 3.0, -(1 + 2**-9)])
    assert torch.equal(
        rounded(one, TF32_BITS), torch.tensor([1 + 2**-10, 1 + 2**-10, 3, -1 - 2**-9])
    )
    assert torch.equal(rounded(one, HALF_BITS), one.bfloat16().float())
    assert torch.equal(rounded(one, 24), one)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("bits", "precision"), [(24, "ieee"), (TF32_BITS, "tf32"), (HALF_BITS, "half"), (4, "none")]
)
def test_the_precision_of_each_result_is_named(shape: str, bits: int, precision: str) -> None:
    accuracy = prove(Rounding(bits), Proof.of(case_of(shape), device="cpu", seed=0))
    assert {tensor.tensor: tensor.precision for tensor in accuracy.tensors} == dict.fromkeys(
        ("output", "grad_input", "grad_weight"), precision
    )
    if precision == "ieee":
        assert not accuracy.faults
    elif precision == "none":
        assert "precision" not in accuracy.faults[0]
    else:
        told = f": the precision of {precision}, where ieee was asked for"
        assert all(fault.endswith(told) for fault in accuracy.faults[:3])


@pytest.mark.parametrize(("bits", "precision"), [(TF32_BITS, "tf32"), (HALF_BITS, "half")])
def test_coarse_operands_are_seen_through_a_sum_of_twenty_thousand(
    bits: int, precision: str
) -> None:
    case = Case(groups=2, batch=8, in_channels=4, out_channels=4, height=50, width=50,
                padding=(1, 1), direction="wgrad")  # fmt: skip
    (weight,) = prove(Rounding(bits), Proof.of(case, device="cpu", seed=0)).tensors
    assert weight.reduction_length == 20_000
    assert weight.precision == precision


@pytest.mark.parametrize("operation", OPERATIONS)
def test_coarse_operands_are_seen_through_the_layers_behind_a_shuffle(operation: str) -> None:
    case = case_of("L=288", operation=operation, height=5, width=5)
    proof = Proof.of(case, device="cpu", seed=0)
    for bits, precision in ((24, "ieee"), (TF32_BITS, "tf32"), (HALF_BITS, "half")):
        seen = {tensor.precision for tensor in prove(Rounding(bits), proof).tensors}
        assert seen == {precision}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_results_stored_in_half_precision_show_nothing_better(dtype: str) -> None:
    case = case_of("L=9", dtype=dtype)
    accuracy = prove(Native(), Proof.of(case, device="cpu", seed=0))
    assert {tensor.precision for tensor in accuracy.tensors} == {"half"}
    assert not accuracy.faults
    assert precision_seen(0.0, case, "output", Native(), device="cpu") == "half"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_precision_seen_is_that_of_the_first_limit_kept(
    shape: str, device: str, dtype: str
) -> None:
    case, native = case_of(shape, dtype=dtype), Native()
    for name in ("output", "grad_input", "grad_weight"):
        order = ("half",) if "16" in dtype else ("ieee", "tf32", "half")
        limits = [result_limit(case, name, native, device=device, precision=one) for one in order]
        assert limits == sorted(limits)
        for precision, limit in zip(order, limits, strict=True):
            assert precision_seen(limit, case, name, native, device=device) == precision
        beyond = precision_seen(limits[-1] * 1.01, case, name, native, device=device)
        assert beyond == "none"
        assert precision_seen(None, case, name, native, device=device) == "none"


def test_what_was_asked_for_is_the_math_mode_or_half_by_the_type_of_storage() -> None:
    assert asked_precision(Case(math_mode="tf32")) == "tf32"
    assert {dtype: asked_precision(Case(dtype=dtype)) for dtype in DTYPES} == {
        "float64": "ieee", "float32": "ieee", "float16": "half", "bfloat16": "half",
    }  # fmt: skip


def test_tf32_that_was_asked_for_keeps_its_limit() -> None:
    asked = replace(case_of("L=288"), math_mode="tf32")
    for name in ("output", "grad_input", "grad_weight"):
        limit = result_limit(asked, name, Native(), device="cuda")
        assert 3 * 2**-11 < limit < 3.2 * 2**-11
        of_tf32 = result_limit(case_of("L=288"), name, Native(), device="cuda", precision="tf32")
        assert limit == of_tf32


def test_an_ieee_request_that_ran_tf32_is_caught_up_to_sums_of_millions() -> None:
    """Rounding both operands to 11 bits makes an error of about 2.8e-4, whatever the length."""
    longest = Case(batch=5_000_000, in_channels=1, out_channels=1, height=1, width=1,
                   kernel_size=(1, 1), direction="wgrad")  # fmt: skip
    assert reduction_length(longest, "grad_weight") == 5_000_000
    assert precision_seen(2.8e-4, longest, "grad_weight", Native(), device="cpu") == "tf32"
