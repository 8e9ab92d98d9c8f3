"""One convolution per group, then concatenation and shuffle in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.split import convolve_groups

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["SplitStack"]


class SplitStack(Implementation):
    """Stacking the groups' outputs behind their channels interleaves them, which is the shuffle."""

    name = "split_stack"
    idea = (
        "one dense convolution per group, torch.stack behind the channels (cat and shuffle in one)"
    )
    operations = ("conv_shuffle",)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """G + 1 launches."""
        return torch.stack(convolve_groups(case, x, weight, bias), dim=2).flatten(1, 2)
