"""Operands of small integers, for which every order of summation gives the same bits.

After oneDNN's benchdnn: where no partial sum exceeds the output's significand, nothing is ever
rounded, so a right implementation is bit-equal to the reference whatever its order, its splitting,
even TF32. It proves group mapping, padding, stride, dilation and shuffle order, which no tolerance
can.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from gconvbench.accuracy.limit import SIGNIFICAND_BITS
from gconvbench.accuracy.reference import reference_results
from gconvbench.cases import reduction_length
from gconvbench.implementations import result_names
from gconvbench.operands import case_generator, make_operands

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Operands

__all__ = ["integer_operands", "why_no_check"]

_LARGEST = 2
"""Entries are +-1 and +-2: two bits, so that TF32 and bfloat16 operands are exact."""
_DRAWS = 4
_FEWEST_NONZERO = 0.3
"""benchdnn's share of non-zero results below which it does not call it a check
(tests/benchdnn/conv/conv.cpp, `get_non_zero_trust_percent`), scaled by the stride for gradients."""

_SPARSE: dict[str, dict[str, tuple[str, ...]]] = {
    "fprop": {"x": ("output",)},
    "dgrad": {"grad_output": ("grad_input",)},
    "wgrad": {"grad_output": ("grad_weight",)},
    "training": {"weight": ("output", "grad_input"), "grad_output": ("grad_weight",)},
}
"""Per direction the operands to thin out, and the results whose sums that has to bound."""


def integer_operands(case: Case, *, seed: int, device: str) -> Operands | None:
    """Operands whose every partial sum is exact, or None where none were found.

    Draws, verifies sum |x| |w| + |b| <= 2^digits in float64, and draws again at half the density.
    """
    generator = case_generator(case, seed + 1)
    for draw in range(_DRAWS):
        operands = _draw(case, generator, device, thinning=0.5**draw)
        if _largest_sum(case, operands) <= 2 ** SIGNIFICAND_BITS[case.dtype]:
            return operands
    return None


def why_no_check(case: Case, name: str, reference: Tensor) -> str | None:
    """Why bit-equality with this reference would prove too little, or None."""
    share = torch.count_nonzero(reference).item() / reference.numel()
    needed = _FEWEST_NONZERO
    if name == "grad_input":
        needed /= math.prod(case.stride)
    if share < needed:
        return f"only {share:.0%} of {name} is non-zero, under {needed:.0%}"
    return None


def _draw(case: Case, generator: Generator, device: str, *, thinning: float) -> Operands:
    sparse = _SPARSE[case.direction]

    def density(operand: str) -> float:
        if operand not in sparse:
            return 1.0
        longest = max(reduction_length(case, result) for result in sparse[operand])
        budget = 2 ** SIGNIFICAND_BITS[case.dtype] / _LARGEST**2
        return min(1.0, thinning * budget / longest)

    def integers(operand: str, shape: tuple[int, ...]) -> Tensor:
        magnitude = torch.randint(1, _LARGEST + 1, shape, generator=generator)
        sign = torch.randint(0, 2, shape, generator=generator) * 2 - 1
        kept = torch.rand(shape, generator=generator) < density(operand)
        return (magnitude * sign * kept).float()

    return make_operands(
        case,
        device,
        x=integers("x", case.input_shape),
        weight=integers("weight", case.weight_shape),
        bias=integers("bias", (case.out_channels,)),
        grad_output=integers("grad_output", case.output_shape),
    )


def _largest_sum(case: Case, operands: Operands) -> float:
    """The largest sum |x| |w| + |b| over all results, which bounds every partial sum."""
    magnitudes = replace(
        operands,
        x=operands.x.abs(),
        weight=operands.weight.abs(),
        bias=None if operands.bias is None else operands.bias.abs(),
        grad_output=operands.grad_output.abs(),
    )
    results = reference_results(case, magnitudes)
    return max(results[name].max().item() for name in result_names(case))
