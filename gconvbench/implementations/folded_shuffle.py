"""No shuffle at all: the layers behind it take their channels in the order of the groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.shuffle import convolve, shuffle_order

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Operands

__all__ = ["FoldedShuffle"]


class FoldedShuffle(Implementation):
    """The weights of the following layers are permuted beforehand, which costs nothing per launch.

    A depthwise layer passes the order on to the dense layer behind it, which ends it. A grouped
    layer could not take it: its groups would have to see other channels.
    """

    name = "folded_shuffle"
    idea = "no shuffle: the weights of the following depthwise and dense layers are permuted once"
    operations = ("conv_shuffle_dense", "conv_shuffle_depthwise")

    def prepare(self, case: Case, operands: Operands) -> Operands:
        """Permute rows of depthwise weights, columns of dense ones."""
        back = torch.argsort(shuffle_order(case, operands.x.device))
        permuted = tuple(
            weight[back] if layer.groups > 1 else weight[:, back]
            for layer, weight in zip(case.following, operands.following, strict=True)
        )
        return replace(operands, following=permuted)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The grouped convolution alone."""
        return convolve(case, x, weight, bias)
