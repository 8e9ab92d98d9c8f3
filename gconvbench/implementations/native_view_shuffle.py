"""PyTorch's own grouped convolution, then a shuffle by view, transpose and reshape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.shuffle import convolve

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["NativeViewShuffle"]


class NativeViewShuffle(Implementation):
    """The form found in most ShuffleNet code; loses channels_last."""

    name = "native_view_shuffle"
    idea = "F.conv2d(groups=g), then view - transpose - reshape"
    operations = ("conv_shuffle", "conv_shuffle_dense", "conv_shuffle_depthwise")

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A convolution and a copy."""
        y = convolve(case, x, weight, bias)
        return y.unflatten(1, (case.groups, case.group_out_channels)).transpose(1, 2).flatten(1, 2)
