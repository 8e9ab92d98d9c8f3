"""Limits, exact integers, and the parts of a verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from gconvbench.accuracy import (
    Proof,
    error_limit,
    integers,
    prove,
    reference_results,
)
from gconvbench.accuracy.flow import check_flow
from gconvbench.accuracy.integers import integer_checks, why_no_check
from gconvbench.cases import DIRECTIONS, DTYPES, Case
from gconvbench.implementations import BUILT_IN, Implementation, result_names
from gconvbench.implementations.native import Native
from gconvbench.operands import normal_operands
from tests.faults import GroupsSwapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

NATIVE = BUILT_IN[0]


@pytest.mark.parametrize(
    ("dtype", "math_mode", "length", "expected"),
    [  # the table of limits in the design, tensor cores included for the half types
        ("float64", "ieee", 9, 7.8e-16),
        ("float64", "ieee", 12800, 2.5e-14),
        ("float32", "ieee", 9, 4.2e-7),
        ("float32", "ieee", 12800, 1.4e-5),
        ("float32", "tf32", 9, 1.5e-3),
        ("float32", "tf32", 12800, 1.6e-3),
        ("float16", "ieee", 9, 4.9e-4),
        ("float16", "ieee", 12800, 5.5e-4),
        ("bfloat16", "ieee", 9, 3.9e-3),
        ("bfloat16", "ieee", 12800, 4.0e-3),
    ],
)
def test_limits_are_those_of_the_table(
    dtype: str, math_mode: str, length: int, expected: float
) -> None:
    case = Case(
        in_channels=length, out_channels=1, kernel_size=(1, 1), dtype=dtype, math_mode=math_mode
    )
    limit = error_limit(case, "output", device="cuda", roundings=1)
    assert limit == pytest.approx(expected, rel=0.04)


def test_a_separate_bias_may_round_once_more() -> None:
    case = Case(dtype="bfloat16")
    one, two = (error_limit(case, "output", device="cpu", roundings=n) for n in (1, 2))
    assert two - one == pytest.approx((math.sqrt(2) - 1) * 2**-8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_integer_operands_make_every_partial_sum_exact(dtype: str, direction: str) -> None:
    case = Case(
        groups=2, in_channels=8, out_channels=8, height=12, width=12, batch=3, bias=True,
        dtype=dtype, direction=direction,
    )  # fmt: skip
    digits = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}[dtype]
    checks = integer_checks(case, seed=0, device="cpu")
    assert sorted(name for one in checks for name in one.expected) == sorted(result_names(case))
    assert len(checks) == (2 if (direction, dtype) == ("training", "bfloat16") else 1)
    for operands, expected in checks:
        for tensor in (operands.x, operands.weight, operands.grad_output):
            assert torch.equal(tensor, tensor.round())
            assert tensor.abs().max() <= 2
        for name, result in reference_results(case, operands, tuple(expected)).items():
            assert result.abs().max() <= 2**digits
            assert why_no_check(case, name, result) is None
            assert torch.equal(result, result.to(getattr(torch, dtype)).double())


def test_too_few_non_zero_results_are_not_called_a_check() -> None:
    case = Case()
    sparse = torch.zeros(10)
    sparse[0] = 1
    assert why_no_check(case, "output", sparse) == "only 10% of output is non-zero, under 30%"
    strided = Case(stride=(2, 2), direction="dgrad")
    assert why_no_check(strided, "grad_input", sparse) is None


def test_a_case_whose_reference_is_zero_is_judged_absolutely() -> None:
    """Every window lies on padding: the right answer is zero, and any other is wrong."""
    case = Case(
        in_channels=2, out_channels=2, height=1, width=1, kernel_size=(1, 1), padding=(1, 1),
        stride=(2, 2),
    )  # fmt: skip
    proof = Proof.of(case, device="cpu", seed=0)
    assert not proof.expected["output"].values.any()
    right, wrong = prove(NATIVE, proof), prove(_PlusOne(), proof)
    assert not right.faults
    assert right.tensors[0].group_error == 0
    assert wrong.faults
    assert wrong.tensors[0].group_error == pytest.approx(math.sqrt(8))


class _PlusOne(Native):
    name = "plus_one"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias) + 1


class _Altered(Implementation):
    """Native with its results altered afterwards."""

    name = "altered"
    idea = "for tests"

    def __init__(self, how: str) -> None:
        self._how = how

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return NATIVE.forward(case, x, weight, bias)

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = NATIVE.launch(case, operands)
        alterations: dict[str, Callable[[Tensor], tuple[Tensor, ...]]] = {
            "shape": lambda y: (y[:, :1],),
            "dtype": lambda y: (y.double(),),
            "number": lambda y: (y, y),
            "nan": lambda y: (torch.full_like(y, torch.nan),),
        }
        return lambda: alterations[self._how](right()[0])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("shape", "output has shape (1, 1, 26, 26) instead of (1, 64, 26, 26)"),
        ("dtype", "output has dtype torch.float64 instead of torch.float32"),
        ("number", "returns 2 results instead of 1: output"),
        ("nan", "output is not finite where the reference is"),
    ],
)
def test_results_that_cannot_be_compared_are_named(how: str, message: str) -> None:
    accuracy = prove(_Altered(how), Proof.of(Case(), device="cpu", seed=0))
    assert accuracy.faults[0] == message


def test_a_group_of_few_elements_that_cancels_is_no_fault() -> None:
    """Each group's bias gradient is a sum of two numbers, some close to zero by chance."""
    case = Case(groups=64, in_channels=64, out_channels=64, height=14, width=14, bias=True,
                direction="wgrad")  # fmt: skip
    for seed in range(5):
        assert not prove(NATIVE, Proof.of(case, device="cpu", seed=seed)).faults


@pytest.mark.parametrize("dilation", [(1, 1), (2, 2)])
def test_float16_gradients_summed_over_a_batch_on_the_cpu_keep_their_limit(
    dilation: tuple[int, int],
) -> None:
    """PyTorch adds each image's weight gradient, and with dilation its bias's, to a float16."""
    case = Case(groups=2, batch=64, in_channels=8, out_channels=8, height=9, width=9, bias=True,
                dilation=dilation, dtype="float16", direction="wgrad")  # fmt: skip
    assert not prove(NATIVE, Proof.of(case, device="cpu", seed=0)).faults


def test_one_bad_group_is_not_diluted_by_the_others() -> None:
    case = Case(groups=32, in_channels=64, out_channels=64, height=5, width=5)
    accuracy = prove(GroupsSwapped(), Proof.of(case, device="cpu", seed=0))
    (tensor,) = accuracy.tensors
    assert tensor.group_error is not None
    assert tensor.error is not None
    assert tensor.group_error > tensor.error


@pytest.mark.parametrize(("too_large", "found"), [(0, True), (3, True), (4, False)])
def test_integers_whose_sums_would_be_rounded_are_drawn_again_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, too_large: int, *, found: bool
) -> None:
    verdicts = iter([False] * too_large + [True])
    kept = []

    def is_exact(case: Case, operands: Operands, names: Sequence[str], *, seed: int) -> bool:
        kept.append(torch.count_nonzero(operands.x).item())
        return next(verdicts)

    monkeypatch.setattr(integers, "_is_exact", is_exact)
    checks = integer_checks(Case(dtype="bfloat16"), seed=0, device="cpu")
    assert bool(checks) == found
    assert kept == sorted(kept, reverse=True)


@pytest.mark.parametrize(("channels", "is_exact"), [(64, True), (65, False)])
def test_sums_up_to_the_significand_are_exact_and_one_more_is_not(
    channels: int, *, is_exact: bool
) -> None:
    """bfloat16 has 8 significand bits: 64 products of 2 and -2 make 256, the last exact sum."""
    case = Case(in_channels=channels, out_channels=1, kernel_size=(1, 1), dtype="bfloat16")
    twos = normal_operands(case, seed=0, device="cpu").mapped(lambda t: torch.full_like(t, -2))
    assert integers._is_exact(case, twos, ["output"], seed=0) == is_exact


class _Connected(Native):
    """Native, with one group's inputs also reaching (or no longer reaching) another's outputs."""

    name = "connected"

    def __init__(self, source: int, target: int, weight: float) -> None:
        self._source, self._target, self._weight = source, target, weight

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        c, k = case.group_in_channels, case.group_out_channels
        extra = self._weight * x[:, self._source * c : (self._source + 1) * c].sum()
        added = torch.zeros_like(y)
        added[:, self._target * k : (self._target + 1) * k] = 1
        return y + extra * added


@pytest.mark.parametrize("source", range(5))
@pytest.mark.parametrize("target", range(5))
def test_a_connection_between_any_two_groups_is_found(source: int, target: int) -> None:
    case = Case(groups=5, in_channels=10, out_channels=10, height=4, width=4)
    operands = normal_operands(case, seed=0, device="cpu")
    found, fault = check_flow(_Connected(source, target, 1.0), case, operands, seed=0)
    assert (fault is not None) == (source != target)
    assert (found == "broken") == (source != target)


@pytest.mark.parametrize("right", [1, 2, 3, 5])
def test_results_that_do_not_fit_only_later_are_a_fault_too(right: int) -> None:
    turns = iter(range(1000))

    class Shrinking(Native):
        def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            y = super().forward(case, x, weight, bias)
            return y if next(turns) < right else y[:, :1]

    case = Case(groups=2, in_channels=4, out_channels=4, height=5, width=5)
    (fault,) = prove(Shrinking(), Proof.of(case, device="cpu", seed=0)).faults
    assert fault == "output has shape (1, 1, 3, 3) instead of (1, 4, 3, 3)"
