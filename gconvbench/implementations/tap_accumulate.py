"""A sum over filter taps of grouped 1x1 convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.taps import wide_taps

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["TapAccumulate"]


class TapAccumulate(Implementation):
    """No buffer for windows; reads its input and its sum once per tap."""

    name = "tap_accumulate"
    idea = "sum over filter taps of batched products on shifted views, in float32"

    def roundings(self, case: Case, tensor: str, device: str) -> int:  # noqa: ARG002
        """Everything is summed in the accumulator's type and rounded once."""
        return 1

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """R * S products and sums."""
        y: Tensor | None = None
        for tap, pixels in wide_taps(case, x, weight):
            product = torch.matmul(tap, pixels.flatten(-2))
            y = product if y is None else y.add_(product)
        assert y is not None  # noqa: S101 (a filter has at least one tap)
        y = y.flatten(1, 2).unflatten(2, case.output_size)
        y = y if bias is None else y + bias.view(-1, 1, 1)
        return y.to(x.dtype)
