"""Exact costs of a case: floating-point operations, bytes, parameters, reduction lengths.

Conventions (stated because tools differ): a multiply-add counts as two operations, taps that fall
on padding are counted, additions of the bias are not, as in oneDNN's benchdnn. Bytes are the least
that any implementation must move: each operand read once, each result written once.
`torch.utils.flop_counter` over-counts grouped gradients by (1 + g) / 2 and is not used.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gconvbench.cases.case import DTYPES

if TYPE_CHECKING:
    from gconvbench.cases.case import Case

__all__ = ["flops", "min_bytes", "parameters", "reduction_length"]


def parameters(case: Case) -> int:
    """Weights and biases: K * (C / g) * R * S, plus K where there is a bias; all layers' sum."""
    bias = case.out_channels if case.bias else 0
    return math.prod(case.weight_shape) + bias + _following_weights(case)


def flops(case: Case) -> int:
    """Operations of one launch: 2 * N * K * P * Q * (C / g) * R * S for each pass.

    Layers behind a shuffle are not trained: they add their forward pass, their gradient by the
    input, or both.
    """
    through = 2 if case.direction == "training" else 1
    return len(_passes(case)) * _one_pass(case) + through * sum(map(_one_pass, case.following))


def min_bytes(case: Case) -> int:
    """The least traffic of one launch, in bytes; `training` is the sum of its three passes.

    Input pixels that no window touches (a stride wider than the kernel, a remainder at the
    border) are not read by `fprop` and `wgrad`, but `dgrad` must write their zeros. What passes
    between a shuffle and the layers behind it need not touch memory.
    """
    return DTYPES[case.dtype] * sum(_elements(case, one) for one in _passes(case))


def reduction_length(case: Case, tensor: str) -> int:
    """The most products that are summed into one element of a result, padding included.

    Args:
        case: the problem.
        tensor: `output`, `grad_input`, `grad_weight` or `grad_bias`.
    """
    taps = math.prod(case.kernel_size)
    rows, columns = case.output_size
    lengths = {
        "output": case.group_in_channels * taps,
        "grad_input": case.group_out_channels * _taps_per_pixel(case),
        "grad_weight": case.batch * rows * columns,
        "grad_bias": case.batch * rows * columns,
    }
    return lengths[tensor]


def _one_pass(case: Case) -> int:
    return 2 * math.prod(case.output_shape) * math.prod(case.weight_shape[1:])


def _following_weights(case: Case) -> int:
    return sum(math.prod(layer.weight_shape) for layer in case.following)


def _passes(case: Case) -> tuple[str, ...]:
    return ("fprop", "dgrad", "wgrad") if case.direction == "training" else (case.direction,)


def _elements(case: Case, one_pass: str) -> int:
    rows, columns = (_touched(case, axis) for axis in (0, 1))
    touched = case.batch * case.in_channels * rows * columns
    everything = math.prod(case.input_shape)
    weight = math.prod(case.weight_shape) + _following_weights(case)
    output = math.prod(case.output_shape)
    bias = case.out_channels if case.bias else 0
    return {
        "fprop": touched + weight + bias + output,
        "dgrad": output + weight + everything,
        "wgrad": touched + output + weight + bias,
    }[one_pass]


def _touched(case: Case, axis: int) -> int:
    """Distinct input rows (axis 0) or columns (axis 1) that some window looks at."""
    size = (case.height, case.width)[axis]
    step, start = case.stride[axis], -case.padding[axis]
    windows = range(start, start + step * case.output_size[axis], step)
    taps = range(0, case.reach[axis], case.dilation[axis])
    return len({pixel for first in windows for tap in taps if 0 <= (pixel := first + tap) < size})


def _taps_per_pixel(case: Case) -> int:
    """The most filter taps that any one input pixel meets: every (s / gcd(s, d))-th tap."""
    return math.prod(
        -(-kernel // (stride // math.gcd(stride, dilation)))
        for kernel, stride, dilation in zip(
            case.kernel_size, case.stride, case.dilation, strict=True
        )
    )
