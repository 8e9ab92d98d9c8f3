"""A depthwise convolution as a sum of shifted products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.taps import wide_taps

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["DepthwiseMac"]


class DepthwiseMac(Implementation):
    """Multiply and accumulate, elementwise: a compiler can fuse all of it into one loop."""

    name = "depthwise_mac"
    idea = "depthwise only: sum over filter taps of shifted elementwise products, in float32"

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """One input channel per group."""
        if case.group_in_channels != 1:
            return f"computes 1 input channel per group only, not {case.group_in_channels}"
        return None

    def roundings(self, case: Case, tensor: str, device: str) -> int:  # noqa: ARG002
        """Everything is summed in the accumulator's type and rounded once."""
        return 1

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """R * S products and sums."""
        products = (pixels * tap.unsqueeze(-1) for tap, pixels in wide_taps(case, x, weight))
        y = next(products)
        for product in products:
            y = y + product
        y = y.flatten(1, 2)
        y = y if bias is None else y + bias.view(-1, 1, 1)
        return y.to(x.dtype)
