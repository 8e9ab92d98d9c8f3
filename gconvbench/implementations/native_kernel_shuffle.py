"""PyTorch's own grouped convolution, then `torch.native_channel_shuffle`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.shuffle import convolve

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["NativeKernelShuffle"]


class NativeKernelShuffle(Implementation):
    """A kernel of its own, without a derivative."""

    name = "native_kernel_shuffle"
    idea = "F.conv2d(groups=g), then torch.native_channel_shuffle (fprop only)"
    operations = ("conv_shuffle",)

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """It cannot be differentiated."""
        if case.direction != "fprop":
            return "torch.native_channel_shuffle has no derivative"
        return None

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A convolution and a copy."""
        return torch.native_channel_shuffle(convolve(case, x, weight, bias), case.groups)
