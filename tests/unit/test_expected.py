"""What a result is held against: errors per group, the floor, and what is a sample of what."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import expected, reference_results
from gconvbench.accuracy.expected import Expected, expect, expected_norm, same_as
from gconvbench.accuracy.reference import split_groups
from gconvbench.accuracy.sample import draw_places
from gconvbench.cases import DTYPES, OPERATIONS, Case
from gconvbench.implementations import result_names
from gconvbench.operands import normal_operands

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.implementations import Operands

SMALL = Case(groups=4, in_channels=8, out_channels=12, height=6, width=5, batch=2, bias=True,
             direction="training")  # fmt: skip
LARGE = replace(SMALL, in_channels=64, out_channels=96, height=90, width=90)
"""Too much work for all elements of its output and input gradient."""


def of_rows(values: Tensor, *, floor: float = 0.0, dtype: torch.dtype = torch.float64) -> Expected:
    """The expectation of an output `(1, K, 1, 1)` with these values in its groups."""
    groups, channels = values.shape
    case = Case(groups=groups, in_channels=groups, out_channels=groups * channels, height=1,
                width=1, kernel_size=(1, 1))  # fmt: skip
    return Expected(case, "output", values.to(dtype), None, floor)


def result_of(rows: Tensor) -> Tensor:
    return rows.reshape(1, -1, 1, 1)


def test_a_result_equal_to_what_is_expected_has_no_error() -> None:
    values = torch.randn(3, 4, dtype=torch.float64)
    assert of_rows(values).errors(result_of(values)) == (0, 0)


def test_the_error_of_the_worst_group_is_not_diluted_by_the_others() -> None:
    values = torch.ones(16, 4, dtype=torch.float64)
    off = values.clone()
    off[5] *= 1.5
    total, worst = of_rows(values).errors(result_of(off))
    assert worst == pytest.approx(0.5)
    assert total == pytest.approx(0.5 / math.sqrt(16))


def test_a_small_group_is_judged_by_its_own_size() -> None:
    values = torch.ones(2, 4, dtype=torch.float64)
    values[1] = 1e-3
    off = values.clone()
    off[1] += 1e-4
    total, worst = of_rows(values, floor=1e-9).errors(result_of(off))
    assert worst == pytest.approx(0.1)
    assert total == pytest.approx(1e-4, rel=1e-2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_result_that_is_not_finite_has_no_error_to_name(value: float) -> None:
    values = torch.ones(2, 4, dtype=torch.float64)
    off = values.clone()
    off[1, 2] = value
    assert of_rows(values).errors(result_of(off)) == (None, None)


def test_a_group_that_cancels_is_judged_by_the_floor() -> None:
    values = torch.ones(2, 4, dtype=torch.float64)
    values[1] = 1e-9
    off = values.clone()
    off[1, 0] += 1e-6
    _, by_floor = of_rows(values, floor=2.0).errors(result_of(off))
    _, by_itself = of_rows(values, floor=1e-9).errors(result_of(off))
    assert by_floor == pytest.approx(5e-7)
    assert by_itself == pytest.approx(500)


def test_where_everything_cancels_the_floor_counts_for_the_total_too() -> None:
    zeros = torch.zeros(4, 9, dtype=torch.float64)
    off = zeros.clone()
    off[0, 0] = 1e-3
    total, worst = of_rows(zeros, floor=3.0).errors(result_of(off))
    assert worst == pytest.approx(1e-3 / 3)
    assert total == pytest.approx(1e-3 / 3 / math.sqrt(4))


def test_a_reference_of_zero_without_a_floor_is_judged_absolutely() -> None:
    zeros = torch.zeros(2, 8, dtype=torch.float64)
    total, worst = of_rows(zeros).errors(result_of(zeros + 0.5))
    assert total == pytest.approx(0.5 * math.sqrt(16))
    assert worst == pytest.approx(0.5 * math.sqrt(8))


def test_errors_are_taken_in_double_precision() -> None:
    """A difference in float16 would overflow."""
    values = torch.full((1, 4), 60000.0, dtype=torch.float64)
    result = result_of(-values).half()
    total, worst = of_rows(values).errors(result)
    assert total == pytest.approx(2)
    assert worst == pytest.approx(2)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_small_problem_is_expected_in_full(operation: str) -> None:
    case = replace(SMALL, operation=operation)
    operands = normal_operands(case, seed=0, device="cpu")
    whole = reference_results(case, operands)
    for name, one in expect(case, operands, seed=0).items():
        assert one.places is None
        assert torch.equal(one.values, split_groups(case, name, whole[name]))
        assert one.errors(whole[name]) == (0, 0)


@pytest.fixture
def no_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no memory for one."""
    monkeypatch.setattr(expected, "witness", lambda *_: {})


def test_large_results_are_expected_in_all_elements_and_checked_at_places() -> None:
    operands = normal_operands(LARGE, seed=0, device="cpu")
    whole = reference_results(LARGE, operands)
    found = expect(LARGE, operands, seed=0)
    for name, one in found.items():
        assert one.places is None
        assert one.values.numel() == whole[name].numel()
        assert torch.allclose(one.rows(whole[name]), one.values, rtol=0, atol=1e-10)
    assert {name for name, one in found.items() if one.sums} == {"output", "grad_input"}


@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
@pytest.mark.usefixtures("no_witness")
def test_without_a_witness_large_results_are_expected_at_places(operation: str) -> None:
    case = replace(LARGE, operation=operation)
    operands = normal_operands(case, seed=0, device="cpu")
    whole = reference_results(case, operands)
    found = expect(case, operands, seed=0)
    assert {*found} == {*result_names(case)}
    assert {name for name, one in found.items() if one.places is None} >= {"grad_bias"}
    for name in ("output", "grad_input"):
        places = found[name].places
        assert places is not None
        assert torch.equal(places, draw_places(case, name, seed=0))
    for name, one in found.items():
        assert torch.allclose(one.rows(whole[name]), one.values, rtol=0, atol=1e-10)
        _, error = one.errors(whole[name])
        assert error is not None
        assert error < 1e-13


@pytest.mark.parametrize("operation", ["conv_shuffle_dense", "conv_shuffle_depthwise"])
def test_layers_behind_a_shuffle_are_always_explicit_sums(operation: str) -> None:
    """Their every output depends on all groups."""
    alone = replace(LARGE, direction="fprop")
    (output,) = expect(alone, normal_operands(alone, seed=0, device="cpu"), seed=0).values()
    assert output.sums is not None
    case = replace(alone, operation=operation)
    (output,) = expect(case, normal_operands(case, seed=0, device="cpu"), seed=0).values()
    assert output.sums is None
    assert output.places is None
    assert output.values.shape == (1, math.prod(case.output_shape))


@pytest.mark.usefixtures("no_witness")
def test_the_same_elements_of_a_result_are_taken_whatever_its_layout_and_dtype() -> None:
    operands = normal_operands(LARGE, seed=0, device="cpu")
    one = expect(LARGE, operands, seed=0)["output"]
    result = torch.randn(LARGE.output_shape).half()
    assert one.rows(result).dtype == torch.float16
    assert one.rows(result).shape == one.values.shape
    nhwc = result.contiguous(memory_format=torch.channels_last)
    assert torch.equal(one.rows(nhwc), one.rows(result))


def mean_squares(case: Case, operands: Operands) -> dict[str, float]:
    """Of each result the mean over rows of the squared norm, as a share of the floor's."""
    return {
        name: one.values.square().sum(dim=1).mean().item() / one.floor**2
        for name, one in expect(case, operands, seed=0).items()
    }


@pytest.mark.usefixtures("no_witness")
@pytest.mark.parametrize(
    ("case", "draws"),
    [
        (SMALL, 30),
        (replace(SMALL, operation="conv_shuffle"), 30),
        (replace(SMALL, operation="conv_shuffle_dense"), 30),
        (LARGE, 1),
        (replace(LARGE, operation="conv_shuffle"), 1),
    ],
    ids=["small", "small shuffled", "small before a dense layer", "large", "large shuffled"],
)
def test_the_floor_is_the_norm_of_a_row_in_full_and_in_part(case: Case, draws: int) -> None:
    squares = [
        mean_squares(case, normal_operands(case, seed=seed, device="cpu")) for seed in range(draws)
    ]
    for name in result_names(case):
        assert sum(one[name] for one in squares) / draws == pytest.approx(1, rel=0.25), name


@pytest.mark.usefixtures("no_witness")
def test_the_floor_of_a_part_is_the_share_of_the_whole() -> None:
    found = expect(LARGE, normal_operands(LARGE, seed=0, device="cpu"), seed=0)
    for name, one in found.items():
        of_group = expected_norm(LARGE, name)
        share = (
            one.values.shape[1]
            / split_groups(LARGE, name, torch.empty(shape_of(LARGE, name))).shape[1]
        )
        assert one.floor == pytest.approx(of_group * math.sqrt(share))


def shape_of(case: Case, name: str) -> tuple[int, ...]:
    return {
        "output": case.output_shape,
        "grad_input": case.input_shape,
        "grad_weight": case.weight_shape,
        "grad_bias": (case.out_channels,),
    }[name]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_result_is_the_same_as_itself_in_all_elements(operation: str, dtype: str) -> None:
    case = replace(SMALL, operation=operation, dtype=dtype)
    for name in result_names(case):
        result = torch.randn(shape_of(case, name)).to(getattr(torch, dtype))
        same = same_as(case, name, result)
        assert same.values.numel() == result.numel()
        assert same.errors(result) == (0, 0)
        if result.dim() == 4:
            assert same.errors(result.contiguous(memory_format=torch.channels_last)) == (0, 0)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_element_that_is_another_is_not_the_same(operation: str) -> None:
    case = replace(SMALL, operation=operation)
    for name in result_names(case):
        result = torch.randn(shape_of(case, name))
        same = same_as(case, name, result)
        for at in (0, result.numel() // 2, result.numel() - 1):
            other = result.clone()
            other.view(-1)[at] += 1
            _, error = same.errors(other)
            assert error is not None
            assert error > 1e-2
