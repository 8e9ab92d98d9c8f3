"""The highest rates of a device: what the roofline of its jobs is drawn with.

Bandwidth by large copies, throughput by large products, and the least that a launch takes. Each
rate is the median of its samples at the size where that is highest. It is a ceiling that was
measured, not the datasheet's: other work may run faster, by a better kernel, a higher clock, or out
of a cache.
"""

from __future__ import annotations

from datetime import UTC, datetime

import torch

from gconvbench.cases import Case
from gconvbench.ceilings.search import Highest, Stopwatch, Timed, highest
from gconvbench.ceilings.work import copies, next_to_nothing, products
from gconvbench.device import free_bytes, set_math_mode, synchronizer, why_device_lacks
from gconvbench.environment import last_cache_bytes
from gconvbench.protocol import CeilingsMeasured, Refused
from gconvbench.records import COPY, REPLAY, Ceilings, peak_name
from gconvbench.timing import Clock, HostClock

__all__ = ["measure_ceilings"]

_KINDS = (
    ("float32", "ieee"),
    ("float32", "tf32"),
    ("float16", "ieee"),
    ("bfloat16", "ieee"),
    ("float64", "ieee"),
)
"""Of arithmetic: dtype and math mode."""
_TARGETS = {"cpu": 0.02, "cuda": 0.005}
_BATCH = 200
"""Launches between two waits for the device, and within one CUDA graph."""


def measure_ceilings(device: str, *, budget_s: float) -> CeilingsMeasured | Refused:
    """Measure them, one after the other.

    Args:
        device: `cpu`, `cuda` or `cuda:1`.
        budget_s: about how long it may take. Bandwidth and each dtype get an equal share; the
            smallest size of each kind of work is measured, however long it takes.
    """
    kinds = [kind for kind in _KINDS if not _why_lacking(*kind, device)]
    share_s = budget_s / (1 + len(kinds))
    watch = Stopwatch(_clock(device), synchronizer(device), _TARGETS[device.partition(":")[0]])
    cache_bytes, free = last_cache_bytes(device), free_bytes(device)
    copied = highest(copies(device, cache_bytes=cache_bytes, free=free), watch, budget_s=share_s)
    if copied is None:
        return Refused(
            f"free memory of {device} ({free >> 20} MiB) does not hold copies that are larger than "
            f"its last-level cache ({_mib(cache_bytes)}); free some",
            was_tried=True,
        )
    found = {
        peak_name(*kind): peak
        for kind in kinds
        if (peak := _throughput(*kind, device, watch, share_s))
    }
    if not found:
        reason = f"free memory of {device} ({free >> 20} MiB) holds no product; free some"
        return Refused(reason, was_tried=True)
    replay = None if device == "cpu" else _replay(device, watch)
    labels = {COPY: copied.labels} | {name: peak.labels for name, peak in found.items()}
    labels |= {REPLAY: replay.labels} if replay else {}
    ceilings = Ceilings(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        bytes_per_s=copied.per_s,
        flops_per_s={name: peak.per_s for name, peak in found.items()},
        launch_s=_launch_s(device, watch),
        replay_s=replay.median_s / _BATCH if replay else None,
        sizes={"copy_bytes": copied.size} | {name: peak.size for name, peak in found.items()},
        work={name: peak.work for name, peak in found.items()},
        labels={name: earned for name, earned in labels.items() if earned},
    )
    return CeilingsMeasured(ceilings)


def _mib(size: int | None) -> str:
    return f"{size >> 20} MiB" if size else "of unknown size"


def _throughput(
    dtype: str, math_mode: str, device: str, watch: Stopwatch, budget_s: float
) -> Highest | None:
    """The highest of all kinds of work in this dtype, in operations per second."""
    works = products(dtype, device, free=free_bytes(device))
    set_math_mode(math_mode, device)
    try:
        found = [highest(work, watch, budget_s=budget_s / len(works)) for work in works]
    finally:
        set_math_mode("ieee", device)
    return max((one for one in found if one), default=None)


def _launch_s(device: str, watch: Stopwatch) -> float:
    """Host time of one launch among many, with the wait for all of them: as a caller sees it."""
    launch = next_to_nothing(device)

    def batch() -> None:
        for _ in range(_BATCH):
            launch()
        watch.synchronize()

    host = Stopwatch(HostClock(), watch.synchronize, watch.target, watch.now)
    return host.time(batch).median_s / _BATCH


def _replay(device: str, watch: Stopwatch) -> Timed:
    """Device time of a CUDA graph of many such launches that is replayed."""
    launch = next_to_nothing(device)
    watch.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        launch()  # what a first launch loads must not be captured
    watch.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(_BATCH):
            launch()
    return watch.time(graph.replay)


def _why_lacking(dtype: str, math_mode: str, device: str) -> str | None:
    """The reason why the device has no such arithmetic, or None: asked with a tiny convolution."""
    tiny = Case(in_channels=2, out_channels=2, height=4, width=4, dtype=dtype, math_mode=math_mode)
    return why_device_lacks(tiny, device)


def _clock(device: str) -> Clock:
    if device == "cpu":
        return HostClock()
    from gconvbench.timing.cuda import CudaEventClock  # noqa: PLC0415 (only where there is a card)

    return CudaEventClock(device, cold=False)
