"""The step that the Triton implementations share: a grouped convolution by kernels of our own.

An implicit GEMM: a program computes a tile of some pixels times some output channels, and reads for
each filter tap the pixels that it meets, with zeros for padding; no window is ever written out.
The gradient of the input is the same kernel with the roles exchanged, and that of the filter one
that keeps a tile of the filter and goes through pixels, in parts that are added up in a fixed
order, so that results do not depend on who comes first. A bias is added, and its gradient summed,
where its data are at hand. Everything is summed in float32 (float64 in float64) and rounded once.

Why this should suit layers with few channels per group, which are bound by memory: each element
should come from device memory once. Tiles of the same pixels and other channels run side by side
and share cache lines; taps find their pixels in the L1 cache, for which loads are not pipelined
past it; groups narrower than a tensor core's tile are packed as a block diagonal, which multiplies
zeros instead of waiting for memory, except for depthwise layers, and those of up to four channels
in IEEE float32, which are summed elementwise (see `triton_tiles`).

Triton is imported on first use: whether it compiles or interprets is decided as it is imported, and
the package must import without it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from torch.autograd.function import once_differentiable

from gconvbench.implementations.base import MEMORY_FORMATS, accumulator
from gconvbench.implementations.triton_arguments import Way, blocks_of, constants_of, taps_of
from gconvbench.implementations.triton_tiles import (
    Tile,
    pack_of,
    sums,
    tiles_of_convolution,
    tiles_of_gradient,
    tuned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["convolve_by_triton", "multiplied_groups", "problem_of"]

_ROWS, _COLUMNS = 32, 64
"""Parts and elements of a tile where parts of a gradient are added up."""


def multiplied_groups(case: Case) -> int:
    """How many groups' channels each output is multiplied with, all but one of them by zeros."""
    return 1 if sums(case) else pack_of(case)


def convolve_by_triton(case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The grouped convolution, shuffled if the case says so, `(N, K, P, Q)`; differentiable once.

    The batch is that of `x`, and operands may lie in memory in any way.
    """
    if x.dtype == torch.bfloat16 and x.device.type == "cpu":
        # The interpreter multiplies the bits of bfloat16 as integers, and cuts instead of rounding.
        wide = (None if one is None else one.float() for one in (x, weight, bias))
        y: Tensor = _apply(case, *wide)
        return y.to(x.dtype)
    return _apply(case, x, weight, bias)


class _Convolution(torch.autograd.Function):
    """Two gradients that are computed only where they are asked for.

    No `torch.library` operator: nothing traces or exports these, and a launch would pay for its
    dispatch.
    """

    @staticmethod
    def forward(ctx: Any, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x, weight)
        ctx.case = case
        return _output(case, x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        _, for_x, for_weight, for_bias = ctx.needs_input_grad
        dx = _input_gradient(ctx.case, x, weight, dy) if for_x else None
        dw = db = None
        if for_weight or for_bias:
            dw, db = _filter_gradient(ctx.case, x, weight, dy, with_bias=for_bias)
        return None, dx, dw if for_weight else None, db


_apply: Callable[..., Tensor] = _Convolution.apply


def _way_forward(case: Case) -> Way:
    down, right = case.padding
    return Way(case.stride, case.dilation, (-down, -right), (1, 1))


def _way_back(case: Case) -> Way:
    down, right = case.dilation
    return Way((1, 1), (-down, -right), case.padding, case.stride)


def _by_group(tensor: Tensor, groups: int, *, shuffled: bool = False) -> Tensor:
    """A view `(N, g, C / g, H, W)`. Shuffled, channel i of group j is number i g + j."""
    if shuffled:
        return tensor.unflatten(1, (-1, groups)).transpose(1, 2)
    return tensor.unflatten(1, (groups, -1))


def _output(case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    y = _empty(case, x, (x.shape[0], *case.output_shape[1:]))
    filters = weight.unflatten(0, (case.groups, -1))
    target = _by_group(y, case.groups, shuffled=case.shuffles)
    _gather(case, "output", _by_group(x, case.groups), filters, bias, target, _way_forward(case))
    return y


def _input_gradient(case: Case, x: Tensor, weight: Tensor, dy: Tensor) -> Tensor:
    dx = _empty(case, x, x.shape)
    filters = weight.unflatten(0, (case.groups, -1)).transpose(1, 2)
    source = _by_group(dy, case.groups, shuffled=case.shuffles)
    target = _by_group(dx, case.groups)
    _gather(case, "grad_input", source, filters, None, target, _way_back(case))
    return dx


def _empty(case: Case, x: Tensor, shape: Sequence[int]) -> Tensor:
    memory_format = MEMORY_FORMATS[case.memory_format]
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=memory_format)


def _gather(  # noqa: PLR0913, PLR0917 (a kernel's operands)
    case: Case,
    name: str,
    source: Tensor,
    filters: Tensor,
    bias: Tensor | None,
    target: Tensor,
    way: Way,
) -> None:
    """Fill `target`, `(N, g, OUT, P, Q)`, from `source`, `(N, g, IN, H, W)`.

    `filters` are `(g, OUT, IN, R, S)`.
    """
    if not target.numel():
        return
    from gconvbench.implementations import triton_kernels as kernels  # noqa: PLC0415

    batch, groups, outputs, rows, columns = target.shape
    inputs = source.shape[2]
    pixels = batch * rows * columns
    sizes = (pixels, rows, columns, *source.shape[3:])
    strides = (*source.stride(), *filters.stride(), *target.stride())
    constants = constants_of(case, source, target) | {
        "HAS_BIAS": bias is not None,
        "PHASES_H": way.phases[0],
        "PHASES_W": way.phases[1],
    }

    def launch(tile: Tile) -> None:
        tiles = _ceil(groups, tile.pack) * _ceil(tile.pack * outputs, tile.outputs)
        kernels.convolve[(tiles * _ceil(pixels, tile.pixels),)](
            source,
            filters,
            source if bias is None else bias,
            target,
            *sizes,
            *strides,
            0 if bias is None else bias.stride(0),
            **constants,
            **taps_of(case, way),
            **blocks_of(tile),
        )

    _run(case, name, batch, source.device, tiles_of_convolution(case, inputs, outputs), launch)


def _filter_gradient(
    case: Case, x: Tensor, weight: Tensor, dy: Tensor, *, with_bias: bool
) -> tuple[Tensor, Tensor | None]:
    dw = torch.empty_like(weight)  # dense, whatever the weight is
    db = weight.new_empty(case.out_channels) if with_bias else None
    if not x.shape[0]:
        return dw.zero_(), None if db is None else db.zero_()
    from gconvbench.implementations import triton_gradient_kernels as kernels  # noqa: PLC0415

    source = _by_group(x, case.groups)
    gradient = _by_group(dy, case.groups, shuffled=case.shuffles)
    batch, groups, _, rows, columns = gradient.shape
    pixels = batch * rows * columns
    sizes = (pixels, rows, columns, *source.shape[3:])
    strides = (*source.stride(), *gradient.stride(), *dw.unflatten(0, (groups, -1)).stride())
    part = dw.numel() + (case.out_channels if with_bias else 0)
    constants = constants_of(case, source, gradient) | {"HAS_BIAS": with_bias}
    wide = accumulator(x.dtype)

    def launch(tile: Tile) -> None:
        tiles = _tiles_of_filter(case, tile)
        count, blocks = _split(_ceil(pixels, tile.pixels), tiles, tile.waves, x.device)
        parts = torch.empty((count, part), dtype=wide, device=x.device)
        kernels.differentiate[(tiles * count,)](
            source,
            gradient,
            parts,
            *sizes,
            *strides,
            dw.numel(),
            part,
            blocks,
            **constants,
            **taps_of(case, _way_forward(case)),
            **blocks_of(tile),
            BLOCK_TAPS=tile.taps,
        )
        kernels.add_parts[(_ceil(part, _COLUMNS),)](
            parts,
            dw,
            dw if db is None else db,
            dw.numel(),
            part,
            count,
            ACCUMULATOR=constants["ACCUMULATOR"],
            ROWS=_ROWS,
            BLOCK=_COLUMNS,
        )

    _run(case, "grad_weight", batch, x.device, tiles_of_gradient(case), launch)
    return dw, db


def _tiles_of_filter(case: Case, tile: Tile) -> int:
    """Programs that the filter is divided among."""
    rows, columns = case.kernel_size
    packs = _ceil(case.groups, tile.pack) * _ceil(tile.pack * case.group_out_channels, tile.outputs)
    channels = case.group_in_channels
    inputs = channels if sums(case) else _ceil(tile.pack * channels, tile.inputs)
    return packs * inputs * _ceil(rows * columns, tile.taps)


def _split(blocks: int, tiles: int, waves: int, device: torch.device) -> tuple[int, int]:
    """Into how many parts blocks of pixels are divided, and the blocks of each."""
    wanted = max(1, waves * _multiprocessors(device) // tiles)
    each = _ceil(blocks, min(blocks, wanted))
    return _ceil(blocks, each), each


@lru_cache
def _multiprocessors(device: torch.device) -> int:
    """1 where it is interpreted."""
    if device.type == "cpu":
        return 1
    return torch.cuda.get_device_properties(device).multi_processor_count


def problem_of(case: Case, batch: int) -> Case:
    """What tiles are chosen for, whatever direction asks for it."""
    return msgspec.structs.replace(case, batch=batch, direction="fprop")


def _run(  # noqa: PLR0913, PLR0917
    case: Case,
    name: str,
    batch: int,
    device: torch.device,
    tiles: Sequence[Tile],
    launch: Callable[[Tile], None],
) -> None:
    """Launch with the best tile for the shape, type, memory format and device.

    Operands of other strides get the same tile. Where it is interpreted, nothing can be timed, and
    numpy is kept from warning of NaN, which proofs use as poison.
    """
    problem = problem_of(case, batch)
    if device.type == "cpu":
        with np.errstate(all="ignore"):
            launch(tuned((name, problem, device), tiles, None))
    else:
        with torch.cuda.device(device):  # Triton launches on the current one
            launch(tuned((name, problem, device), tiles, launch))


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
