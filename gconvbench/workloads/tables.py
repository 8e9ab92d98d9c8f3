"""Sweeps made from tables: the grouped layers of published networks, and reported slow cases.

`layers.csv` has 325 layers of 30 networks at batch 32 with their occurrence counts, read from the
networks as published (torchvision 0.29, timm 1.0.31, the papers). `zoo.csv` has 59 convolutions
that were publicly reported as slow or wrong, each with its link, what was quoted and what had to
be assumed. 12 of these 59 do not run and are listed as excluded: 10 in int8, of which a case knows
nothing, and 2 that are 1-D convolutions.

A case that several rows share runs once, under the first one's name.

The `-small` sweeps hold the same convolutions for proving implementations right, not for timing:
batch 1, small planes, and the direction that yields the output and all three gradients.
"""

from __future__ import annotations

import csv
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from gconvbench.cases import Block, Exclusion, Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.cases import Value

__all__ = ["LARGEST_PLANE", "SWEEPS", "layers", "layers_small", "zoo", "zoo_small"]

LARGEST_PLANE = 14
"""Rows or columns kept in the `-small` sweeps where the window does not need more: twice the widest
window of the networks (7), so that it meets either border alone and none at all."""
_FEWEST_PIXELS = 4
"""A side of planes for still wider windows, which with their padding meet both borders anyway."""

_MOST_STEPS = 3
"""Strides that a cut plane leaves the window: four outputs per side, two of them inside."""
_FEWER_GROUPS = {"streams_200": 20}
"""Groups in `zoo-small`, of as many channels as before: the weight of 200 takes 1.9 GB."""
_DTYPES = {
    "fp32": "float32",
    "fp16": "float16",
    "amp fp16": "float16",
    "bf16": "bfloat16",
    "?": "float32",  # not reported, hence PyTorch's default
}
_BACKWARD = ("train", "bwd", "wgrad")
"""Words for passes beyond the forward one; all of them are run as `training`."""


def layers() -> Sweep:
    """Every layer as published, forward and in training."""
    return Sweep(
        name="layers",
        description="325 grouped layers of 30 published networks at batch 32, fprop and training",
        blocks=tuple(_layer(row) for row in _rows("layers.csv")),
    )


def layers_small() -> Sweep:
    """Every layer with less to compute but the same weight."""
    return Sweep(
        name="layers-small",
        description="the 325 layers to check, not to time: "
        f"batch cut to 1, planes cut to {LARGEST_PLANE} pixels a side",
        blocks=tuple(_cut(block) for block in layers().blocks),
    )


def zoo() -> Sweep:
    """Every reported case as it was reported, as far as a `Case` can say it."""
    rows = _rows("zoo.csv")
    flat = [row["id"] for row in rows if row["height"] == "1"]
    return Sweep(
        name="zoo",
        description="59 convolutions publicly reported as slow; "
        "leaves out 10 in int8 and 2 in one dimension",
        blocks=tuple(_reported(row) for row in rows),
        exclusions=(Exclusion(f"1-D convolutions ({', '.join(flat)})", {"height": (1,)}),),
    )


def zoo_small() -> Sweep:
    """Every reported case with less to compute but the same weight, save `streams_200`."""
    groups = ", ".join(f"{name} to {groups} groups" for name, groups in _FEWER_GROUPS.items())
    whole = zoo()
    return Sweep(
        name="zoo-small",
        description="the zoo to check, not to time: "
        f"batch cut to 1, planes to {LARGEST_PLANE} pixels a side or the window, {groups}",
        blocks=tuple(_cut(_with_fewer_groups(block)) for block in whole.blocks),
        exclusions=whole.exclusions,
    )


SWEEPS: dict[str, Callable[[], Sweep]] = {
    "layers": layers,
    "layers-small": layers_small,
    "zoo": zoo,
    "zoo-small": zoo_small,
}


def _rows(file: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(file).read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


def _layer(row: dict[str, str]) -> Block:
    axes: dict[str, tuple[Value, ...]] = {
        "kernel_size": ((int(row["kernel_h"]), int(row["kernel_w"])),),
        "stride": ((int(row["stride_h"]), int(row["stride_w"])),),
        "padding": ((int(row["pad_h"]), int(row["pad_w"])),),
        "groups": (int(row["groups"]),),
        "bias": (row["bias"] == "1",),
        "direction": ("fprop", "training"),
    }
    return Block(_sizes(row) | axes, f"{row['model']}/{row['layer']}", int(row["count"]))


def _reported(row: dict[str, str]) -> Block:
    kernel = (int(row["kernel_h"]), int(row["kernel_w"]))
    stride, padding = int(row["stride"]), int(row["pad"])
    mode = row["mode"]
    axes: dict[str, tuple[Value, ...]] = {
        "kernel_size": (kernel,),
        "stride": ((stride, stride),),
        "padding": ((padding if kernel[0] > 1 else 0, padding),),  # a 1-D row pads its columns
        "groups": _groups(row),
        "bias": ("bias" in mode,),
        "dtype": _dtypes(row["dtype"]),
        "memory_format": ("channels_last" if row["layout"] == "nhwc" else "contiguous",),
        "direction": ("training" if any(word in mode for word in _BACKWARD) else "fprop",),
    }
    return Block(_sizes(row) | axes, row["id"])


def _sizes(row: dict[str, str]) -> dict[str, tuple[Value, ...]]:
    columns = ("batch", "in_channels", "out_channels", "height", "width")
    return {name: (int(row[name]),) for name in columns}


def _groups(row: dict[str, str]) -> tuple[Value, ...]:
    """A number as it stands; a list such as `1,2,4,...,min(C,K)` as the doublings it stands for."""
    if row["groups"].isdecimal():
        return (int(row["groups"]),)
    channels = int(row["in_channels"]), int(row["out_channels"])
    doublings = (1 << power for power in range(min(channels).bit_length()))
    return tuple(groups for groups in doublings if not any(size % groups for size in channels))


def _dtypes(text: str) -> tuple[Value, ...]:
    """The types of `fp32/fp16`; one that no case has keeps its name, for the case to refuse."""
    return tuple(_DTYPES.get(word, word) for word in text.split("/"))


def _cut(block: Block) -> Block:
    """The block in training at batch 1 and on small planes."""
    one = _first(block)
    plane: dict[str, tuple[Value, ...]] = {
        side: (_cut_side(one[side], one["kernel_size"][i], one["stride"][i], one["padding"][i]),)
        for i, side in enumerate(("height", "width"))
    }
    return _replaced(block, plane | {"batch": (1,), "direction": ("training",)})


def _cut_side(size: int, kernel: int, stride: int, padding: int) -> int:
    """Pixels; the window reaches over `kernel` of them, for neither table has a dilation."""
    needed = kernel + _MOST_STEPS * stride - 2 * padding
    least = _FEWEST_PIXELS if kernel > LARGEST_PLANE else LARGEST_PLANE
    return min(size, max(least, needed))


def _with_fewer_groups(block: Block) -> Block:
    groups = _FEWER_GROUPS.get(block.name)
    if groups is None:
        return block
    one = _first(block)
    channels: dict[str, tuple[Value, ...]] = {
        name: (one[name] // one["groups"] * groups,) for name in ("in_channels", "out_channels")
    }
    return _replaced(block, channels | {"groups": (groups,)})


def _first(block: Block) -> dict[str, Any]:
    return {name: values[0] for name, values in block.axes.items()}


def _replaced(block: Block, axes: dict[str, tuple[Value, ...]]) -> Block:
    return msgspec.structs.replace(block, axes=block.axes | axes)
