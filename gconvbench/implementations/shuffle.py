"""The step that shuffling implementations share: which channel goes where."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["convolve", "shuffle_order"]


def convolve(case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The grouped convolution alone, `(N, K, P, Q)`, before any shuffle."""
    return F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)


@lru_cache(maxsize=4)
def shuffle_order(case: Case, device: torch.device) -> Tensor:
    """`(K,)`: the channel that each channel of the shuffled output comes from.

    Made once for a case, as a layer would hold it.
    """
    channels = torch.arange(case.out_channels, device=device)
    return channels.view(case.groups, -1).T.flatten()
