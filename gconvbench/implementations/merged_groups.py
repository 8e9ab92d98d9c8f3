"""Fewer, wider groups with block-diagonal weights inside."""

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

__all__ = ["MergedGroups"]


class MergedGroups(Implementation):
    """m times the FLOPs in g / m groups, m times as wide. 0 * NaN leaks NaN between merged ones.

    Where the weight does not change (fprop, dgrad) it is expanded beforehand, as a deployment
    would; where it is trained, expanding it is part of the work.

    Args:
        merged: m, how many groups become one; at least 2.
    """

    def __init__(self, merged: int) -> None:
        self._merged = merged
        self.name = f"merged_groups_{merged}"
        self.idea = f"{merged} groups in one, zeros outside their blocks (finite data only)"

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """The groups must be a multiple of m, and stay more than one."""
        if case.groups % self._merged:
            return f"groups ({case.groups}) is no multiple of {self._merged}"
        if case.groups == self._merged:
            return f"merging all {case.groups} groups would be block_diagonal"
        return None

    def executed_flops(self, case: Case) -> int:
        """Of groups m times as wide."""
        return self._merged * flops(case)

    def prepare(self, case: Case, operands: Operands) -> Operands:
        """Expand a weight that is not trained."""
        if case.direction in {"fprop", "dgrad"}:
            return replace(operands, weight=expand_blocks(case, operands.weight, self._merged))
        return operands

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """One launch, after expanding a weight that is trained."""
        if weight.shape[1] == case.group_in_channels:
            weight = expand_blocks(case, weight, self._merged)
        groups = case.groups // self._merged
        return F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, groups)
