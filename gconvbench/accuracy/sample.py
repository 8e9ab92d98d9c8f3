"""The float64 reference at a few places of each result, for problems too large to compute in full.

Every element of a result is a dot product, so any of them can be computed alone, from explicit
indices. Places are drawn at random within each group; the first ones, at most half of them, are
corners of the plane in the group's first and last channels, where unwritten borders and wrong tails
would show.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.accuracy.reference import BLOCK_BYTES
from gconvbench.cases import reduction_length
from gconvbench.operands import case_generator

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Operands

__all__ = ["draw_places", "places_per_group", "result_shape", "values_at"]

_MOST_PLACES = 2048
"""Per result, all groups together."""
_FEWEST_PLACES = 16
"""Per group; at most half of them are corners, which never see a filter's centre."""
_MOST_PRODUCTS = 1 << 26
"""Summed for all places of one result: about a second, since each is gathered by its index."""


def result_shape(case: Case, name: str) -> tuple[int, ...]:
    """The shape of a result by its name; see `RESULTS`."""
    shapes: dict[str, tuple[int, ...]] = {
        "output": case.output_shape,
        "grad_input": case.input_shape,
        "grad_weight": case.weight_shape,
        "grad_bias": (case.out_channels,),
    }
    return shapes[name]


def draw_places(case: Case, name: str, *, seed: int) -> Tensor:
    """Indices `(g, m, 4)` into a four-dimensional result: m places in each group."""
    shape, channel = _group_shape(case, name)
    count = places_per_group(case, name)
    generator = case_generator(case, seed + 3)
    sides = torch.tensor(shape)
    places = (torch.rand(case.groups, count, 4, generator=generator) * sides).long()
    corners = torch.cartesian_prod(*(torch.tensor([0, side - 1]) for side in shape[1:]))
    chosen = corners[: count // 2]
    places[:, : len(chosen), 1:] = chosen
    places = places.minimum(sides - 1)
    if name == "grad_weight":  # its channels in the group come first, the batch nowhere
        places = places[..., [1, 0, 2, 3]]
    number = torch.arange(case.groups).view(-1, 1)
    places[..., channel] = _global_channel(case, name, number, places[..., channel])
    return places


def places_per_group(case: Case, name: str) -> int:
    """m: as many as time allows, a few at least, and no more than a group has elements."""
    affordable = _MOST_PRODUCTS // (reduction_length(case, name) * case.groups)
    count = max(_FEWEST_PLACES, min(_MOST_PLACES // case.groups, affordable))
    return min(count, math.prod(_group_shape(case, name)[0]))


def _group_shape(case: Case, name: str) -> tuple[tuple[int, int, int, int], int]:
    """Sides to draw from, one group's channels second, and the dimension that has all groups'."""
    n, c, h, w = case.input_shape
    _, k, p, q = case.output_shape
    return {
        "output": ((n, k // case.groups, p, q), 1),
        "grad_input": ((n, c // case.groups, h, w), 1),
        "grad_weight": (
            (case.group_in_channels, k // case.groups, *case.kernel_size),
            0,
        ),
    }[name]


def _global_channel(case: Case, name: str, group: Tensor, local: Tensor) -> Tensor:
    if name == "grad_input":
        return group * case.group_in_channels + local
    if name == "output" and case.shuffles:
        return local * case.groups + group
    return group * case.group_out_channels + local


def values_at(case: Case, name: str, operands: Operands, places: Tensor) -> Tensor:
    """The float64 values `(g, m)` of a result at `places` `(g, m, 4)`.

    Only for operations that end with the grouped convolution or its shuffle.
    """
    compute = {"output": _output, "grad_input": _grad_input, "grad_weight": _grad_weight}[name]
    flat = places.to(operands.x.device).flatten(0, 1)
    at_once = max(1, BLOCK_BYTES // (3 * 8 * reduction_length(case, name)))
    padded = _padded(case, operands.x) if name != "grad_input" else operands.x
    blocks = [compute(case, operands, padded, block) for block in flat.split(at_once)]
    return torch.cat(blocks).view(places.shape[:2])


def _padded(case: Case, x: Tensor) -> Tensor:
    pad_h, pad_w = case.padding
    return F.pad(x, (pad_w, pad_w, pad_h, pad_h))


def _output(case: Case, operands: Operands, padded: Tensor, places: Tensor) -> Tensor:
    n, k, p, q = places.unbind(1)
    if case.shuffles:
        k = k % case.groups * case.group_out_channels + k // case.groups
    channels = _group_channels(k // case.group_out_channels, case.group_in_channels)
    rows = p.unsqueeze(1) * case.stride[0] + _taps(case, 0, k)
    columns = q.unsqueeze(1) * case.stride[1] + _taps(case, 1, k)
    windows = padded[_by(n, 1), _by(channels, 2), _by(rows, 3), _by(columns, 4)]
    y = _dot(windows, operands.weight[k])
    return y if operands.bias is None else y + operands.bias[k].double()


def _grad_input(case: Case, operands: Operands, _: Tensor, places: Tensor) -> Tensor:
    n, c, h, w = places.unbind(1)
    group = c // case.group_in_channels
    channels = _group_channels(group, case.group_out_channels)
    weight = operands.weight[channels, (c % case.group_in_channels).unsqueeze(1)]
    rows, row_fits = _origins(case, 0, h, operands.grad_output.shape[2])
    columns, column_fits = _origins(case, 1, w, operands.grad_output.shape[3])
    arrived = channels
    if case.shuffles:
        arrived = channels % case.group_out_channels * case.groups + group.unsqueeze(1)
    pixels = operands.grad_output[_by(n, 1), _by(arrived, 2), _by(rows, 3), _by(columns, 4)]
    fits = _by(row_fits, 3) & _by(column_fits, 4)
    return _dot(torch.where(fits, pixels, 0), weight)


def _grad_weight(case: Case, operands: Operands, padded: Tensor, places: Tensor) -> Tensor:
    k, c, r, s = places.unbind(1)
    p, q = case.output_size
    group = k // case.group_out_channels
    images = torch.arange(case.batch, device=k.device).view(1, -1)
    steps = torch.arange(p, device=k.device), torch.arange(q, device=k.device)
    rows = (r * case.dilation[0]).unsqueeze(1) + case.stride[0] * steps[0]
    columns = (s * case.dilation[1]).unsqueeze(1) + case.stride[1] * steps[1]
    channel = group * case.group_in_channels + c
    windows = padded[_by(images, 2), _by(channel, 1), _by(rows, 3), _by(columns, 4)]
    arrived = k % case.group_out_channels * case.groups + group if case.shuffles else k
    return _dot(windows, operands.grad_output[:, arrived].transpose(0, 1))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """`(m,)`: sums of products over all but the first dimension."""
    return torch.linalg.vecdot(a.double().flatten(1), b.double().flatten(1))


def _by(index: Tensor, dimension: int) -> Tensor:
    """`(m,)` or `(m, j)` as `(m, 1, .., j, .., 1)` of four dimensions, j where `dimension` says."""
    shape = [index.shape[0], 1, 1, 1]
    if index.dim() > 1:
        shape[dimension - 1] = index.shape[1]
    return index.reshape(shape)


def _group_channels(group: Tensor, per_group: int) -> Tensor:
    """`(m, per_group)`: all channels of each place's group."""
    return group.unsqueeze(1) * per_group + torch.arange(per_group, device=group.device)


def _taps(case: Case, axis: int, like: Tensor) -> Tensor:
    return torch.arange(case.kernel_size[axis], device=like.device) * case.dilation[axis]


def _origins(case: Case, axis: int, pixel: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`(m, taps)`: the output that meets each pixel under each tap, and whether there is one."""
    offset = pixel.unsqueeze(1) + case.padding[axis] - _taps(case, axis, pixel)
    origin = offset.div(case.stride[axis], rounding_mode="floor")
    fits = (offset % case.stride[axis] == 0) & (origin >= 0) & (origin < size)
    return origin.clamp(0, size - 1), fits
