"""The step that the split implementations share: a dense convolution for each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations.base import MEMORY_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["convolve_groups", "empty_output", "group_operands"]


def group_operands(
    case: Case,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    copied: torch.memory_format | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Per group its slices of x `(N, C / g, H, W)`, weight `(K / g, C / g, R, S)` and bias.

    With `copied`, slices of x are first copied into that memory format.
    """
    biases = bias.chunk(case.groups) if bias is not None else [None] * case.groups
    slices, weights = x.chunk(case.groups, dim=1), weight.chunk(case.groups)
    if copied is not None:
        slices = tuple(one.contiguous(memory_format=copied) for one in slices)
    return zip(slices, weights, biases, strict=True)


def convolve_groups(
    case: Case,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    copied: torch.memory_format | None = None,
) -> list[Tensor]:
    """The g outputs `(N, K / g, P, Q)` of the groups, from views of the operands.

    With `copied`, slices are first copied into that memory format.
    """
    operands = group_operands(case, x, weight, bias, copied=copied)
    return [F.conv2d(*one, case.stride, case.padding, case.dilation) for one in operands]


def empty_output(case: Case, x: Tensor) -> Tensor:
    """Memory for the whole output `(N, K, P, Q)`, in the case's memory format."""
    return torch.empty(
        (x.shape[0], *case.output_shape[1:]),
        dtype=x.dtype,
        device=x.device,
        memory_format=MEMORY_FORMATS[case.memory_format],
    )
