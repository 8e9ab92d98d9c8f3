"""How the Triton kernels cut their work: the tiles to try, and the choice among them.

Whether a kernel multiplies or sums follows from the case alone. Sizes are tried out, on the device,
within a case's first launch, and among them how many groups share a tile: that decides between
which groups NaN leaks (0 * NaN), so that another process may leak it further. What was chosen is
told with what a launch runs (`choices`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gconvbench.cases import Case

__all__ = ["Choice", "Tile", "choices_of", "chosen", "pack_of", "sums", "tiles_of_convolution",
           "tiles_of_gradient", "tuned"]  # fmt: skip

_SMALLEST = 16
"""Rows, columns and products of the smallest tile of `tl.dot` that every version takes."""
_SUMMED = {"tensor cores": 1, "ieee": 4}
"""The most input channels per group that are summed elementwise. In that form an output reads R S
C / g elements, in a packed tile R S of them, but a tile of 16 channels multiplies 16 / (C / g)
times too much: next to nothing on tensor cores, more than the reading costs without them."""
_FASTER = 0.95
"""A tile is preferred to an earlier one if it takes less than this share of its time, so that
equally good ones are not chosen by chance, another in every process."""
_TUNED: dict[object, Choice] = {}


@dataclass(frozen=True, kw_only=True)
class Tile:
    """What one program computes, and by how many warps.

    Attributes:
        pixels: in a block; a power of 2, as all sizes.
        outputs: output channels.
        inputs: input channels, of one step of a reduction (fprop, dgrad) or of the tile (wgrad).
        taps: filter taps of the tile (wgrad).
        pack: groups that share a tile.
        warps: of 32 threads.
        stages: loads that are on their way at a time; 1 loads through the L1 cache, where the taps
            of a pixel find what their neighbours read.
        waves: programs per multiprocessor that pixels are divided among (wgrad).
    """

    pixels: int
    outputs: int
    inputs: int = 1
    taps: int = 1
    pack: int = 1
    warps: int = 4
    stages: int = 1
    waves: int = 4

    def __str__(self) -> str:
        """`256x16x16, taps 1, pack 4, 4 warps, 1 stages, 4 waves`."""
        return (
            f"{self.pixels}x{self.outputs}x{self.inputs}, taps {self.taps}, pack {self.pack}, "
            f"{self.warps} warps, {self.stages} stages, {self.waves} waves"
        )


@dataclass(frozen=True)
class Choice:
    """The tile that was taken, what each took (ms, in the order tried), and what failed."""

    tile: Tile
    times_ms: tuple[tuple[Tile, float], ...] = ()
    failures: tuple[tuple[Tile, str], ...] = ()


def sums(case: Case) -> bool:
    """Whether the case is summed elementwise, and not multiplied on tensor cores."""
    if case.dtype == "float64":
        return True
    is_ieee = case.dtype == "float32" and case.math_mode == "ieee"
    return case.group_in_channels <= _SUMMED["ieee" if is_ieee else "tensor cores"]


def pack_of(case: Case, width: int = _SMALLEST) -> int:
    """How many groups share a tile of `width` channels; 1 where one group fills the smallest."""
    widest = max(case.group_in_channels, case.group_out_channels)
    return 1 if widest >= _SMALLEST else min(case.groups, width // widest)


def tiles_of_convolution(case: Case, inputs: int, outputs: int) -> tuple[Tile, ...]:
    """Tiles to try for an output, or for the input's gradient, in a fixed order.

    Args:
        case: the problem.
        inputs: channels per group that are summed over.
        outputs: channels per group that are computed.
    """
    if sums(case):
        return _unique(_of_sums(case, outputs))
    if max(inputs, outputs) < _SMALLEST:
        return _unique(
            Tile(pixels=pixels, outputs=_tile(pack * outputs), inputs=_tile(pack * inputs),
                 pack=pack, warps=warps, stages=stages)
            for width, pixels, warps, stages in (
                (16, 128, 4, 1), (16, 256, 4, 1), (16, 256, 4, 3), (16, 512, 8, 1),
                (32, 128, 4, 1), (32, 256, 8, 1), (32, 128, 4, 3), (64, 128, 8, 1),
            )
            for pack in [pack_of(case, width)]
        )  # fmt: skip
    narrow = case.dtype == "float32"
    return _unique(
        Tile(pixels=pixels, outputs=_tile(outputs, most), inputs=_tile(inputs, depth),
             warps=warps, stages=stages)
        for pixels, most, depth, warps, stages in (
            ((128, 32, 32, 4, 3), (64, 64, 32, 4, 2), (128, 64, 16, 8, 2), (64, 32, 16, 4, 1))
            if narrow else
            ((128, 64, 32, 4, 3), (128, 32, 32, 4, 1), (256, 32, 32, 8, 1), (256, 64, 32, 8, 3),
             (128, 128, 32, 8, 3), (64, 128, 64, 4, 3), (64, 64, 64, 4, 4))
        )
    )  # fmt: skip


def tiles_of_gradient(case: Case) -> tuple[Tile, ...]:
    """Tiles to try for the filter's gradient, in a fixed order."""
    inputs, outputs = case.group_in_channels, case.group_out_channels
    taps = _power(math.prod(case.kernel_size))
    if sums(case):
        return _unique(
            replace(tile, pixels=max(1, tile.pixels // 4), taps=min(taps, most))
            for tile in _of_sums(case, outputs)
            for most in (4, 16)
        )
    if max(inputs, outputs) < _SMALLEST:
        return _unique(
            Tile(pixels=pixels, outputs=_tile(pack * outputs), inputs=_tile(pack * inputs),
                 taps=min(taps, most), pack=pack, warps=warps, waves=waves)
            for width, pixels, most, warps, waves in (
                (16, 64, 4, 4, 8), (16, 128, 4, 4, 4), (16, 64, 16, 4, 4), (16, 32, 16, 4, 8),
                (32, 64, 4, 4, 4), (32, 64, 2, 4, 8),
            )
            for pack in [pack_of(case, width)]
        )  # fmt: skip
    return _unique(
        Tile(pixels=pixels, outputs=_tile(outputs, most), inputs=_tile(inputs, depth),
             taps=min(taps, several), warps=warps, stages=stages)
        for pixels, most, depth, several, warps, stages in (
            ((64, 32, 32, 1, 4, 3), (32, 64, 64, 1, 8, 2), (32, 32, 32, 2, 8, 1),
             (64, 16, 16, 8, 8, 1))
            if case.dtype == "float32" else
            ((64, 64, 64, 1, 4, 3), (64, 32, 32, 4, 4, 1), (32, 64, 32, 2, 4, 2),
             (32, 128, 64, 1, 8, 3), (64, 16, 16, 8, 4, 1))
        )
    )  # fmt: skip


def _of_sums(case: Case, outputs: int) -> Iterator[Tile]:
    """Wide in channels where these lie next to each other, else wide in pixels."""
    is_nhwc = case.memory_format == "channels_last"
    sizes = (
        ((32, 64), (64, 64), (128, 32), (16, 128)) if is_nhwc else ((256, 4), (512, 2), (256, 1))
    )
    for pixels, most in sizes:
        channels = min(most, _power(case.groups * outputs))
        pack = min(case.groups, max(1, channels // outputs))
        yield Tile(pixels=pixels, outputs=min(channels, _power(pack * outputs)), pack=pack)


def _tile(channels: int, most: int = 1 << 30) -> int:
    return max(_SMALLEST, min(most, _power(channels)))


def _power(number: int) -> int:
    """The smallest power of 2 that is not below."""
    return 1 << (number - 1).bit_length()


def _unique(tiles: Iterator[Tile]) -> tuple[Tile, ...]:
    return tuple(dict.fromkeys(tiles))


def tuned(key: object, tiles: Sequence[Tile], launch: Callable[[Tile], object] | None) -> Tile:
    """The tile for a key, chosen once per process.

    Args:
        key: everything that the times depend on.
        tiles: to try.
        launch: enqueues the work, cut by the tile it is given; None where nothing can be timed,
            which takes the first.

    Raises what the last tile raised, if none could be launched.
    """
    if key not in _TUNED:
        _TUNED[key] = Choice(tiles[0]) if launch is None else _try_out(tiles, launch)
    return _TUNED[key].tile


def chosen() -> dict[object, Choice]:
    """What was chosen in this process, by key."""
    return dict(_TUNED)


def choices_of(problem: Case) -> tuple[str, ...]:
    """What was chosen in this process for a problem, such as `output: 256x16x16, ...`; sorted.

    Args:
        problem: as it is part of the keys.
    """
    of_problem = {key: one for key, one in _TUNED.items() if isinstance(key, tuple)}
    return tuple(
        sorted(
            f"{name}: {one.tile}"
            for (name, about, _), one in of_problem.items()
            if about == problem
        )
    )


def _try_out(tiles: Sequence[Tile], launch: Callable[[Tile], object]) -> Choice:
    """Time each tile with an emptied cache; one that the device cannot run is passed over."""
    from torch import OutOfMemoryError  # noqa: PLC0415
    from triton.errors import TritonError  # noqa: PLC0415 (imported on first use)
    from triton.testing import do_bench  # noqa: PLC0415

    times_ms: list[tuple[Tile, float]] = []
    failures: list[tuple[Tile, Exception]] = []
    for tile in tiles:
        try:
            took = do_bench(partial(launch, tile), warmup=5, rep=20, return_mode="median")
        except (TritonError, OutOfMemoryError) as error:  # too much memory, or no such code
            failures.append((tile, error))
        else:
            times_ms.append((tile, took))
    if not times_ms:
        raise failures[-1][1]
    best = times_ms[0]
    for one in times_ms[1:]:
        best = one if one[1] < _FASTER * best[1] else best
    told = tuple((tile, f"{type(error).__name__}: {error}") for tile, error in failures)
    return Choice(best[0], tuple(times_ms), told)
