"""One convolution per group on views of the operands, then one concatenation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.split import convolve_groups

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["SplitConcat"]


class SplitConcat(Implementation):
    """Split the channels, convolve each group, concatenate: what `groups` means, spelt out."""

    name = "split_concat"
    idea = "split channels (views), one dense convolution per group, torch.cat"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """G + 1 launches."""
        return torch.cat(convolve_groups(case, x, weight, bias), dim=1)
