"""The step that block-diagonal implementations share: zeros between groups that become one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["expand_blocks"]


def expand_blocks(case: Case, weight: Tensor, merged: int) -> Tensor:
    """`(K, C / g, R, S)` to `(K, merged * C / g, R, S)`, zeros outside blocks; differentiable."""
    k, c = case.group_out_channels, case.group_in_channels
    eye = torch.eye(merged, dtype=weight.dtype, device=weight.device)
    blocks = weight.reshape(-1, merged, k, 1, c, *case.kernel_size)
    return (blocks * eye.view(merged, 1, merged, 1, 1, 1)).reshape(
        case.out_channels, merged * c, *case.kernel_size
    )
