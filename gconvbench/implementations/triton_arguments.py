"""What the Triton kernels are specialised for, read off the case, the tensors and the tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gconvbench.implementations.triton_support import OFFSETS
from gconvbench.implementations.triton_tiles import sums

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.triton_tiles import Tile

__all__ = ["Way", "blocks_of", "constants_of", "taps_of"]


class Way(NamedTuple):
    """From pixel (p, q) and tap (r, s) to (p step + r tap + start) / phases; see the kernel."""

    step: tuple[int, int]
    tap: tuple[int, int]
    start: tuple[int, int]
    phases: tuple[int, int]


def constants_of(case: Case, source: Tensor, target: Tensor) -> dict[str, Any]:
    """What both kernels are specialised for."""
    import triton.language as tl  # noqa: PLC0415

    is_double = case.dtype == "float64"
    return {
        "GROUPS": case.groups,
        "IN": source.shape[2],
        "OUT": target.shape[2],
        "CHANNELS_LAST": case.memory_format == "channels_last",
        "LAID_IN": _laid(source),
        "LAID_OUT": _laid(target),
        "DOT": not sums(case),
        "PRECISION": case.math_mode,
        "ACCUMULATOR": tl.float64 if is_double else tl.float32,
        "OFFSET": tl.int64 if max(map(_extent, (source, target))) >= OFFSETS else tl.int32,
    }


def _extent(tensor: Tensor) -> int:
    """Elements of memory from the first to behind the last."""
    return 1 + sum(
        (size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)
    )


def _laid(tensor: Tensor) -> str:
    """How channels `(N, g, C / g, ...)` lie in memory.

    `even` where all, of whichever group, are equally far apart, `mixed` where they have been
    shuffled, else `any`.
    """
    _, groups, channels, *_ = tensor.shape
    _, group_step, step, *_ = tensor.stride()
    if group_step == channels * step:
        return "even"
    return "mixed" if step == groups * group_step else "any"


def taps_of(case: Case, way: Way) -> dict[str, int]:
    """Where taps lead, by axis."""
    pairs = {"KERNEL": case.kernel_size, "STEP": way.step, "TAP": way.tap, "START": way.start}
    return {
        f"{name}_{axis}": pair[i] for name, pair in pairs.items() for i, axis in enumerate("HW")
    }


def blocks_of(tile: Tile) -> dict[str, int]:
    """What both kernels take of a tile."""
    return {
        "PACK": tile.pack,
        "BLOCK_PIXELS": tile.pixels,
        "BLOCK_IN": tile.inputs,
        "BLOCK_OUT": tile.outputs,
        "num_warps": tile.warps,
        "num_stages": tile.stages,
    }
