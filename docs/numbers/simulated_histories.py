"""Histories as a benchmark leaves them behind, simulated down to the sample; no measuring.

One run is one session: the case is measured in three fresh processes, thirty samples each, and the
run's value is the median over processes of the medians within them. All on the log scale. Where the
table of noise names a share, a draw decides per sample, per process or per case, as it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = ["MACHINES", "Noise", "history_of", "ramp", "steps"]

PROCESSES = 3
SAMPLES = 30
MEMORY = 0.3
"""Of samples within a process: AR(1)."""
TAIL = 0.5
"""Mean of the exponential right tail in units of the standard deviation within the process."""
FREEDOM = 5
"""Degrees of freedom of the process's Student t."""


class Noise(NamedTuple):
    """What a machine does to times; shares of time, and probabilities.

    Attributes:
        process: median over cases of the standard deviation of a process, and the sigma of its
            lognormal distribution over cases.
        common: standard deviation of what all cases of a process have in common.
        within: as `process`, within a process.
        drift: the largest linear change over a session.
        walk: step of the random walk from process to process.
        spikes: probability that a sample is one, and their mean height.
        bursts: probability that 10 to 40 % of a process's samples are 10 to 60 % slow.
        bimodal: probability that a case is; of such a case 30 % of processes are 3 to 8 % slow.
        slow: probability that a process is 8 to 50 % slow as a whole, in 80 % of its cases.
        switching: probability that a case switches by 3 to 10 % at one point inside a process.
        session: standard deviations between sessions: of all cases together, of each case.
    """

    process: tuple[float, float]
    common: float
    within: tuple[float, float]
    drift: float
    walk: float
    spikes: tuple[float, float]
    bursts: float
    bimodal: float
    slow: float
    switching: float
    session: tuple[float, float]


MACHINES = {
    "quiet": Noise(
        process=(0.004, 0.4), common=0.002, within=(0.005, 0.6), drift=0.003, walk=0.001,
        spikes=(0.01, 0.4), bursts=0.01, bimodal=0.05, slow=0.002, switching=0.03,
        session=(0.003, 0.002),
    ),
    "typical": Noise(
        process=(0.012, 0.5), common=0.005, within=(0.01, 0.7), drift=0.01, walk=0.002,
        spikes=(0.03, 0.4), bursts=0.05, bimodal=0.1, slow=0.03, switching=0.05,
        session=(0.01, 0.006),
    ),
    "shared": Noise(
        process=(0.018, 0.5), common=0.015, within=(0.02, 0.7), drift=0.03, walk=0.006,
        spikes=(0.08, 0.6), bursts=0.15, bimodal=0.12, slow=0.14, switching=0.08,
        session=(0.05, 0.03),
    ),
}  # fmt: skip
"""Calibrated on real processes by the design of the regression gate (`docs/method.md`)."""


def history_of(noise: Noise, runs: int, rng: Generator) -> Values:
    """One case over so many runs in which nothing changes: log values, (runs,)."""
    return np.median(_processes(noise, runs, rng), axis=1) + _sessions(noise, runs, rng)


def _sessions(noise: Noise, runs: int, rng: Generator) -> Values:
    return rng.normal(0, np.hypot(*noise.session), runs)


def _processes(noise: Noise, runs: int, rng: Generator) -> Values:
    """Each process's median, (runs, PROCESSES)."""
    shape = (runs, PROCESSES)
    sd = noise.process[0] * np.exp(noise.process[1] * rng.normal())
    spread = sd * rng.standard_t(FREEDOM, shape) / np.sqrt(FREEDOM / (FREEDOM - 2))
    level = spread + rng.normal(0, noise.common, shape) + _session_course(noise, shape, rng)
    if rng.random() < noise.bimodal:
        level += np.log1p(rng.uniform(0.03, 0.08)) * (rng.random(shape) < 0.3)  # noqa: PLR2004
    level += _rare(noise.slow * 0.8, (0.08, 0.5), shape, rng)
    return level + np.median(_samples(noise, shape, rng), axis=-1)


def _session_course(noise: Noise, shape: tuple[int, int], rng: Generator) -> Values:
    """A straight line through the session, met at a random place in each process, and a walk."""
    slope = rng.uniform(-noise.drift, noise.drift, (shape[0], 1))
    place = (np.arange(PROCESSES) + rng.random(shape)) / PROCESSES
    return slope * place + np.cumsum(rng.normal(0, noise.walk, shape), axis=1)


def _samples(noise: Noise, shape: tuple[int, int], rng: Generator) -> Values:
    """Deviations of the samples from their process's level, (runs, PROCESSES, SAMPLES)."""
    full = (*shape, SAMPLES)
    sd = noise.within[0] * np.exp(noise.within[1] * rng.normal())
    shocks = rng.normal(0, np.sqrt(1 - MEMORY**2), full)
    samples = sd * lfilter([1], [1, -MEMORY], shocks) + rng.exponential(TAIL * sd, full)
    share, height = noise.spikes
    samples += np.log1p(rng.exponential(height, full)) * (rng.random(full) < share)
    at = np.arange(SAMPLES) / SAMPLES
    length = rng.uniform(0.1, 0.4, (*shape, 1))
    start = rng.random((*shape, 1)) * (1 - length)
    burst = _rare(noise.bursts, (0.1, 0.6), (*shape, 1), rng)
    samples += burst * ((at >= start) & (at < start + length))
    if rng.random() < noise.switching:
        height, up = np.log1p(rng.uniform(0.03, 0.1)), rng.random((*shape, 1)) < 0.5  # noqa: PLR2004
        samples += height * ((at > rng.random((*shape, 1))) == up)
    return samples


def _rare(
    probability: float, slower: tuple[float, float], shape: tuple[int, ...], rng: Generator
) -> Values:
    return np.log1p(rng.uniform(*slower, shape)) * (rng.random(shape) < probability)


def steps(runs: int, starts: list[int], sizes: list[float]) -> Values:
    """A course with a step of this size (on the log scale) at each of these runs: (runs,)."""
    course = np.zeros(runs)
    for start, size in zip(starts, sizes, strict=True):
        course[start:] += size
    return course


def ramp(runs: int, start: int, length: int, per_run: float) -> Values:
    """A course that climbs from a run on, by the same share per run, for `length` runs: (runs,)."""
    return np.log1p(per_run) * np.clip(np.arange(runs) - start + 1, 0, length)
