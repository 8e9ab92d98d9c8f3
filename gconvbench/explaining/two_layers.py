"""What a second grouped layer sees of the first one's inputs, with a shuffle and without."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace

from gconvbench.explaining.poison import IMAGES, reach_matrix, smallest_probe, without_numbers
from gconvbench.implementations.shuffle import shuffle_order
from gconvbench.operands import normal_operands
from gconvbench.records import Span, TwoLayers

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation

__all__ = ["two_layers_of"]


def two_layers_of(
    implementation: Implementation, case: Case, *, seed: int, device: str
) -> TwoLayers | None:
    """Launch the layer and a second one (1x1, as many channels and groups) on the smallest input.

    The poison is a one among zeros, and all weights are ones: what is not zero was reached. None
    where results are not finite.

    Args:
        implementation: what to launch for both.
        case: the first layer.
        seed: of the operands.
        device: where to launch.
    """
    images = min(IMAGES, case.in_channels)
    first = replace(smallest_probe(case), batch=images)
    second = replace(
        first,
        in_channels=first.out_channels,
        height=1,
        width=1,
        kernel_size=(1, 1),
        dilation=(1, 1),
        bias=False,
    )
    order = shuffle_order(first, torch.device(device))
    operands = {
        one: without_numbers(normal_operands(one, seed=seed, device=device))
        for one in (first, second)
    }

    def layer(one: Case, x: Tensor) -> Tensor:
        mine = operands[one]
        given = dataclasses.replace(mine, x=x, grad_output=mine.grad_output[: len(x)])
        return implementation.launch(replace(one, batch=len(x)), given)()[0]

    x = operands[first].x
    without = reach_matrix(x, lambda x: layer(second, layer(first, x)), poison=1.0)
    shuffled = reach_matrix(x, lambda x: layer(second, layer(first, x)[:, order]), poison=1.0)
    if without is None or shuffled is None:
        return None
    return TwoLayers(without=_span(without), shuffled=_span(shuffled))


def _span(matrix: Tensor) -> Span:
    """Of a `(C, K)` matrix of what reaches what."""
    seen = matrix.sum(dim=0)
    return Span(fewest=int(seen.min()), most=int(seen.max()))
