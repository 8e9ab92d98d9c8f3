"""What raising glibc's malloc thresholds does to the time and page faults of a launch.

    python docs/numbers/allocator.py

The worker keeps freed memory for the next launch (MALLOC_TRIM_THRESHOLD_ and
MALLOC_MMAP_THRESHOLD_ at 32 MiB, see gconvbench/runner/process.py). Here the same jobs, outputs of
64 KiB to 32 MiB, are timed in fresh processes with these variables and without, in turn. Sizes
ascend, because glibc's own thresholds rise with the largest block that was freed so far. Minor page
faults are those of the process (getrusage(2), ru_minflt) over the timed launches.
"""

from __future__ import annotations

import argparse
import json
import math
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
    from collections.abc import Sequence

RAISED = {name: str(32 << 20) for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")}
OUTPUTS = tuple(2**power for power in (16, 18, 20, 22, 23, 24, 25))
"""Bytes, from 64 KiB to 32 MiB."""
WAYS = (("native", "fprop"), ("split_concat", "fprop"), ("native", "training"))
"""A single result; temporary ones besides; several results."""
CHANNELS, GROUPS, WIDTH = 16, 4, 128
JOBS = tuple((size, *way) for size in OUTPUTS for way in WAYS)


class Launches(NamedTuple):
    """The median time of a launch in seconds, and page faults per launch."""

    median_s: float
    faults: float


def main() -> None:
    """Measure and print, or measure one process where asked to by the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outputs", type=int, default=len(OUTPUTS), help="the smallest so many")
    parser.add_argument("--repeat", type=int, default=3, help="processes of each kind")
    parser.add_argument("--launch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    jobs = JOBS[: options.outputs * len(WAYS)]
    if options.launch:
        print(json.dumps([_launches(*job) for job in jobs]))
        return
    print(machine_line())
    print(f"groups {GROUPS}, kernel 1x1; {options.repeat} process(es) of each kind, medians")
    with tempfile.TemporaryDirectory() as folder:
        kinds = [
            tuple(
                _process(Path(folder), options.outputs, raised=raised) for raised in (False, True)
            )
            for _ in range(options.repeat)
        ]
    columns = ("output", "", "", "default", "raised", "ratio", "faults", "raised")
    rows = [_row(i, job, kinds) for i, job in enumerate(jobs)]
    print_table([columns, *rows], right=(0, 3, 4, 5, 6, 7))
    print("times and page faults per launch, each with default and raised thresholds")


def _process(folder: Path, outputs: int, *, raised: bool) -> list[Launches]:
    """Every output in one fresh process."""
    words = [f"{name}={value}" for name, value in RAISED.items()] if raised else []
    unset = [word for name in RAISED for word in ("-u", name)]
    script = [sys.executable, __file__, "--launch", "--outputs", str(outputs)]
    _, out = run(["env", *unset, *words, *script], folder)
    return [Launches(*one) for one in json.loads(out)]


def _row(
    i: int, job: tuple[int, str, str], kinds: Sequence[tuple[list[Launches], ...]]
) -> tuple[str, ...]:
    default = [kind[0][i] for kind in kinds]
    raised = [kind[1][i] for kind in kinds]
    pairs = zip(default, raised, strict=True)
    ratio = statistics.median(after.median_s / before.median_s for before, after in pairs)
    return (
        fmt.bytes_text(job[0]),
        *job[1:],
        fmt.seconds(statistics.median(one.median_s for one in default)),
        fmt.seconds(statistics.median(one.median_s for one in raised)),
        f"{ratio:.2f}",
        f"{statistics.median(one.faults for one in default):.1f}",
        f"{statistics.median(one.faults for one in raised):.1f}",
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
