"""The reference against loops written out, and against PyTorch's own float64 convolution."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from gconvbench.accuracy import reference
from gconvbench.accuracy.expected import expected_norm
from gconvbench.accuracy.reference import reference_results, split_groups
from gconvbench.cases import DIRECTIONS, Case
from gconvbench.implementations import result_names
from gconvbench.implementations.base import RESULTS
from gconvbench.operands import normal_operands

SHAPES = [
    Case(groups=2, in_channels=4, out_channels=6, height=5, width=4, padding=(1, 0)),
    Case(groups=1, in_channels=3, out_channels=2, height=7, width=6, stride=(2, 3), bias=True),
    Case(groups=4, in_channels=4, out_channels=8, height=6, width=9, dilation=(2, 1), batch=2),
    Case(groups=2, in_channels=4, out_channels=4, height=5, width=5, kernel_size=(1, 1),
         stride=(2, 2)),
    Case(groups=2, in_channels=2, out_channels=4, height=6, width=7, kernel_size=(2, 3),
         padding=(3, 2), stride=(2, 1), dilation=(1, 2), bias=True),
    Case(operation="conv_shuffle", groups=3, in_channels=6, out_channels=12, height=4, width=4),
]  # fmt: skip


def training(case: Case, **changes: object) -> Case:
    fields = {name: getattr(case, name) for name in case.__struct_fields__}
    return Case(**fields | {"direction": "training", "dtype": "float64"} | changes)


def by_loops(
    case: Case, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """The definition of a grouped convolution, one product at a time."""
    n, k, p, q = case.output_shape
    y = torch.zeros(n, k, p, q, dtype=torch.float64)
    inner = (range(case.group_in_channels), *map(range, case.kernel_size))
    for image, out, row, column in itertools.product(range(n), range(k), range(p), range(q)):
        group = out // case.group_out_channels
        total = 0.0 if bias is None else bias[out].item()
        for c, r, s in itertools.product(*inner):
            i = row * case.stride[0] - case.padding[0] + r * case.dilation[0]
            j = column * case.stride[1] - case.padding[1] + s * case.dilation[1]
            if 0 <= i < case.height and 0 <= j < case.width:
                pixel = x[image, group * case.group_in_channels + c, i, j].item()
                total += pixel * weight[out, c, r, s].item()
        place = out
        if case.operation == "conv_shuffle":
            place = (out % case.group_out_channels) * case.groups + group
        y[image, place, row, column] = total
    return y


@pytest.mark.parametrize("shape", SHAPES)
def test_the_output_is_what_the_loops_say(shape: Case) -> None:
    case = training(shape)
    operands = normal_operands(case, seed=1, device="cpu")
    expected = by_loops(case, operands.x, operands.weight, operands.bias)
    assert torch.allclose(reference_results(case, operands)["output"], expected, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradients_are_the_adjoint_of_the_output(shape: Case) -> None:
    """<dY, dy> = <dX, dx> = <dW, dw> = <db, dbias> for the linear map in each argument."""
    case = training(shape, bias=True)
    operands = normal_operands(case, seed=2, device="cpu")
    results = reference_results(case, operands)
    assert operands.bias is not None
    zero = torch.zeros_like(operands.bias)
    by_product = by_loops(case, operands.x, operands.weight, zero)
    by_bias = by_loops(case, operands.x * 0, operands.weight, operands.bias)
    work = (operands.grad_output * by_product).sum()
    assert torch.isclose((results["grad_input"] * operands.x).sum(), work)
    assert torch.isclose((results["grad_weight"] * operands.weight).sum(), work)
    bias_work = (operands.grad_output * by_bias).sum()
    assert torch.isclose((results["grad_bias"] * operands.bias).sum(), bias_work)


@pytest.mark.parametrize("shape", [case for case in SHAPES if case.operation == "conv"])
def test_pytorch_agrees_in_every_gradient(shape: Case) -> None:
    case = training(shape, bias=True)
    operands = normal_operands(case, seed=3, device="cpu")
    theirs = torch.ops.aten.convolution_backward(
        operands.grad_output, operands.x, operands.weight, [case.out_channels], case.stride,
        case.padding, case.dilation, False, [0, 0], case.groups, [True] * 3,  # noqa: FBT003
    )  # fmt: skip
    ours = reference_results(case, operands)
    for name, expected in zip(RESULTS["training"][1:], theirs, strict=True):
        assert torch.allclose(ours[name], expected, atol=1e-10), name


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    case = training(SHAPES[2])
    operands = normal_operands(case, seed=4, device="cpu")
    whole = reference_results(case, operands)
    monkeypatch.setattr(reference, "BLOCK_BYTES", 2000)
    blocks = reference_results(case, operands)
    for name in result_names(case):
        assert torch.allclose(whole[name], blocks[name], atol=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_direction_has_its_results_and_a_bias_gradient_only_with_a_bias(direction: str) -> None:
    for bias in (False, True):
        case = training(SHAPES[0], direction=direction, bias=bias)
        names = set(reference_results(case, normal_operands(case, seed=0, device="cpu")))
        assert names == {n for n in RESULTS[direction] if bias or n != "grad_bias"}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_expected_norm_is_the_mean_square_over_many_draws(shape: Case) -> None:
    case = training(shape, bias=True, batch=2)
    squares: dict[str, list[float]] = {name: [] for name in result_names(case)}
    for seed in range(60):
        results = reference_results(case, normal_operands(case, seed=seed, device="cpu"))
        for name, result in results.items():
            groups = split_groups(case, name, result)
            squares[name].append(groups.square().sum().item() / case.groups)
    for name, values in squares.items():
        mean = sum(values) / len(values)
        assert mean == pytest.approx(expected_norm(case, name) ** 2, rel=0.25), name


def test_splitting_by_group_undoes_the_shuffle() -> None:
    case = SHAPES[5]
    marks = torch.arange(12.0).view(1, 12, 1, 1).expand(case.output_shape)
    shuffled = torch.channel_shuffle(marks.contiguous(), case.groups)
    rows = split_groups(case, "output", shuffled)
    assert [sorted(set(row.tolist())) for row in rows] == [
        [0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]
    ]  # fmt: skip
    assert math.prod(rows.shape) == marks.numel()
