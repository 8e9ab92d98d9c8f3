"""PyTorch's own grouped convolution, then a shuffle by `torch.gather`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.shuffle import convolve, shuffle_order

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["NativeGatherShuffle"]


class NativeGatherShuffle(Implementation):
    """One index per element, expanded from one per channel; its gradient is a scatter."""

    name = "native_gather_shuffle"
    idea = "F.conv2d(groups=g), then torch.gather with an expanded index"
    operations = ("conv_shuffle",)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A convolution and a copy."""
        y = convolve(case, x, weight, bias)
        return torch.gather(y, 1, shuffle_order(case, x.device).view(1, -1, 1, 1).expand_as(y))
