"""Which outputs does each input channel reach? One channel at a time is NaN, and one looks.

NaN spreads through every product and sum, whatever it is multiplied with, so an output that stays
finite does not depend on that channel. One that turns NaN does, or its kernel multiplies the
channel by zero, as some do that compute several channels at once: where NaN reaches other outputs
than the definition says, it is asked again with a one among zeros, which such products do not pass.
"""

from __future__ import annotations

import math
from dataclasses import replace as replaced
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace

from gconvbench.accuracy import valid_taps
from gconvbench.cases import case_id, flops
from gconvbench.operands import normal_operands
from gconvbench.records import Connections, ranges_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Operands

__all__ = ["IMAGES", "connections_of", "reach_matrix", "smallest_probe", "without_numbers"]

_OWN_SIZE_FLOPS = 1 << 36
"""A launch for each channel may take so many in all: some seconds on one core."""
_MOST_FLOPS = 1 << 40
"""Beyond this even the smallest input takes minutes."""
_HALVES = {"float16", "bfloat16"}
_SLOWER_HALVES = 16
"""How many times slower a CPU without instructions for half types computes them, about."""
IMAGES = 64
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
    is_own = all_flops <= _OWN_SIZE_FLOPS and valid_taps(own)  # else windows lie on padding
    probe = own if is_own else smallest_probe(own)
    if (needed := flops(probe) * case.in_channels * slower) > _MOST_FLOPS:
        note = f"to poison {case.in_channels} channels takes {needed:.0e} operations, too many"
        return Connections(rows=(), probe=case_id(probe), is_own_size=probe == own, note=note)

    images = 1 if probe == own else min(IMAGES, case.in_channels)
    operands = normal_operands(replace(probe, batch=images), seed=seed, device=device)
    if weight is not None:
        operands = replaced(operands, weight=weight)
    matrix = reach_matrix(operands.x, _forward(implementation, probe, operands))
    note = "" if matrix is not None else "results are not finite without any poison, either"
    finite = None
    if matrix is not None and not torch.equal(matrix, _by_definition(case)):
        ones = without_numbers(operands)
        finite = _rows(reach_matrix(ones.x, _forward(implementation, probe, ones), poison=1.0))
    return Connections(
        rows=_rows(matrix),
        probe=case_id(probe),
        is_own_size=probe == own,
        finite=finite,
        note=note,
    )


def _forward(
    implementation: Implementation, probe: Case, operands: Operands
) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        layer = replace(probe, batch=len(x))
        given = replaced(operands, x=x, grad_output=operands.grad_output[: len(x)])
        return implementation.launch(layer, given)()[0]

    return forward


def without_numbers(operands: Operands) -> Operands:
    """Zeros as input, ones as weight: then nothing can cancel, and what is not zero was reached."""
    return replaced(
        operands,
        x=torch.zeros_like(operands.x),
        weight=torch.ones_like(operands.weight),
        bias=None if operands.bias is None else torch.zeros_like(operands.bias),
    )


def reach_matrix(
    images: Tensor, forward: Callable[[Tensor], Tensor], *, poison: float = math.nan
) -> Tensor | None:
    """`(C, K)` booleans: does poison in this input channel reach that output channel?

    None where outputs are not finite even without poison.

    Args:
        images: `(n, C, H, W)`; as many channels are poisoned at a time, each in its own image.
        forward: from `(m, C, H, W)` with m up to n to `(m, K, P, Q)`.
        poison: NaN, or a number in images of zeros.
    """
    if not torch.isfinite(forward(images)).all():
        return None
    channels = images.shape[1]
    found = []
    for first in range(0, channels, len(images)):
        poisoned = images[: channels - first].clone()
        number = torch.arange(len(poisoned), device=images.device)
        poisoned[number, first + number] = poison
        results = forward(poisoned)
        marks = results.isnan() if math.isnan(poison) else results != 0
        found.append(marks.flatten(2).any(dim=2).cpu())
    return torch.cat(found)


def _by_definition(case: Case) -> Tensor:
    """`(C, K)`: a block of each group on the diagonal."""
    block = torch.ones(case.group_in_channels, case.group_out_channels, dtype=torch.bool)
    return torch.block_diag(*[block] * case.groups)


def _rows(matrix: Tensor | None) -> tuple[str, ...]:
    if matrix is None:
        return ()
    return tuple(ranges_text(torch.nonzero(row).flatten().tolist()) for row in matrix.T)


def smallest_probe(case: Case) -> Case:
    """The same channels and window on as few pixels as one output needs, without padding."""
    rows, columns = case.reach
    return replace(
        case, direction="fprop", batch=1, height=rows, width=columns, padding=(0, 0), stride=(1, 1)
    )
