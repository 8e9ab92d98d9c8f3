"""PyTorch's own grouped convolution, then a shuffle by `index_select`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.shuffle import convolve, shuffle_order

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["NativeIndexShuffle"]


class NativeIndexShuffle(Implementation):
    """The order of the channels is a tensor, as a layer would hold it."""

    name = "native_index_shuffle"
    idea = "F.conv2d(groups=g), then torch.index_select on the channels"
    operations = ("conv_shuffle",)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A convolution and a copy."""
        return torch.index_select(convolve(case, x, weight, bias), 1, shuffle_order(case, x.device))
