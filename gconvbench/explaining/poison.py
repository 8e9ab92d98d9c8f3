"""Which outputs does each input channel reach? One channel at a time is NaN, and one looks.

NaN spreads through every product and sum, whatever it is multiplied with, so an output that turns
NaN depends on that channel and one that stays finite does not (measured, not deduced).
"""

from __future__ import annotations

from dataclasses import replace as replaced
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace

from gconvbench.cases import case_id, flops
from gconvbench.operands import normal_operands
from gconvbench.records import Connections, ranges_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation

__all__ = ["connections_of", "reach_matrix", "smallest_probe"]

_OWN_SIZE_FLOPS = 1 << 36
"""A launch for each channel may take so many in all: some seconds on one core."""
_MOST_FLOPS = 1 << 40
"""Beyond this even the smallest input takes minutes."""
_HALVES = {"float16", "bfloat16"}
_SLOWER_HALVES = 16
"""How many times slower a CPU without instructions for half types computes them, about."""
_IMAGES = 64
"""Channels that are poisoned in one launch of the smallest input, each in an image of its own."""


def connections_of(
    implementation: Implementation,
    case: Case,
    *,
    seed: int,
    device: str,
    weight: Tensor | None = None,
) -> Connections:
    """Poison every input channel in turn, in the forward pass of one image.

    At the layer's own size where that is affordable, else on the smallest input that has an output.

    Args:
        implementation: what to launch.
        case: the layer.
        seed: of the operands.
        device: where to launch.
        weight: the layer's own; else one is drawn.
    """
    own = replace(case, direction="fprop", batch=1)
    slower = _SLOWER_HALVES if device == "cpu" and case.dtype in _HALVES else 1
    all_flops = flops(own) * case.in_channels * slower
    probe = own if all_flops <= _OWN_SIZE_FLOPS else smallest_probe(own)
    if (needed := flops(probe) * case.in_channels * slower) > _MOST_FLOPS:
        note = f"to poison {case.in_channels} channels takes {needed:.0e} operations, too many"
        return Connections(rows=(), probe=case_id(probe), is_own_size=probe == own, note=note)

    images = 1 if probe == own else min(_IMAGES, case.in_channels)
    operands = normal_operands(replace(probe, batch=images), seed=seed, device=device)
    if weight is not None:
        operands = replaced(operands, weight=weight)

    def forward(x: Tensor) -> Tensor:
        layer = replace(probe, batch=len(x))
        given = replaced(operands, x=x, grad_output=operands.grad_output[: len(x)])
        return implementation.launch(layer, given)()[0]

    matrix = reach_matrix(operands.x, forward)
    note = "" if matrix is not None else "results are not finite without any poison, either"
    rows = [] if matrix is None else [torch.nonzero(row).flatten().tolist() for row in matrix.T]
    return Connections(
        rows=tuple(map(ranges_text, rows)),
        probe=case_id(probe),
        is_own_size=probe == own,
        note=note,
    )


def reach_matrix(images: Tensor, forward: Callable[[Tensor], Tensor]) -> Tensor | None:
    """`(C, K)` booleans: does NaN in this input channel reach that output channel?

    None where outputs are not finite even without poison.

    Args:
        images: `(n, C, H, W)`; as many channels are poisoned at a time, each in its own image.
        forward: from `(m, C, H, W)` with m up to n to `(m, K, P, Q)`.
    """
    if not torch.isfinite(forward(images)).all():
        return None
    channels = images.shape[1]
    found = []
    for first in range(0, channels, len(images)):
        poisoned = images[: channels - first].clone()
        number = torch.arange(len(poisoned), device=images.device)
        poisoned[number, first + number] = torch.nan
        found.append(forward(poisoned).isnan().flatten(2).any(dim=2).cpu())
    return torch.cat(found)


def smallest_probe(case: Case) -> Case:
    """The same channels and window on as few pixels as one output needs, without padding."""
    rows, columns = case.reach
    return replace(
        case, direction="fprop", batch=1, height=rows, width=columns, padding=(0, 0), stride=(1, 1)
    )
