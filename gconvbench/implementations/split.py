"""The step that the split implementations share: a dense convolution for each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["convolve_groups"]


def convolve_groups(case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    """The g outputs `(N, K / g, P, Q)` of the groups, from views of the operands."""
    biases = bias.chunk(case.groups) if bias is not None else [None] * case.groups
    slices = zip(x.chunk(case.groups, dim=1), weight.chunk(case.groups), biases, strict=True)
    return [F.conv2d(*operands, case.stride, case.padding, case.dilation) for operands in slices]
