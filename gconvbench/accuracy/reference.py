"""The float64 result that defines *right*, by a path that uses no convolution.

Windows are views of the padded input (`Tensor.unfold`), sums are `einsum`; the gradient by the
input goes the same way backwards. (PyTorch's own float64
convolution with groups on the CPU is itself split - convolve - concatenate, so it cannot judge an
implementation that does the same.) Everything is computed on the device of the operands, in blocks
of bounded memory.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations import result_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Operands

__all__ = [
    "BLOCK_BYTES",
    "output_groups",
    "reference_results",
    "split_groups",
    "valid_taps",
]

BLOCK_BYTES = 1 << 28
"""At most this much unfolded input at a time."""


def reference_results(
    case: Case, operands: Operands, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """The results of `case` on these operands in float64, by name.

    Layers behind a shuffle are computed one after the other, forwards and backwards.

    Args:
        case: the problem.
        operands: already rounded to the dtype under test.
        names: which results; all of `result_names` unless given.
    """
    names = result_names(case) if names is None else names
    if not names:
        return {}
    x, weight, grad = (
        tensor.double().contiguous()
        for tensor in (operands.x, operands.weight, operands.grad_output)
    )
    layers = [
        (layer, one.double().contiguous())
        for layer, one in zip(case.following, operands.following, strict=True)
    ]
    for layer, one in reversed(layers):
        grad = _grad_input(layer, one, grad)
    grad = _unshuffled(case, grad)

    def output() -> Tensor:
        y = _output(case, x, weight, operands.bias)
        for layer, one in layers:
            y = _output(layer, y, one, None)
        return y

    compute: dict[str, Callable[[], Tensor]] = {
        "output": output,
        "grad_input": lambda: _grad_input(case, weight, grad),
        "grad_weight": lambda: _grad_weight(case, x, grad),
        "grad_bias": lambda: grad.sum(dim=(0, 2, 3)),
    }
    return {name: compute[name]() for name in names}


def output_groups(case: Case) -> Tensor:
    """The group of each channel, `(K,)`: in blocks, or interleaved where they are shuffled.

    `shuffle(g)` moves channel `j * K / g + i` to `i * g + j` (Zhang et al. 2018, *ShuffleNet*,
    section 3.1).
    """
    channel = torch.arange(case.out_channels)
    if case.shuffles:
        return channel % case.groups
    return channel // case.group_out_channels


def split_groups(case: Case, name: str, tensor: Tensor) -> Tensor:
    """A result as `(g, elements)`: all that belongs to one group in one row.

    The output of layers behind a shuffle belongs to no group and is one row.
    """
    g = case.groups
    if name == "output" and case.following:
        return tensor.reshape(1, -1)
    if name == "output":
        tensor = _unshuffled(case, tensor)
    if name in {"output", "grad_input"}:
        return tensor.unflatten(1, (g, -1)).movedim(1, 0).reshape(g, -1)
    return tensor.reshape(g, -1)


def _unshuffled(case: Case, y: Tensor) -> Tensor:
    """Undo the channel shuffle, where there is one, on `(N, K, P, Q)`."""
    if not case.shuffles:
        return y
    return y.unflatten(1, (case.group_out_channels, case.groups)).transpose(1, 2).flatten(1, 2)


def _output(case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    pad_h, pad_w = case.padding
    padded = F.pad(x, (pad_w, pad_w, pad_h, pad_h))
    windows, taps = _windows(case, padded), _by_group(case, weight)
    n, _, p, q = case.output_shape
    blocks = padded.new_empty(n, case.groups, case.group_out_channels, p, q)
    for images, rows in _blocks(windows):
        window = windows[images, :, :, rows]
        blocks[images, :, :, rows] = torch.einsum("ngcpqrs,gkcrs->ngkpq", window, taps)
    y = blocks.flatten(1, 2)
    y = y if bias is None else y + bias.double().view(1, -1, 1, 1)
    if not case.shuffles:
        return y
    return y.unflatten(1, (case.groups, -1)).transpose(1, 2).flatten(1, 2)


def _grad_input(case: Case, weight: Tensor, grad: Tensor) -> Tensor:
    """The adjoint, tap by tap: each output's gradient goes back to every pixel of its window."""
    (n, _, p, q), (sh, sw), (ph, pw) = case.output_shape, case.stride, case.padding
    grouped = grad.unflatten(1, (case.groups, -1))
    taps = _by_group(case, weight)
    height, width = case.height + 2 * ph, case.width + 2 * pw
    padded = grad.new_zeros(n, case.groups, case.group_in_channels, height, width)
    for r, s in itertools.product(*map(range, case.kernel_size)):
        top, left = r * case.dilation[0], s * case.dilation[1]
        pixels = padded[..., top : top + sh * p : sh, left : left + sw * q : sw]
        pixels += torch.einsum("ngkpq,gkc->ngcpq", grouped, taps[..., r, s])
    return padded[..., ph : ph + case.height, pw : pw + case.width].flatten(1, 2)


def _grad_weight(case: Case, x: Tensor, grad: Tensor) -> Tensor:
    pad_h, pad_w = case.padding
    padded = F.pad(x, (pad_w, pad_w, pad_h, pad_h))
    windows = _windows(case, padded)
    grouped = grad.unflatten(1, (case.groups, -1))
    total = x.new_zeros(
        case.groups, case.group_out_channels, case.group_in_channels, *case.kernel_size
    )
    for images, rows in _blocks(windows):
        block, dy = windows[images, :, :, rows], grouped[images, :, :, rows]
        total += torch.einsum("ngcpqrs,ngkpq->gkcrs", block, dy)
    return total.flatten(0, 1)


def valid_taps(case: Case) -> int:
    """Pairs of output pixel and filter tap, of one image and channel, that miss the padding."""
    return _valid_taps(case, 0) * _valid_taps(case, 1)


def _valid_taps(case: Case, axis: int) -> int:
    size = (case.height, case.width)[axis]
    step, start = case.stride[axis], -case.padding[axis]
    pixels = (
        start + step * output + case.dilation[axis] * tap
        for output in range(case.output_size[axis])
        for tap in range(case.kernel_size[axis])
    )
    return sum(0 <= pixel < size for pixel in pixels)


def _by_group(case: Case, weight: Tensor) -> Tensor:
    return weight.unflatten(0, (case.groups, -1))


def _windows(case: Case, padded: Tensor) -> Tensor:
    """A view `(N, g, C / g, P, Q, R, S)` of every window of a padded input."""
    (reach_h, reach_w), (dil_h, dil_w) = case.reach, case.dilation
    windows = padded.unfold(2, reach_h, case.stride[0]).unfold(3, reach_w, case.stride[1])
    return windows[..., ::dil_h, ::dil_w].unflatten(1, (case.groups, -1))


def _blocks(windows: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of images and rows whose unfolded copies stay under `BLOCK_BYTES`."""
    n, p = windows.shape[0], windows.shape[3]
    row_bytes = 8 * math.prod(windows.shape[1:]) // p
    rows = max(1, min(p, BLOCK_BYTES // row_bytes))
    images = max(1, BLOCK_BYTES // (row_bytes * p)) if rows == p else 1
    for first in range(0, n, images):
        for row in range(0, p, rows):
            yield slice(first, first + images), slice(row, row + rows)
