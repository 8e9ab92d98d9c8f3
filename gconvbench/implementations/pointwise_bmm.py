"""A 1x1 convolution as one batched matrix product on views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["PointwiseBmm"]


class PointwiseBmm(Implementation):
    """No windows to unfold: pixels are columns already. A stride copies its pixels."""

    name = "pointwise_bmm"
    idea = "1x1 only: one batched matrix product over the groups, on views (a stride copies)"

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """A window of one pixel without padding."""
        if case.kernel_size != (1, 1):
            return f"computes kernel_size 1x1 only, not {case.kernel_size[0]}x{case.kernel_size[1]}"
        if case.padding != (0, 0):
            return f"computes padding 0 only, not {case.padding[0]}x{case.padding[1]}"
        return None

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        """Each image's weight gradient is rounded before they are summed; a product is not."""
        if tensor == "grad_input":
            return 1
        return 2 if tensor == "grad_weight" else super().roundings(case, tensor, device)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A product, and the bias."""
        pixels = x[..., :: case.stride[0], :: case.stride[1]]
        columns = pixels.unflatten(1, (case.groups, -1)).flatten(-2)
        rows = weight.reshape(case.groups, case.group_out_channels, -1)
        y = torch.matmul(rows, columns).flatten(1, 2).unflatten(2, case.output_size)
        return y if bias is None else y + bias.view(-1, 1, 1)
