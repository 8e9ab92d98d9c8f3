"""Inputs of a case, reproducible from a seed, with the dtype and layout that the case names."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import torch

from gconvbench.cases import Case, case_id
from gconvbench.implementations import MEMORY_FORMATS, Operands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["case_generator", "lay_out", "make_operands", "normal_operands"]


def case_generator(case: Case, seed: int) -> torch.Generator:
    """A generator on the CPU that depends on the seed and the case alone, not on the job's turn."""
    digest = hashlib.sha256(f"{seed} {case_id(case)}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def normal_operands(case: Case, *, seed: int, device: str) -> Operands:
    """Standard normal operands; weights divided by sqrt(C / g * R * S).

    The division keeps half precision from overflowing. Zeros or integers would draw less power on
    a GPU and can run faster than real data.
    """
    generator = case_generator(case, seed)

    def normal(shape: tuple[int, ...]) -> Tensor:
        wide = torch.float64 if case.dtype == "float64" else torch.float32
        return torch.randn(shape, generator=generator, dtype=wide)

    def filters(layer: Case) -> Tensor:
        return normal(layer.weight_shape) / math.sqrt(math.prod(layer.weight_shape[1:]))

    return make_operands(
        case,
        device,
        x=normal(case.input_shape),
        weight=filters(case),
        bias=normal((case.out_channels,)),
        grad_output=normal(case.output_shape),
        following=[filters(layer) for layer in case.following],
    )


def make_operands(  # noqa: PLR0913 (the operands are what this is about)
    case: Case,
    device: str,
    *,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    grad_output: Tensor,
    following: Sequence[Tensor] = (),
) -> Operands:
    """Round to the case's dtype, lay out in its memory format, and move to the device."""
    return Operands(
        x=lay_out(case, x, device),
        weight=lay_out(case, weight, device),
        bias=bias.to(device, getattr(torch, case.dtype)) if case.bias else None,
        grad_output=lay_out(case, grad_output, device),
        following=tuple(lay_out(case, one, device) for one in following),
    )


def lay_out(case: Case, tensor: Tensor, device: str) -> Tensor:
    """A copy of a 4-D tensor with the case's dtype and memory format on the device."""
    return tensor.to(device, getattr(torch, case.dtype)).contiguous(
        memory_format=MEMORY_FORMATS[case.memory_format]
    )
