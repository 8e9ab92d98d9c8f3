"""Histories as a benchmark leaves them behind, simulated down to the sample (`noise.py`).

A run is a session of its own: its cases are measured in three fresh processes, thirty samples each,
and a run's value is the median over processes of the medians within them, all as logarithms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from noise import SimulatedMachine

if TYPE_CHECKING:
    from noise import Noise
    from numpy.random import Generator
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = ["flat_histories", "ramp", "steps"]

_PROCESSES = 3
"""Rounds by default."""
_SAMPLES = 30
_CASES = 10
"""Of one machine, so that few share their sessions' luck."""


def flat_histories(noise: Noise, count: int, runs: int, rng: Generator) -> Values:
    """So many cases over so many runs in which nothing changes, (count, runs)."""
    machines = [_machine(noise, runs, rng) for _ in range(math.ceil(count / _CASES))]
    return np.concatenate(machines)[:count]


def _machine(noise: Noise, runs: int, rng: Generator) -> Values:
    machine = SimulatedMachine(noise, _CASES, rng)
    return np.stack([_run(machine.another_session()) for _ in range(runs)], axis=1)


def _run(session: SimulatedMachine) -> Values:
    """Each case's value, (cases,)."""
    processes = [np.median(session.slot("A", None, _SAMPLES), axis=1) for _ in range(_PROCESSES)]
    return np.median(processes, axis=0)


def steps(runs: int, starts: list[int], sizes: list[float]) -> Values:
    """A course with a step of this size (on the log scale) at each of these runs: (runs,)."""
    course = np.zeros(runs)
    for start, size in zip(starts, sizes, strict=True):
        course[start:] += size
    return course


def ramp(runs: int, start: int, length: int, per_run: float) -> Values:
    """A course that climbs from a run on, by the same share per run, for `length` runs: (runs,)."""
    return np.asarray(math.log1p(per_run) * np.clip(np.arange(runs) - start + 1, 0, length), float)
