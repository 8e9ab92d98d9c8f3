"""Our Triton kernels beside PyTorch's own convolution on ResNeXt-50's narrow groups, on a card.

    python docs/numbers/triton_against_cudnn.py

The layers of up to 16 channels per group (`workloads/layers.csv`, batch 32) in bfloat16, forward
and each gradient, in both memory formats. Both ways are proved right first, which is when tiles are
tried out, and then timed in turn, several times, with an emptied cache; times are medians. The
share is that of a large copy's bandwidth, measured in the same process: the least traffic of the
launch over its time, over the copied bytes, read and written, over theirs.

Without a CUDA device, or with one that the kernels do not support, it ends with 2.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import torch
from common import machine_line, print_table
from msgspec.structs import replace

from gconvbench.accuracy import Proof, prove
from gconvbench.cases import MEMORY_FORMATS, Case, min_bytes
from gconvbench.device import set_math_mode, why_unavailable
from gconvbench.engine import Engine
from gconvbench.implementations import BUILT_IN, Implementation, Table, why_unsupported
from gconvbench.records import Method
from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEVICE = "cuda"
MODEL = "resnext50_32x4d"
WIDEST = 16
"""Channels per group; wider ones are bound by arithmetic."""
DIRECTIONS = ("fprop", "dgrad", "wgrad")
COPIED_BYTES = 1 << 30
"""Far beyond any card's cache."""
METHOD = Method(clock="cuda_events", cache_modes=("cold",), target=0.01)


class Times(NamedTuple):
    """Medians in seconds."""

    native_s: float
    triton_s: float


def main() -> int:
    """Measure and print; 2 where it cannot be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, help="only the first so many")
    parser.add_argument("--repeat", type=int, default=3, help="times that each way is timed")
    options = parser.parse_args()
    cases = list(layers())[: options.layers]
    reason = why_unavailable(DEVICE) or why_unsupported(named("triton_implicit_gemm"), cases[0],
                                                        DEVICE)  # fmt: skip
    if reason:
        why, _, _ = reason.partition(";")  # what follows is advice to others
        print(f"triton_against_cudnn: {why}", file=sys.stderr)
        return 2
    engine = Engine(DEVICE, METHOD, Table())
    copy_per_s = copied_per_s(engine)
    print(machine_line())
    print(f"{torch.cuda.get_device_name()}, cuDNN {torch.backends.cudnn.version()}")
    print(f"copy: {fmt.bandwidth_text(copy_per_s)}; bfloat16, batch {cases[0].batch}, cold cache")
    rows: list[tuple[str, ...]] = [
        ("input", "stride", "C/g", "format", "", "native", "share", "Triton", "share", "speedup")
    ]
    for case in cases:
        for memory_format in MEMORY_FORMATS:
            for direction in DIRECTIONS:
                one = replace(case, memory_format=memory_format, direction=direction)
                rows.append(row(one, engine, copy_per_s, options.repeat))
    print_table(rows, right=(0, 1, 2, *range(5, 10)))
    return 0


def layers() -> Iterator[Case]:
    """The grouped layers of the network that are narrow, each once."""
    text = resources.files("gconvbench.workloads").joinpath("layers.csv").read_text("utf-8")
    for line in csv.DictReader(text.splitlines()):
        number = {name: int(value) for name, value in line.items() if value.isdecimal()}
        if line["model"] == MODEL and number["in_channels"] <= WIDEST * number["groups"]:
            yield Case(
                groups=number["groups"],
                batch=number["batch"],
                in_channels=number["in_channels"],
                out_channels=number["out_channels"],
                height=number["height"],
                width=number["width"],
                kernel_size=(number["kernel_h"], number["kernel_w"]),
                stride=(number["stride_h"], number["stride_w"]),
                padding=(number["pad_h"], number["pad_w"]),
                dtype="bfloat16",
            )


def named(name: str) -> Implementation:
    """One of the built-in implementations."""
    return next(one for one in BUILT_IN if one.name == name)


def copied_per_s(engine: Engine) -> float:
    """Bytes read and written per second by a large copy."""
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    (timing,) = engine.time(lambda: (target.copy_(source),))
    return 2 * COPIED_BYTES / timing.median_s


def row(case: Case, engine: Engine, copy_per_s: float, repeat: int) -> tuple[str, ...]:
    """One case in words; instead of times the first fault of a way that is wrong."""
    shape = (
        f"{case.in_channels}x{case.height}x{case.width}",
        str(case.stride[0]),
        str(case.group_in_channels),
        "NHWC" if case.memory_format == "channels_last" else "NCHW",
        case.direction,
    )
    times = timed(case, engine, repeat)
    if isinstance(times, str):
        return (*shape, times, "", "", "", "")
    shares = [min_bytes(case) / time_s / copy_per_s for time_s in times]
    return (
        *shape,
        fmt.seconds(times.native_s),
        fmt.share(shares[0]),
        fmt.seconds(times.triton_s),
        fmt.share(shares[1]),
        f"{times.native_s / times.triton_s:.2f}",
    )


def timed(case: Case, engine: Engine, repeat: int) -> Times | str:
    """Both ways in turn, or why not."""
    set_math_mode(case.math_mode, DEVICE)
    proof = Proof.of(case, device=DEVICE, seed=0)
    ways = (named("native"), named("triton_implicit_gemm"))
    for way in ways:
        if prove(way, proof).faults:
            return f"{way.name} is wrong"
    launches = [way.launch(case, proof.operands.copy()) for way in ways]
    turns: Sequence[list[float]] = [
        [engine.time(launch)[0].median_s for launch in launches] for _ in range(repeat)
    ]
    native_s, triton_s = (statistics.median(column) for column in zip(*turns, strict=True))
    return Times(native_s, triton_s)


if __name__ == "__main__":
    sys.exit(main())
