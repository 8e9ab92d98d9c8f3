"""One convolution per group, each written into every g-th channel of one output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.split import convolve_groups, empty_output

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["SplitInterleaved"]


class SplitInterleaved(Implementation):
    """The shuffle costs nothing beside the copies that a concatenation needs anyway."""

    name = "split_interleaved"
    idea = "one dense convolution per group, each copied into every g-th channel of one output"
    operations = ("conv_shuffle",)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """2 g launches."""
        y = empty_output(case, x)
        for group, part in enumerate(convolve_groups(case, x, weight, bias)):
            y[:, group :: case.groups] = part
        return y
