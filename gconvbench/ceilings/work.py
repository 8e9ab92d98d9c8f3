"""What ceilings are measured with. Operands are standard normal; zeros could run faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from gconvbench.cases import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Work", "copies", "next_to_nothing", "products"]

_MIB = 2**20
_BLOCK_BYTES = 4 * _MIB
"""So much is drawn of normal numbers and repeated: to draw gigabytes would take seconds."""
_CACHES = 8
"""Each buffer of a copy is so many times as large as the last-level cache: at twice its size one
AMD EPYC still copied 11 % faster than at eight times, from where on the rate stayed the same."""
_FEWEST_CACHES = 2
"""So many at the least, where memory or a cache of hundreds of megabytes allow no more."""
_LARGE_CACHE_BYTES = 128 * _MIB
"""Where nobody names its size: those of cards and of most processors so far are smaller."""
_SMALLEST_COPY = 64 * _MIB
_LARGEST_COPY = {"cpu": 1024 * _MIB, "cuda": 4096 * _MIB}
_SHARE_OF_FREE = 0.5
"""Of free memory, for all operands of one size."""
_EDGES = {"cpu": (256, 512, 1024, 2048, 4096), "cuda": (2048, 4096, 8192, 16384)}
"""Of square matrices, large enough to occupy the whole device and to be read many times over."""
_CHANNELS = (64, 128, 256, 512)
_PIXELS = 32
_TAPS = 3


class Work(NamedTuple):
    """One kind of work in growing sizes.

    Attributes:
        name: what it is, for people.
        sizes: in ascending order.
        amount: how much a launch of a size does, in bytes or operations.
        prepare: draws operands of a size and returns the launch.
    """

    name: str
    sizes: tuple[int, ...]
    amount: Callable[[int], float]
    prepare: Callable[[int], Callable[[], object]]


def copies(device: str, *, cache_bytes: int | None, free: int) -> Work:
    """Large `copy_`s; a size is the bytes of each of the two buffers, doubled from step to step.

    Each byte counts twice, as read and as written. What the hardware moves beyond that is not
    counted, such as lines that a CPU reads before it overwrites them. Without a size where there
    is no room for what no cache holds.
    """
    cache = cache_bytes or _LARGE_CACHE_BYTES
    most = min(_SHARE_OF_FREE * free / 2, max(_LARGEST_COPY[_kind(device)], _FEWEST_CACHES * cache))
    size = _in_blocks(min(most, max(_SMALLEST_COPY, _CACHES * cache)))
    sizes: list[int] = []
    while _FEWEST_CACHES * cache <= size <= most:
        sizes.append(size)
        size *= 2

    def prepare(size: int) -> Callable[[], object]:
        block = torch.randn(_BLOCK_BYTES // DTYPES["float32"], device=device)
        source = block.repeat(size // _BLOCK_BYTES)
        destination = torch.empty_like(source)
        return lambda: destination.copy_(source)

    return Work("copy", tuple(sizes), lambda size: 2 * size, prepare)


def products(dtype: str, device: str, *, free: int) -> tuple[Work, ...]:
    """Products of two square matrices, 2 n^3 operations, the second as it is and transposed.

    On the CPU also a dense 3 x 3 convolution, which oneDNN computes by other kernels than products
    and without Winograd's savings. On a GPU there is none: cuDNN may choose Winograd or FFT, which
    do less than is counted.
    """
    room = _SHARE_OF_FREE * free
    edges = tuple(n for n in _EDGES[_kind(device)] if 3 * DTYPES[dtype] * n**2 <= room)

    def product(edge: int) -> Callable[[], object]:
        a, b = (_normal((edge, edge), dtype, device) for _ in range(2))
        out = torch.empty_like(a)
        return lambda: torch.mm(a, b, out=out)

    def transposed(edge: int) -> Callable[[], object]:
        a, b = (_normal((edge, edge), dtype, device) for _ in range(2))
        out = torch.empty_like(a)
        return lambda: torch.mm(a, b.t(), out=out)

    both = (
        Work("product", edges, lambda edge: 2 * edge**3, product),
        Work("transposed product", edges, lambda edge: 2 * edge**3, transposed),
    )
    return (*both, _convolutions(dtype, device)) if device == "cpu" else both


def next_to_nothing(device: str) -> Callable[[], object]:
    """The launch that negates one number."""
    return torch.ones(1, device=device).neg_


def _convolutions(dtype: str, device: str) -> Work:
    """Dense, 3 x 3, C to C channels, 32 x 32 pixels of output, no padding: 2 * 1024 * 9 C^2."""

    def prepare(channels: int) -> Callable[[], object]:
        side = _PIXELS + _TAPS - 1
        x = _normal((1, channels, side, side), dtype, device)
        weight = _normal((channels, channels, _TAPS, _TAPS), dtype, device)
        return lambda: torch.nn.functional.conv2d(x, weight)

    return Work(
        "3x3 convolution",
        _CHANNELS,
        lambda channels: 2 * _PIXELS**2 * _TAPS**2 * channels**2,
        prepare,
    )


def _in_blocks(size: float) -> int:
    """As much of it as whole blocks make."""
    return int(size // _BLOCK_BYTES) * _BLOCK_BYTES


def _normal(shape: tuple[int, ...], dtype: str, device: str) -> torch.Tensor:
    kept = getattr(torch, dtype)
    wide = kept if dtype == "float64" else torch.float32
    return torch.randn(shape, device=device, dtype=wide).to(kept)


def _kind(device: str) -> str:
    return device.partition(":")[0]
