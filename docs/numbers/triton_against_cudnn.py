"""Our Triton kernels beside the best of cuDNN on ResNeXt-50's narrow groups, on a card.

    python docs/numbers/triton_against_cudnn.py

The layers of up to 16 channels per group (`workloads/layers.csv`, batch 32) in bfloat16, forward
and each gradient, with an emptied cache. The Triton kernels are tuned for each shape, so cuDNN may
choose, too: the rival is the fastest of PyTorch's own convolution in both memory formats, with
`cudnn.benchmark` off and on, each setting in worker processes of its own. One run of gconvbench
measures all, proof before time; times are medians over its rounds, of medians.

The share is that of a large copy's bandwidth: the least traffic of the launch over its time, over
the copied bytes, read and written, over theirs. What a launch writes need not have reached memory
when its time ends: as much as fits may stay dirty in the last-level cache. `kept` is the share of
the least traffic for which that holds at the most, min(result, cache) / traffic. A share of s shows
that at least s - kept * s of the bandwidth was used, and may lie above 100 %.

Without a CUDA device, or with one that the kernels do not support, it ends with 2.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
from collections import Counter
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import torch
from common import machine_line, print_table
from msgspec.structs import replace

from gconvbench.cases import DTYPES, MEMORY_FORMATS, Case, case_id, min_bytes
from gconvbench.device import why_unavailable
from gconvbench.engine import Engine
from gconvbench.environment import last_cache_bytes
from gconvbench.errors import GconvbenchError
from gconvbench.implementations import Table
from gconvbench.planning import make_method, modes_of
from gconvbench.records import Job, Plan, PlannedCase
from gconvbench.report import format as fmt
from gconvbench.runner import WorkerProcess, device_lock, results_folder, run_apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gconvbench.protocol import Description
    from gconvbench.store import Run

DEVICE = "cuda"
MODEL = "resnext50_32x4d"
WIDEST = 16
"""Channels per group; wider ones are bound by arithmetic."""
DIRECTIONS = ("fprop", "dgrad", "wgrad")
OURS = "triton_implicit_gemm"
RIVALS = {"native": "", "native_benchmark": " tried"}
"""With `cudnn.benchmark` off and on."""
FORMATS = {"contiguous": "NCHW", "channels_last": "NHWC"}
COPIED_BYTES = 1 << 30
"""Far beyond any card's cache."""
METHOD = make_method(DEVICE, cache="cold", target=0.01)
TIMEOUT_S = 300.0


class Times:
    """What a run found, by case and implementation.

    Args:
        run: a stored one.

    Attributes:
        labels: how many timings earned each.
    """

    def __init__(self, run: Run) -> None:
        medians: dict[tuple[str, str], list[float]] = {}
        self._failed: dict[tuple[str, str], str] = {}
        for record in run.records:
            key = record.job.case, record.job.implementation
            if record.timings:
                medians.setdefault(key, []).append(record.timings[0].median_s)
            else:
                self._failed[key] = record.outcome
        self.labels = Counter(
            label for record in run.records for one in record.timings for label in one.labels
        )
        self._medians_s = {key: statistics.median(found) for key, found in medians.items()}

    def of(self, case: Case, implementation: str) -> float | None:
        """In seconds; None where any of its rounds left none."""
        key = case_id(case), implementation
        return None if key in self._failed else self._medians_s.get(key)

    def told(self, case: Case, implementation: str) -> str:
        """The time, or why there is none."""
        time_s = self.of(case, implementation)
        if time_s is not None:
            return fmt.seconds(time_s)
        return self._failed.get((case_id(case), implementation), "not measured")


class Best(NamedTuple):
    """The fastest of PyTorch's own, in seconds and in words."""

    time_s: float
    name: str


class Card(NamedTuple):
    """What times are held against: a large copy's bandwidth, and the last-level cache."""

    bytes_per_s: float
    cache_bytes: int | None


def main() -> int:
    """Measure and print; 2 where it cannot be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, help="only the first so many")
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes of each setting")
    options = parser.parse_args()
    problems = [
        replace(layer, direction=direction)
        for layer in list(layers())[: options.layers]
        for direction in DIRECTIONS
    ]
    try:
        if reason := why_unavailable(DEVICE) or why_unsupported(problems[0]):
            why, _, _ = reason.partition(";")  # what follows is advice to others
            return refused(why)
        with device_lock(DEVICE):
            run = measured(problems, options.rounds)
            card = measured_card()  # last: until now this process has not been on the card
    except GconvbenchError as error:
        return refused(str(error))
    print(machine_line())
    print(f"{torch.cuda.get_device_name()}, cuDNN {torch.backends.cudnn.version()}")
    show(problems, Times(run), card)
    return 0


def refused(why: str) -> int:
    """Say it in one line; the exit code."""
    print(f"triton_against_cudnn: {why}", file=sys.stderr)
    return 2


def why_unsupported(problem: Case) -> str | None:
    """The reason why ours cannot compute it, asked of another process."""
    with WorkerProcess(DEVICE, METHOD) as worker:
        (reason,) = worker.support((Job(case_id(problem), OURS),))
    return reason


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


def measured_card() -> Card:
    """By a large copy, and by what the driver tells."""
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    engine = Engine(DEVICE, METHOD, Table())
    (timing,) = engine.time(lambda: (target.copy_(source),))
    return Card(2 * COPIED_BYTES / timing.median_s, last_cache_bytes(DEVICE))


def measured(problems: Sequence[Case], rounds: int) -> Run:
    """Ours and its rivals in every memory format, as `gconvbench run` measures them."""
    cases = [case for problem in problems for case in in_formats(problem)]
    names = (*RIVALS, OURS)

    def plan_of(known: Sequence[Description]) -> Plan:
        return Plan(
            cases=tuple(PlannedCase(case_id(case)) for case in cases),
            implementations=names,
            rounds=rounds,
            modes=modes_of(names, known),
        )

    with results_folder() as folder:
        return run_apart(DEVICE, METHOD, plan_of, folder, timeout_s=TIMEOUT_S)


def in_formats(problem: Case) -> list[Case]:
    """The problem in each memory format."""
    return [replace(problem, memory_format=one) for one in MEMORY_FORMATS]


def show(problems: Sequence[Case], times: Times, card: Card) -> None:
    """Two tables: of the rivals, and of ours against them."""
    cache = fmt.bytes_text(card.cache_bytes) if card.cache_bytes else "of unknown size"
    print(
        f"copy: {fmt.bandwidth_text(card.bytes_per_s)}; last-level cache {cache}; bfloat16, batch "
        f"{problems[0].batch}"
    )
    print("\ncuDNN; `tried` is with cudnn.benchmark")
    columns = [f"{FORMATS[one]}{words}" for one in MEMORY_FORMATS for words in RIVALS.values()]
    heads: tuple[str, ...] = ("input/stride", "")
    rows = [(*heads, *columns, "share"), *(rivals_row(one, times, card) for one in problems)]
    print_table(rows, right=(0, *range(2, 7)))
    print("\nTriton; times as fast as native in the same format, and as the best of cuDNN")
    rows = [
        (*heads, "format", "Triton", "share", "kept", "native", "best", "which is"),
        *(row for one in problems for row in our_rows(one, times, card)),
    ]
    print_table(rows, right=(0, *range(3, 8)))
    if times.labels:
        counts = ", ".join(f"{label} {count}x" for label, count in times.labels.items())
        print(f"\nlabels of timings: {counts}")


def rivals_row(problem: Case, times: Times, card: Card) -> tuple[str, ...]:
    """Every rival's time, and the share of the bandwidth that the fastest reaches."""
    cells = [times.told(case, name) for case in in_formats(problem) for name in RIVALS]
    best = best_rival(problem, times)
    return (*shape(problem), *cells, share(problem, best.time_s, card) if best else "")


def our_rows(problem: Case, times: Times, card: Card) -> Iterator[tuple[str, ...]]:
    """Ours in each format, beside native in that format and beside the best rival in any."""
    best = best_rival(problem, times)
    for case in in_formats(problem):
        ours_s, native_s = times.of(case, OURS), times.of(case, "native")
        yield (
            *shape(case),
            FORMATS[case.memory_format],
            times.told(case, OURS),
            share(case, ours_s, card) if ours_s else "",
            kept_text(case, card),
            f"{native_s / ours_s:.2f}" if ours_s and native_s else "",
            f"{best.time_s / ours_s:.2f}" if ours_s and best else "",
            best.name if best else "not known",
        )


def best_rival(problem: Case, times: Times) -> Best | None:
    """The fastest of the rivals that were measured, in any format."""
    found = [
        Best(time_s, f"{FORMATS[case.memory_format]}{words}")
        for case in in_formats(problem)
        for name, words in RIVALS.items()
        if (time_s := times.of(case, name)) is not None
    ]
    return min(found, default=None)


def shape(case: Case) -> tuple[str, str]:
    """`256x56x56/2` and the direction."""
    size = f"{case.in_channels}x{case.height}x{case.width}"
    return f"{size}/{case.stride[0]}", case.direction


def share(case: Case, time_s: float, card: Card) -> str:
    """Of a large copy's bandwidth, by the least traffic."""
    return fmt.share(min_bytes(case) / time_s / card.bytes_per_s)


def kept_text(case: Case, card: Card) -> str:
    """How much of its traffic may still lie in the cache when its time ends."""
    if card.cache_bytes is None:
        return "unknown"
    return fmt.share(kept_share(case, card.cache_bytes))


def kept_share(case: Case, cache_bytes: int) -> float:
    """The part of the result that the cache can hold, of the least traffic."""
    results = {
        "fprop": case.output_shape,
        "dgrad": case.input_shape,
        "wgrad": case.weight_shape,
    }
    written = DTYPES[case.dtype] * math.prod(results[case.direction])
    return min(written, cache_bytes) / min_bytes(case)


if __name__ == "__main__":
    sys.exit(main())
