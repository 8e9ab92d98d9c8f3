"""PyTorch's own convolution on NHWC tensors, conversions included."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations.base import Implementation

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Operands

__all__ = ["NativeChannelsLastCopies"]


class NativeChannelsLastCopies(Implementation):
    """One channels_last layer in a network that is not: copies in and out are part of the work."""

    name = "native_channels_last_copies"
    idea = "input to channels_last, F.conv2d(groups=g), output back: all of it timed"

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """A case that is channels_last already needs no conversion."""
        if case.memory_format == "channels_last":
            return "the case is channels_last already, so this would be native once more"
        return None

    def prepare(self, case: Case, operands: Operands) -> Operands:  # noqa: ARG002
        """The layer may hold its weight converted."""
        weight = operands.weight.contiguous(memory_format=torch.channels_last)
        return replace(operands, weight=weight)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A copy, a convolution, a copy."""
        x = x.contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
        return y.contiguous()
