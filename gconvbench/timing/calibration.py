"""What a card's events and its sleep are worth in seconds: measured, not looked up."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Calibration", "calibrate"]

_CYCLES = 10_000_000
_RATES = 4
"""A card at rest raises its clock meanwhile: the highest rate counts, so that no sleep is short."""
_LENGTHS = tuple(1000 + 8 * n * (n + 1) for n in range(100))
"""Cycles: at first each a few nanoseconds longer than the one before, in the end a microsecond, so
that clocks with ticks of either length show neighbouring ones."""
_EMPTY_PAIRS = 50
_LEAST_TICK_S = 1e-9
"""Differences below are the rounding of the float that a time is returned in."""
_USUAL_TICK_S = 0.5e-6
"""Resolution of event times where fewer than two were seen (CUDA runtime API,
`cudaEventElapsedTime`: around 0.5 microseconds). An H200 shows 32 ns."""


class Calibration(NamedTuple):
    """What samples of one card have to be read with.

    Attributes:
        cycles_per_s: of `torch.cuda._sleep`.
        tick_s: the smallest difference between two times that was seen.
        empty_s: the time between two events with nothing between them, on a stream that is busy.
    """

    cycles_per_s: float
    tick_s: float
    empty_s: float


def calibrate(device: torch.device) -> Calibration:
    """83 million cycles of sleeps on the current stream of a card, 41 ms at 2 GHz."""
    torch.cuda._sleep(_CYCLES)  # noqa: SLF001 (there is no public one; the first loads the kernel)
    long_s = _times_s(device, [_CYCLES] * _RATES)
    cycles_per_s = max(_CYCLES / time_s for time_s in long_s)
    short_s = _times_s(device, _LENGTHS)
    empty_s = statistics.median(_times_s(device, [0] * _EMPTY_PAIRS))
    return Calibration(cycles_per_s, _tick_s(short_s), empty_s)


def _times_s(device: torch.device, cycles: Sequence[int]) -> list[float]:
    """Device time of each sleep, all enqueued while one more keeps the stream busy."""
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in cycles]
    torch.cuda._sleep(_CYCLES)  # noqa: SLF001
    for (start, end), length in zip(pairs, cycles, strict=True):
        start.record()
        if length:
            torch.cuda._sleep(length)  # noqa: SLF001
        end.record()
    torch.cuda.synchronize(device)
    return [start.elapsed_time(end) / 1e3 for start, end in pairs]


def _tick_s(times_s: Sequence[float]) -> float:
    steps = [b - a for a, b in itertools.pairwise(sorted(set(times_s)))]
    return min((step for step in steps if step > _LEAST_TICK_S), default=_USUAL_TICK_S)
