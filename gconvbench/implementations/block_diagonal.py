"""One dense convolution with a block-diagonal weight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812

from gconvbench.cases import flops
from gconvbench.implementations.base import Implementation
from gconvbench.implementations.blocks import expand_blocks

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Operands

__all__ = ["BlockDiagonal"]


class BlockDiagonal(Implementation):
    """g times the FLOPs and weights, in one dense kernel. 0 * NaN leaks NaN between groups.

    Where the weight does not change (fprop, dgrad) it is expanded beforehand, as a deployment
    would; where it is trained, expanding it is part of the work.
    """

    name = "block_diagonal"
    idea = "one dense convolution with zeros outside the groups' blocks (finite data only)"

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """One group has no block structure."""
        return "with groups=1 this would be native once more" if case.groups == 1 else None

    def executed_flops(self, case: Case) -> int:
        """Of a dense layer."""
        return case.groups * flops(case)

    def prepare(self, case: Case, operands: Operands) -> Operands:
        """Expand a weight that is not trained."""
        if case.direction in {"fprop", "dgrad"}:
            return replace(operands, weight=expand_blocks(case, operands.weight, case.groups))
        return operands

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """One launch, after expanding a weight that is trained."""
        if weight.shape[1] != case.in_channels:
            weight = expand_blocks(case, weight, case.groups)
        return F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation)
