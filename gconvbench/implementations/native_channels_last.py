"""PyTorch's own grouped convolution on NHWC tensors."""

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

__all__ = ["NativeChannelsLast"]


class NativeChannelsLast(Implementation):
    """`F.conv2d(groups=g)` in a network that is channels_last throughout."""

    name = "native_channels_last"
    idea = "F.conv2d(groups=g) on channels_last tensors, converted beforehand (not timed)"

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """A case that is channels_last already is `native`'s."""
        if case.memory_format == "channels_last":
            return "the case is channels_last already, so this would be native once more"
        return None

    def prepare(self, case: Case, operands: Operands) -> Operands:  # noqa: ARG002
        """Convert what a channels_last network would hold converted."""
        nhwc = torch.channels_last
        return replace(
            operands,
            x=operands.x.contiguous(memory_format=nhwc),
            weight=operands.weight.contiguous(memory_format=nhwc),
            grad_output=operands.grad_output.contiguous(memory_format=nhwc),
        )

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """One call."""
        return F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
