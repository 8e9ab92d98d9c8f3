"""What glibc's malloc settings do to the time and page faults of a launch.

    python docs/numbers/allocator.py

The same jobs, with outputs of 64 KiB to 64 MiB, are timed in fresh processes, one for each size and
setting, in turn: glibc's defaults; `raised`, both thresholds at 32 MiB, the most that
MALLOC_MMAP_THRESHOLD_ may be; and `kept`, where no block is mapped apart (MALLOC_MMAP_MAX_) and
freed memory is not given back below 4 GiB. Minor page faults are those of the process
(getrusage(2), ru_minflt) over the timed launches.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import machine_line, print_table, run

from gconvbench.cases import Case
from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTINGS: dict[str, dict[str, int]] = {
    "default": {},
    "raised": {"MALLOC_TRIM_THRESHOLD_": 32 << 20, "MALLOC_MMAP_THRESHOLD_": 32 << 20},
    "kept": {"MALLOC_TRIM_THRESHOLD_": 4 << 30, "MALLOC_MMAP_MAX_": 0},
}
"""Environment variables of mallopt(3)."""
OUTPUTS = tuple(2**power for power in (16, 18, 20, 22, 24, 25, 26))
"""Bytes, from 64 KiB to 64 MiB."""
WAYS = {
    "native": ("native", "fprop"),
    "split_concat": ("split_concat", "fprop"),
    "native training": ("native", "training"),
}
"""A single result; temporary ones besides; several results."""
CHANNELS, GROUPS, WIDTH = 16, 4, 128


class Launches(NamedTuple):
    """The median time of a launch in seconds, and page faults per launch."""

    median_s: float
    faults: float


def main() -> None:
    """Measure and print, or measure in this process where asked to by the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outputs", type=int, default=len(OUTPUTS), help="the smallest so many")
    parser.add_argument("--repeat", type=int, default=3, help="processes of each kind")
    parser.add_argument("--launch", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.launch:
        print(json.dumps([_launches(options.launch, *way) for way in WAYS.values()]))
        return
    print(machine_line())
    print(f"groups {GROUPS}, kernel 1x1; {options.repeat} process(es) of each kind, medians")
    others = [name for name in SETTINGS if name != "default"]
    rows: list[tuple[str, ...]] = [("output", "", "default", *others, "faults", *others)]
    with tempfile.TemporaryDirectory() as folder:
        for size in OUTPUTS[: options.outputs]:
            turns = [_in_turn(Path(folder), size) for _ in range(options.repeat)]
            rows += [_row(size, i, turns) for i in range(len(WAYS))]
    print_table(rows, right=(0, *range(2, 8)))
    print("per launch: default's time, others relative to it; then the page faults of each")


def _in_turn(folder: Path, size: int) -> dict[str, list[Launches]]:
    """All ways in a fresh process of each setting."""
    return {name: _process(folder, size, setting) for name, setting in SETTINGS.items()}


def _process(folder: Path, size: int, setting: Mapping[str, int]) -> list[Launches]:
    unset = [word for name in os.environ if name.startswith("MALLOC_") for word in ("-u", name)]
    words = [f"{name}={value}" for name, value in setting.items()]
    script = [sys.executable, __file__, "--launch", str(size)]
    _, out = run(["env", *unset, *words, *script], folder)
    return [Launches(*one) for one in json.loads(out)]


def _row(size: int, i: int, turns: Sequence[dict[str, list[Launches]]]) -> tuple[str, ...]:
    """Of way `i`: the default's time, the others' relative to it, everyone's faults."""
    times_s = {name: [turn[name][i].median_s for turn in turns] for name in SETTINGS}
    default_s = times_s.pop("default")
    ratios = [
        statistics.median(one / other for one, other in zip(these_s, default_s, strict=True))
        for these_s in times_s.values()
    ]
    faults = [statistics.median(turn[name][i].faults for turn in turns) for name in SETTINGS]
    return (
        fmt.bytes_text(size),
        list(WAYS)[i],
        fmt.seconds(statistics.median(default_s)),
        *(f"{ratio:.2f}" for ratio in ratios),
        *(f"{count:.0f}" for count in faults),
    )


def _launches(size: int, implementation: str, direction: str) -> Launches:
    """Time one job in this process."""
    import torch  # noqa: PLC0415 (only the processes that measure need it)

    from gconvbench.implementations import BUILT_IN  # noqa: PLC0415
    from gconvbench.operands import normal_operands  # noqa: PLC0415
    from gconvbench.timing import HostClock, warm_up  # noqa: PLC0415

    torch.set_num_threads(1)
    case = Case(
        groups=GROUPS,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        height=size // (4 * CHANNELS * WIDTH),
        width=WIDTH,
        kernel_size=(1, 1),
        padding=(0, 0),
        direction=direction,
    )
    (way,) = (one for one in BUILT_IN if one.name == implementation)
    launch = way.launch(case, normal_operands(case, seed=0, device="cpu"))
    launch_s = warm_up(launch, lambda: None, time_s=0.05)
    count = max(20, math.ceil(0.2 / launch_s))
    clock = HostClock()
    samples_s: list[float] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        samples_s += clock.chunk(launch, 1)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return Launches(statistics.median(samples_s), faults / count)


if __name__ == "__main__":
    main()
