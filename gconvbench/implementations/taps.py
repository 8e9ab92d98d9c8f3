"""The step that tap-by-tap implementations share: the pixels that each filter tap meets."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations.base import accumulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["wide_taps"]


def wide_taps(case: Case, x: Tensor, weight: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Per filter tap its weights `(g, K / g, C / g)` and its pixels, a view `(N, g, C / g, P, Q)`.

    Both in the accumulator's type: products of half precision, rounded one by one, would add an
    error that hides real faults.
    """
    wide = accumulator(x.dtype)
    (pad_h, pad_w), (step_h, step_w) = case.padding, case.stride
    rows, columns = case.output_size
    padded = F.pad(x.to(wide), (pad_w, pad_w, pad_h, pad_h)).unflatten(1, (case.groups, -1))
    taps = weight.to(wide).unflatten(0, (case.groups, -1))
    for r, s in itertools.product(*map(range, case.kernel_size)):
        top, left = r * case.dilation[0], s * case.dilation[1]
        bottom, right = top + step_h * (rows - 1) + 1, left + step_w * (columns - 1) + 1
        yield taps[..., r, s], padded[..., top:bottom:step_h, left:right:step_w]
