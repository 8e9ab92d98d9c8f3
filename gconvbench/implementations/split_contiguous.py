"""One convolution per group on copies of the slices, then one concatenation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.base import MEMORY_FORMATS, Implementation
from gconvbench.implementations.split import convolve_groups

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["SplitContiguous"]


class SplitContiguous(Implementation):
    """Copies for kernels that are slow, or misaligned, on strided slices."""

    name = "split_contiguous"
    idea = "split channels and copy each slice, one dense convolution per group, torch.cat"

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """One group is one contiguous slice."""
        return "with groups=1 this would be split_concat once more" if case.groups == 1 else None

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """2 g + 1 launches."""
        parts = convolve_groups(case, x, weight, bias, copied=MEMORY_FORMATS[case.memory_format])
        return torch.cat(parts, dim=1)
