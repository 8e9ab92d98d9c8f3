"""The highest rates of a device: what the roofline of its jobs is drawn with.

Bandwidth by large copies, throughput by large matrix products, and the least that a launch takes.
Each rate is the median of its samples at the size where that is highest. It is a ceiling that was
measured, not the datasheet's: other work may run faster, by a better kernel, a higher clock, or out
of a cache.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import torch

from gconvbench.cases import DTYPES, Case
from gconvbench.device import free_bytes, set_math_mode, synchronizer, why_device_lacks
from gconvbench.environment import last_cache_bytes
from gconvbench.failure import is_out_of_memory
from gconvbench.protocol import CeilingsMeasured, Refused
from gconvbench.records import Ceilings, peak_name
from gconvbench.stopping import MedianPrecision
from gconvbench.timing import Clock, HostClock, take_samples, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Highest", "Stopwatch", "copy_sizes", "highest", "matrix_sizes", "measure_ceilings"]

_MIB = 2**20
_PRODUCTS = (
    ("float32", "ieee"),
    ("float32", "tf32"),
    ("float16", "ieee"),
    ("bfloat16", "ieee"),
    ("float64", "ieee"),
)
_BLOCK_BYTES = 4 * _MIB
"""So much is drawn of normal numbers and repeated: to draw gigabytes would take seconds."""
_CACHES = 2
"""Each buffer of a copy is at least so many times as large as the last-level cache, the two of them
four times: little of what is read can still lie in it."""
_SMALLEST_COPY = 64 * _MIB
_LARGEST_COPY = {"cpu": 1024 * _MIB, "cuda": 4096 * _MIB}
_SHARE_OF_FREE = 0.5
"""Of free memory, for all operands of one size."""
_EDGES = {"cpu": (256, 512, 1024, 2048, 4096), "cuda": (2048, 4096, 8192, 16384)}
"""Of square matrices, large enough to occupy the whole device and to be read many times over."""
_FEWEST_LAUNCHES = 6
"""A size takes at least so many: the first, those that warm up, three samples."""
_PAYS = 0.01
"""A larger size must bring this much more; two in a row that do not end the search."""
_STALE = 2
_SAMPLING_S = 0.25
_WARM_UP_S = 0.05
_FEWEST_SAMPLES = 3
_TARGETS = {"cpu": 0.02, "cuda": 0.005}
_BATCH = 200
"""Launches between two waits for the device, and within one CUDA graph."""


class Highest(NamedTuple):
    """The highest rate that was found, per second, and the size that it was reached with."""

    per_s: float
    size: int


@dataclass(frozen=True)
class Stopwatch:
    """The median time of a launch.

    Args:
        clock: what to read.
        synchronize: returns when the device has done all its work.
        target: half-width of the median's interval at which sampling stops, as its share.
        now: what time caps are measured with.
    """

    clock: Clock
    synchronize: Callable[[], None]
    target: float
    now: Callable[[], float] = time.perf_counter

    def median_s(self, launch: Callable[[], object]) -> float:
        """In seconds, after warming up; of three samples at the least, however long they take."""
        launch()
        launch_s = warm_up(launch, self.synchronize, time_s=_WARM_UP_S, now=self.now)
        stopping = MedianPrecision(
            target=self.target,
            min_samples=10,
            max_samples=200,
            min_time_s=0.02,
            max_time_s=max(_SAMPLING_S, _FEWEST_SAMPLES * launch_s),
            tick_s=self.clock.tick_s / self.clock.launches_per_sample(launch_s),
        )
        sampling = take_samples(launch, self.clock, stopping, launch_s=launch_s, now=self.now)
        return statistics.median(sampling.samples_s)


def measure_ceilings(device: str, *, budget_s: float) -> CeilingsMeasured | Refused:
    """Measure them, one after the other.

    Args:
        device: `cpu`, `cuda` or `cuda:1`.
        budget_s: about how long it may take. Bandwidth and each dtype get an equal share; the
            smallest size of each is measured, however long it takes.
    """
    wanted = [pair for pair in _PRODUCTS if not _why_lacking(*pair, device)]
    share_s = budget_s / (1 + len(wanted))
    watch = Stopwatch(_clock(device), synchronizer(device), _TARGETS[_kind(device)])
    copies = _bandwidth(device, watch, share_s)
    if copies is None:
        return Refused(_too_little_memory(device), was_tried=True)
    products = {
        peak_name(dtype, math_mode): found
        for dtype, math_mode in wanted
        if (found := _throughput(dtype, math_mode, device, watch, share_s))
    }
    if not products:
        return Refused(f"no matrix product could be measured on {device}", was_tried=True)
    ceilings = Ceilings(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        bytes_per_s=copies.per_s,
        flops_per_s={name: found.per_s for name, found in products.items()},
        launch_s=_launch_s(device, watch),
        replay_s=None if device == "cpu" else _replay_s(device, watch),
        sizes={"copy_bytes": copies.size} | {name: found.size for name, found in products.items()},
    )
    return CeilingsMeasured(ceilings)


def highest(
    sizes: Sequence[int],
    amount: Callable[[int], float],
    seconds_of: Callable[[int], float],
    *,
    budget_s: float,
    now: Callable[[], float] = time.perf_counter,
) -> Highest | None:
    """The highest rate over growing sizes, while they pay, and time and memory last.

    Args:
        sizes: in ascending order; the first is always tried.
        amount: how much a launch of a size does.
        seconds_of: measures how long it takes.
        budget_s: no size is begun that would end after this.
        now: a clock in seconds.

    Returns:
        None where not even the first fits into memory.
    """
    end = now() + budget_s
    best: Highest | None = None
    before_s_per_amount, stale = 0.0, 0
    for size in sizes:
        if now() + _FEWEST_LAUNCHES * before_s_per_amount * amount(size) > end and best:
            break
        try:
            rate = amount(size) / seconds_of(size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            break
        stale = 0 if best is None or rate > (1 + _PAYS) * best.per_s else stale + 1
        best = Highest(rate, size) if best is None or rate > best.per_s else best
        if stale == _STALE:
            break
        before_s_per_amount = 1 / rate
    return best


def copy_sizes(device: str, *, cache_bytes: int | None, free: int) -> tuple[int, ...]:
    """Bytes of each of the two buffers, doubling from what no cache holds; none where too large."""
    room = int(_SHARE_OF_FREE * free / 2)
    least = max(_SMALLEST_COPY, _CACHES * (cache_bytes or 0))
    size = math.ceil(least / _BLOCK_BYTES) * _BLOCK_BYTES
    largest = max(size, _LARGEST_COPY[_kind(device)])
    sizes: list[int] = []
    while size <= min(room, largest):
        sizes.append(size)
        size *= 2
    return tuple(sizes)


def matrix_sizes(device: str, dtype: str, *, free: int) -> tuple[int, ...]:
    """Edges of square matrices, three of which fit into a share of free memory."""
    room = _SHARE_OF_FREE * free
    return tuple(edge for edge in _EDGES[_kind(device)] if 3 * DTYPES[dtype] * edge**2 <= room)


def _bandwidth(device: str, watch: Stopwatch, budget_s: float) -> Highest | None:
    """Of `copy_`, in bytes per second: each byte is read once and written once.

    What the hardware moves beyond that is not counted, such as lines that a CPU reads before it
    overwrites them.
    """
    block = torch.randn(_BLOCK_BYTES // DTYPES["float32"], device=device)

    def seconds_of(size: int) -> float:
        source = block.repeat(size // _BLOCK_BYTES)
        destination = torch.empty_like(source)
        return watch.median_s(lambda: destination.copy_(source))

    sizes = copy_sizes(device, cache_bytes=last_cache_bytes(device), free=free_bytes(device))
    return highest(sizes, lambda size: 2 * size, seconds_of, budget_s=budget_s, now=watch.now)


def _throughput(
    dtype: str, math_mode: str, device: str, watch: Stopwatch, budget_s: float
) -> Highest | None:
    """Of `torch.mm` on two n x n matrices of normal numbers, in operations per second: 2 n^3."""
    kept = getattr(torch, dtype)
    drawn = kept if dtype == "float64" else torch.float32

    def seconds_of(edge: int) -> float:
        shape = (edge, edge)
        a, b = (torch.randn(shape, device=device, dtype=drawn).to(kept) for _ in range(2))
        out = torch.empty_like(a)
        return watch.median_s(lambda: torch.mm(a, b, out=out))

    sizes = matrix_sizes(device, dtype, free=free_bytes(device))
    set_math_mode(math_mode, device)
    try:
        return highest(
            sizes, lambda edge: 2 * edge**3, seconds_of, budget_s=budget_s, now=watch.now
        )
    finally:
        set_math_mode("ieee", device)


def _launch_s(device: str, watch: Stopwatch) -> float:
    """Host time of one launch among many, the device's rest included: as a caller sees it."""
    launch = torch.ones(1, device=device).neg_

    def batch() -> None:
        for _ in range(_BATCH):
            launch()
        watch.synchronize()

    host = Stopwatch(HostClock(), watch.synchronize, watch.target, watch.now)
    return host.median_s(batch) / _BATCH


def _replay_s(device: str, watch: Stopwatch) -> float:
    """Device time of one such launch among many in a CUDA graph that is replayed."""
    launch = torch.ones(1, device=device).neg_
    watch.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        launch()  # what a first launch loads must not be captured
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(_BATCH):
            launch()
    return watch.median_s(graph.replay) / _BATCH


def _why_lacking(dtype: str, math_mode: str, device: str) -> str | None:
    """The reason why the device has no such arithmetic, or None: asked with a tiny convolution."""
    tiny = Case(in_channels=2, out_channels=2, height=4, width=4, dtype=dtype, math_mode=math_mode)
    return why_device_lacks(tiny, device)


def _too_little_memory(device: str) -> str:
    needed = 2 * copy_sizes(device, cache_bytes=last_cache_bytes(device), free=1 << 62)[0]
    return (
        f"free memory of {device} ({free_bytes(device) / _MIB:.0f} MiB) must be at least "
        f"{needed / _SHARE_OF_FREE / _MIB:.0f} MiB to copy what no cache holds; free some"
    )


def _clock(device: str) -> Clock:
    if device == "cpu":
        return HostClock()
    from gconvbench.timing.cuda import CudaEventClock  # noqa: PLC0415 (only where there is a card)

    return CudaEventClock(device, cold=False)


def _kind(device: str) -> str:
    return device.partition(":")[0]
