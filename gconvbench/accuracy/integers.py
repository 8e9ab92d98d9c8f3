"""Operands of small integers, for which every order of summation gives the same bits.

After oneDNN's benchdnn: where no partial sum exceeds the output's significand, nothing is ever
rounded, so a right implementation is bit-equal to the reference whatever its order, its splitting,
even TF32. It proves group mapping, padding, stride, dilation and shuffle order, which no tolerance
can.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch

from gconvbench.accuracy.expected import expect
from gconvbench.cases import SIGNIFICAND_BITS, reduction_length
from gconvbench.implementations import result_names
from gconvbench.operands import case_generator, make_operands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

    from gconvbench.accuracy.expected import Expected
    from gconvbench.cases import Case
    from gconvbench.implementations import Operands

__all__ = ["IntegerCheck", "integer_checks", "why_no_check"]

_LARGEST = 2
"""Entries are +-1 and +-2: two bits, so that TF32 and bfloat16 operands are exact."""
_DRAWS = 4
_FEWEST_NONZERO = 0.3
"""benchdnn's share of non-zero results below which it does not call it a check
(tests/benchdnn/conv/conv.cpp, `get_non_zero_trust_percent`), scaled by the stride for gradients."""

_DRAWN: dict[str, tuple[dict[str, tuple[str, ...]], ...]] = {
    "fprop": ({"x": ("output",)},),
    "dgrad": ({"grad_output": ("grad_input",)},),
    "wgrad": ({"grad_output": ("grad_weight", "grad_bias")},),
    "training": (
        {"weight": ("output", "grad_input")},
        {"grad_output": ("grad_weight", "grad_bias")},
    ),
}
"""Per direction, in one draw or two: the operand to thin out, and the results whose sums that
bounds."""


class IntegerCheck(NamedTuple):
    """Operands of integers, and the results that are exact on them."""

    operands: Operands
    expected: dict[str, Expected]


def integer_checks(case: Case, *, seed: int, device: str) -> tuple[IntegerCheck, ...]:
    """Checks that together cover every result whose partial sums can be kept exact.

    Draws, verifies sum |x| |w| + |b| <= 2^digits in float64, and draws again at half the density.
    """
    generator = case_generator(case, seed + 1)
    checks = []
    for sparse in _draws(case):
        wanted = [one for names in sparse.values() for one in names if one in result_names(case)]
        for draw in range(_DRAWS):
            operands = _draw(case, sparse, generator, device, thinning=0.5**draw)
            if _is_exact(case, operands, wanted, seed=seed):
                expected = expect(case, operands, wanted, seed=seed)
                whole = {name: replace(e, values=e.values.round()) for name, e in expected.items()}
                checks.append(IntegerCheck(operands, whole))
                break
    return tuple(checks)


def _draws(case: Case) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Those of the direction; a single one where nothing has to be thinned out."""
    draws = _DRAWN[case.direction]
    if all(_density(case, names) == 1 for sparse in draws for names in sparse.values()):
        return ({operand: names for sparse in draws for operand, names in sparse.items()},)
    return draws


def _density(case: Case, names: tuple[str, ...]) -> float:
    """Of non-zeros, so that sums of these results are expected to stay within the significand."""
    longest = max(reduction_length(case, name) for name in names)
    return min(1.0, 2 ** SIGNIFICAND_BITS[case.dtype] / _LARGEST**2 / longest)


def why_no_check(case: Case, name: str, values: Tensor) -> str | None:
    """Why bit-equality with these values would prove too little, or None."""
    share = torch.count_nonzero(values).item() / values.numel()
    needed = _FEWEST_NONZERO
    if name == "grad_input":
        needed /= math.prod(case.stride)
    if share < needed:
        return f"only {share:.0%} of {name} is non-zero, under {needed:.0%}"
    return None


def _draw(
    case: Case,
    sparse: dict[str, tuple[str, ...]],
    generator: Generator,
    device: str,
    *,
    thinning: float,
) -> Operands:
    def integers(operand: str, shape: tuple[int, ...]) -> Tensor:
        drawn = torch.randint(
            -_LARGEST, _LARGEST, shape, generator=generator, dtype=torch.int8
        )  # 0 and above stand for the positive ones
        numbers = (drawn + (drawn >= 0)).float()
        density = thinning * _density(case, sparse[operand]) if operand in sparse else 1.0
        if density < 1:
            numbers *= torch.rand(shape, generator=generator) < density
        return numbers

    return make_operands(
        case,
        device,
        x=integers("x", case.input_shape),
        weight=integers("weight", case.weight_shape),
        bias=integers("bias", (case.out_channels,)),
        grad_output=integers("grad_output", case.output_shape),
        following=[_one_each(layer, generator) for layer in case.following],
    )


def _one_each(layer: Case, generator: Generator) -> Tensor:
    """Weights of a layer behind the shuffle with a single +-1 in each row and column.

    Each output is then one input or its negative, which keeps every sum exact and still tells
    every channel from every other.
    """
    weight = torch.zeros(layer.weight_shape)
    row = torch.arange(layer.out_channels)
    sign = torch.randint(0, 2, row.shape, generator=generator).float() * 2 - 1
    column = torch.randperm(layer.group_in_channels, generator=generator)
    taps = [torch.randint(0, side, row.shape, generator=generator) for side in layer.kernel_size]
    weight[row, column if layer.groups == 1 else 0, taps[0], taps[1]] = sign
    return weight


def _is_exact(case: Case, operands: Operands, names: Sequence[str], *, seed: int) -> bool:
    """Whether no partial sum of these results exceeds the significand.

    Either there are too few products to get there, or sum |x| |w| + |b| is computed.
    """
    most = 2 ** SIGNIFICAND_BITS[case.dtype]
    longest = max(reduction_length(case, name) for name in names)
    if longest * _LARGEST**2 + _LARGEST <= most:
        return True
    sums = expect(case, operands.mapped(torch.abs), names, seed=seed)
    return all(one.values.max().item() <= most for one in sums.values())
