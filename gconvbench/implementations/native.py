"""PyTorch's own grouped convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 (the name that every PyTorch user knows)

from gconvbench.implementations.base import Implementation

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["Native"]


class Native(Implementation):
    """`F.conv2d(groups=g)`; where channels are shuffled followed by `torch.channel_shuffle`.

    `torch.nn.ChannelShuffle` is the same function.
    """

    name = "native"
    idea = "F.conv2d(groups=g), followed by torch.channel_shuffle where channels are shuffled"
    operations = ("conv", "conv_shuffle", "conv_shuffle_dense", "conv_shuffle_depthwise")

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """One call."""
        y = F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
        return torch.channel_shuffle(y, case.groups) if case.shuffles else y
