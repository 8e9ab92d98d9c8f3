"""CUDA events: device time, without the host's gaps.

One sample: flush the last-level cache (cold only), keep the stream busy with a sleep while the host
enqueues, record, launch, record. Nothing waits between flush and record; the host synchronises once
per chunk. If the device had reached the first event before the host was done enqueuing, the sample
would contain the host's idle time: the sleep is lengthened, and where that does not help the job is
labelled `host_bound`.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch

from gconvbench.labels import ALLOCATOR_GREW, HOST_BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CudaEventClock"]

_TICK_S = 0.5e-6
"""Resolution of event times (CUDA runtime API, `cudaEventElapsedTime`: around 0.5 microseconds)."""
_SHORTEST_SAMPLE_S = 50e-6
"""Half a tick is then 0.5 % of a sample, the default target on CUDA."""
_QUEUE_ENTRIES = 800
"""The launch queue holds about 1000 entries before the host blocks."""
_ENTRIES_BESIDE = 4
_SLEEP_MARGIN = 1.3
_LENGTHENINGS = 4
_CALIBRATION_CYCLES = 10_000_000
_FLUSH_FACTOR = 2
_MOST_SAMPLES_PER_CHUNK = 50
_CHUNK_S = 0.1
"""A chunk of long launches is cut to about this, so that the cap on time is not overrun."""
_LONGEST_SLEEP_S = 0.05
"""Enqueuing that takes longer than this is not hidden: the job is host-bound."""


class CudaEventClock:
    """Device time of work on the current stream of one CUDA device.

    Args:
        device: `cuda` or `cuda:1`.
        cold: empty the last-level cache before each sample.
    """

    def __init__(self, device: str, *, cold: bool) -> None:
        self._device = torch.device(device)
        self._flush = _Flush(self._device) if cold else None
        self._cycles_per_s = self._calibrate()
        self._sleep_s = 0.0
        self._launch_s = 1e-6
        self._labels: set[str] = set()

    @property
    def tick_s(self) -> float:
        """The resolution of event times."""
        return _TICK_S

    def launches_per_sample(self, launch_s: float) -> int:
        """One where the cache must be cold; else enough to drown the tick.

        Begins with a new launch, and so forgets what was learnt of the one before.
        """
        self._launch_s = max(launch_s, 1e-9)
        self._sleep_s = 0.0
        self._labels = set()
        if self._flush:
            return 1
        return max(1, math.ceil(_SHORTEST_SAMPLE_S / self._launch_s))

    def chunk(self, launch: Callable[[], object], launches: int) -> Sequence[float]:
        """As many samples as the launch queue takes, synchronised once at the end."""
        if not self._sleep_s:
            enqueue_s = self._enqueue_s(launch, launches)
            self._sleep_s = min(_LONGEST_SLEEP_S, _SLEEP_MARGIN * enqueue_s)
        for _ in range(_LENGTHENINGS):
            samples_s, was_idle, grew = self._try_chunk(launch, launches)
            if not was_idle and not grew:
                return samples_s
            if was_idle and (HOST_BOUND in self._labels or self._sleep_s >= _LONGEST_SLEEP_S):
                break
            self._sleep_s = min(_LONGEST_SLEEP_S, self._sleep_s * (2 if was_idle else 1))
        self._labels |= {HOST_BOUND} if was_idle else set()
        self._labels |= {ALLOCATOR_GREW} if grew else set()
        return samples_s

    def labels(self) -> tuple[str, ...]:
        """`host_bound` where the device waited for the host, `allocator grew` where for memory."""
        return tuple(sorted(self._labels))

    def _try_chunk(
        self, launch: Callable[[], object], launches: int
    ) -> tuple[list[float], bool, bool]:
        count = self._samples_per_chunk(launches)
        pairs: list[tuple[Any, Any]] = []
        was_idle = False
        allocations = self._device_allocations()
        for _ in range(count):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            if self._flush:
                self._flush.run()
            self._sleep(self._sleep_s)
            start.record()
            for _ in range(launches):
                launch()
            end.record()
            was_idle |= start.query()
            pairs.append((start, end))
        torch.cuda.synchronize(self._device)
        grew = self._device_allocations() != allocations
        return [a.elapsed_time(b) / 1e3 / launches for a, b in pairs], was_idle, grew

    def _samples_per_chunk(self, launches: int) -> int:
        by_queue = _QUEUE_ENTRIES // (launches + _ENTRIES_BESIDE)
        by_time = int(_CHUNK_S / (launches * self._launch_s + self._sleep_s))
        return max(1, min(_MOST_SAMPLES_PER_CHUNK, by_queue, by_time))

    def _device_allocations(self) -> int:
        return int(torch.cuda.memory_stats(self._device).get("num_device_alloc", 0))

    def _enqueue_s(self, launch: Callable[[], object], launches: int) -> float:
        torch.cuda.synchronize(self._device)
        start = time.perf_counter()
        for _ in range(launches):
            launch()
        enqueue_s = time.perf_counter() - start
        torch.cuda.synchronize(self._device)
        return enqueue_s

    def _sleep(self, seconds: float) -> None:
        torch.cuda._sleep(int(seconds * self._cycles_per_s))  # noqa: SLF001 (there is no public one)

    def _calibrate(self) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(_CALIBRATION_CYCLES)  # noqa: SLF001 (the first one loads the kernel)
        start.record()
        torch.cuda._sleep(_CALIBRATION_CYCLES)  # noqa: SLF001
        end.record()
        torch.cuda.synchronize(self._device)
        return _CALIBRATION_CYCLES / (start.elapsed_time(end) / 1e3)


class _Flush:
    """Empties the last-level cache: writes, then reads, twice its size.

    It ends with a read, or the write-back of dirty lines would be charged to the launch.
    """

    def __init__(self, device: torch.device) -> None:
        cache_bytes = torch.cuda.get_device_properties(device).L2_cache_size
        self._buffer = torch.zeros(
            _FLUSH_FACTOR * cache_bytes // 4, dtype=torch.int32, device=device
        )
        self._sum = torch.zeros((), dtype=torch.int64, device=device)

    def run(self) -> None:
        self._buffer.zero_()
        torch.sum(self._buffer, dim=0, dtype=torch.int64, out=self._sum)
