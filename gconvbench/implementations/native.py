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
    """`F.conv2d(groups=g)`; for `conv_shuffle` followed by `torch.channel_shuffle`."""

    name = "native"
    idea = "F.conv2d(groups=g), followed by torch.channel_shuffle for conv_shuffle"
    operations = ("conv", "conv_shuffle")

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """One call."""
        y = F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
        return y if case.operation == "conv" else torch.channel_shuffle(y, case.groups)
