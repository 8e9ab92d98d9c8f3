"""CUDA events: device time, without the host's gaps.

One sample: flush the last-level cache (cold only), keep the stream busy with a sleep while the host
enqueues, record, launch, record. Nothing waits between flush and record; the host synchronises once
per chunk. If the device had reached the first event before the host was done enqueuing, the sample
would contain the host's idle time: the chunk is thrown away, counted, and taken again with a longer
sleep and fewer samples, as the launch queue may have been full. Where that does not help the job is
labelled `host_bound`.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from gconvbench.labels import ALLOCATOR_GREW, HOST_BOUND
from gconvbench.records import ClockFacts
from gconvbench.timing.calibration import Calibration, calibrate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CudaEventClock"]

_TICKS_PER_SAMPLE = 100
"""Half a tick is then 0.5 % of a sample, the default target on CUDA."""
_EMPTY_PER_SAMPLE = 100
"""What the clock reads around nothing is then at most 1 % of a sample."""
_SHORTEST_SAMPLE_S = 50e-6
_QUEUE_ENTRIES = 800
"""The launch queue holds about 1000 entries before the host blocks."""
_ENTRIES_BESIDE = 4
_SLEEP_MARGIN = 1.3
_REPEATS = 4
_LENGTHEN = 2
_SHORTEN = 4
"""A launch may enqueue any number of kernels: chunks of 50 samples come down to one."""
_FLUSH_FACTOR = 2
_LARGE_CACHE_BYTES = 1 << 27
"""Where the driver names no size: the last-level caches of cards so far are smaller."""
_MOST_SAMPLES_PER_CHUNK = 50
_CHUNK_S = 0.1
"""A chunk of long launches is cut to about this, so that the cap on time is not overrun."""
_LONGEST_SLEEP_S = 0.05
"""Enqueuing that takes longer than this is not hidden: the job is host-bound."""
_PROBES = 3
_CERTAINLY_LONG_S = 0.01
"""By the host's clock: no launch that the device does quickly takes as long to enqueue."""


class CudaEventClock:
    """Device time of work on the current stream of one CUDA device.

    Args:
        device: `cuda` or `cuda:1`.
        cold: empty the last-level cache before each sample.
        calibration: of the device; made here by default.
        longest_s: a chunk of several samples is cut to about this.
    """

    def __init__(
        self,
        device: str,
        *,
        cold: bool,
        calibration: Calibration | None = None,
        longest_s: float = _CHUNK_S,
    ) -> None:
        self._device = torch.device(device)
        self._flush = _Flush(self._device) if cold else None
        self._calibration = calibration or calibrate(self._device)
        self._chunk_s = min(_CHUNK_S, longest_s)
        self._pairs: list[tuple[Any, Any]] = []
        self._labels: set[str] = set()
        self._launch_s = self._enqueue_s = self._sleep_s = 0.0
        self._launches = self._most_samples = self._tried = self._idle = self._repeated = 0

    @property
    def tick_s(self) -> float:
        """The resolution of event times, as it was seen."""
        return self._calibration.tick_s

    def begin(self, launch: Callable[[], object], launch_s: float) -> int:
        """One where the cache must be cold; else enough to drown the tick and the events' own cost.

        Forgets what was learnt of the launch before. How long a launch keeps the device busy is
        measured by events: by the host's clock it would seem as long as the host takes to enqueue.
        """
        self._forget()
        self._enqueue_s = min(self._enqueue_once_s(launch) for _ in range(_PROBES))
        self._launch_s = max(launch_s, 1e-9)
        if self._flush or launch_s >= _CERTAINLY_LONG_S:
            return 1
        self._sleep_s = self._sleep_for(1)
        probed_s = min(self._try(launch, 1, _PROBES).samples_s)
        self._launch_s = max(probed_s - self._calibration.empty_s, self.tick_s)
        self._forget_counts()
        return max(1, math.ceil(self._shortest_sample_s / self._launch_s))

    def chunk(self, launch: Callable[[], object], launches: int) -> Sequence[float]:
        """As many samples as the launch queue takes, synchronised once at the end."""
        if not self._sleep_s or launches != self._launches:
            self._sleep_s, self._launches = self._sleep_for(launches), launches
        for repeat in range(_REPEATS + 1):
            tried = self._try(launch, launches, self._samples_per_chunk(launches))
            if not tried.was_idle and not tried.grew:
                return tried.samples_s
            if repeat == _REPEATS or (tried.was_idle and self._is_hopeless()):
                break
            self._repeated += 1
            if tried.was_idle:
                wanted_s = max(_LENGTHEN * self._sleep_s, _SLEEP_MARGIN * tried.enqueue_s)
                self._sleep_s = min(_LONGEST_SLEEP_S, wanted_s)
                self._most_samples = max(1, self._most_samples // _SHORTEN)
        self._labels |= {HOST_BOUND} if tried.was_idle else set()
        self._labels |= {ALLOCATOR_GREW} if tried.grew else set()
        return tried.samples_s

    def labels(self) -> tuple[str, ...]:
        """`host_bound` where the device waited for the host, `allocator grew` where for memory."""
        return tuple(sorted(self._labels))

    def facts(self) -> ClockFacts:
        """How these samples came about."""
        return ClockFacts(
            tick_s=self.tick_s,
            empty_s=self._calibration.empty_s,
            sleep_s=self._sleep_s,
            flush_bytes=self._flush.bytes if self._flush else 0,
            tried=self._tried,
            idle=self._idle,
            repeated_chunks=self._repeated,
        )

    @property
    def _shortest_sample_s(self) -> float:
        return max(
            _SHORTEST_SAMPLE_S,
            _TICKS_PER_SAMPLE * self.tick_s,
            _EMPTY_PER_SAMPLE * self._calibration.empty_s,
        )

    def _forget(self) -> None:
        self._sleep_s = 0.0
        self._launches = 0
        self._most_samples = _MOST_SAMPLES_PER_CHUNK
        self._labels = set()
        self._forget_counts()

    def _forget_counts(self) -> None:
        self._tried = self._idle = self._repeated = 0

    def _is_hopeless(self) -> bool:
        """Whether neither a longer sleep nor a shorter chunk is left to try."""
        return HOST_BOUND in self._labels or (
            self._sleep_s >= _LONGEST_SLEEP_S and self._most_samples == 1
        )

    def _try(self, launch: Callable[[], object], launches: int, samples: int) -> _Tried:
        self._make_pairs(samples)
        idle, enqueue_s = 0, 0.0
        allocations = self._device_allocations()
        for start, end in self._pairs[:samples]:
            if self._flush:
                self._flush.run()
            self._sleep(self._sleep_s)
            start.record()
            before = time.perf_counter()
            for _ in range(launches):
                launch()
            enqueue_s = max(enqueue_s, time.perf_counter() - before)
            end.record()
            idle += start.query()
        torch.cuda.synchronize(self._device)
        self._tried += samples
        self._idle += idle
        grew = self._device_allocations() != allocations
        times_s = [a.elapsed_time(b) / 1e3 / launches for a, b in self._pairs[:samples]]
        return _Tried(times_s, enqueue_s, was_idle=idle > 0, grew=grew)

    def _make_pairs(self, count: int) -> None:
        """Events are made once and recorded again and again: to make one takes time."""
        while len(self._pairs) < count:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self._pairs.append((start, end))

    def _samples_per_chunk(self, launches: int) -> int:
        by_queue = _QUEUE_ENTRIES // (launches + _ENTRIES_BESIDE)
        by_time = int(self._chunk_s / (launches * self._launch_s + self._sleep_s))
        return max(1, min(self._most_samples, by_queue, by_time))

    def _device_allocations(self) -> int:
        return int(torch.cuda.memory_stats(self._device).get("num_device_alloc", 0))

    def _sleep_for(self, launches: int) -> float:
        return min(_LONGEST_SLEEP_S, _SLEEP_MARGIN * launches * self._enqueue_s)

    def _enqueue_once_s(self, launch: Callable[[], object]) -> float:
        """Host time of one launch into an empty queue."""
        torch.cuda.synchronize(self._device)
        start = time.perf_counter()
        launch()
        enqueue_s = time.perf_counter() - start
        torch.cuda.synchronize(self._device)
        return enqueue_s

    def _sleep(self, seconds: float) -> None:
        cycles = int(seconds * self._calibration.cycles_per_s)
        torch.cuda._sleep(cycles)  # noqa: SLF001 (there is no public one)


class _Tried(NamedTuple):
    """One chunk, valid or not; `enqueue_s` is what the slowest sample took to be enqueued."""

    samples_s: list[float]
    enqueue_s: float
    was_idle: bool
    grew: bool


class _Flush:
    """Empties the last-level cache: writes, then reads, twice its size.

    It ends with a read, or the write-back of dirty lines would be charged to the launch.
    """

    def __init__(self, device: torch.device) -> None:
        properties = torch.cuda.get_device_properties(device)
        cache_bytes = getattr(properties, "L2_cache_size", 0) or _LARGE_CACHE_BYTES
        self._buffer = torch.zeros(
            _FLUSH_FACTOR * cache_bytes // 4, dtype=torch.float32, device=device
        )
        self._sum = torch.zeros((), dtype=torch.float32, device=device)
        self.bytes = self._buffer.numel() * self._buffer.element_size()
        self.run()  # whatever the sum needs for itself is there before a sample

    def run(self) -> None:
        self._buffer.zero_()
        torch.sum(self._buffer, dim=0, out=self._sum)  # in its own type, or it would be copied
