"""Simulated times of many cases on noisy machines, to try rules that look for slowdowns.

The model and its numbers were calibrated on real processes of CPU convolutions with nothing changed
between them; three columns of it are kept: a typical machine, a quiet one, and one that is shared
with strangers. All is on the scale of natural logarithms of seconds, where heights of slow states
are `log1p` of the shares below; a sample is the sum of

- what its case takes, drawn log-uniformly from 20 µs to 5 ms, and its change on side B;
- the session: a linear drift and a random walk from slot to slot, each half common to all cases;
- the process: a Student t (5 degrees of freedom) per case, a normal part common to all, and slow
  states of a case (bimodal) or of most cases (a slow process);
- the sample: AR(1) with an exponential right tail, spikes, bursts, and switching from one level to
  another.
"""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NOISES", "Noise", "SimulatedMachine"]

BASE_S = (20e-6, 5e-3)
"""Between these a case's time is drawn."""
DEGREES = 5
"""Of freedom, of Student's t over processes."""
RHO = 0.3
"""Correlation of a sample's Gaussian part with the one before it."""
TAIL = 0.5
"""Mean and sd of the exponential tail, as a share of the sd within a process."""
DRIFT_SLOTS, LAST_DRIFTING_SLOT = 10, 20
"""A session's drift is that over so many slots; it goes on as steeply, and ends."""
BIMODAL_SLOW, BIMODAL_HEIGHT = 0.3, (0.03, 0.08)
"""Share of processes in which a bimodal case is slow, and by how much."""
PROCESS_CASES, PROCESS_HEIGHT = 0.8, (0.08, 0.5)
"""Share of the cases of a slow process that are slow, and by how much."""
BURST_HEIGHT, BURST_LENGTH = (0.1, 0.6), (0.1, 0.4)
SWITCH_HEIGHT = (0.03, 0.1)
PERIODIC_HEIGHT = 0.2
"""Of the disturbance of every so manyth slot; it strikes as many cases as a slow process does."""
BLOCK = 20
"""So many neighbouring cases share a part of their process effect, where they correlate."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How a kind of machine disturbs what is timed on it; all are fractions, and sds of logarithms.

    Attributes:
        process_sd: median over cases of the sd over processes.
        process_sigma: sd over cases of the logarithm of that sd.
        common_sd: sd over processes of what all cases of a process have in common.
        within_sd: median over cases of the sd over samples of a process.
        within_sigma: sd over cases of the logarithm of that sd.
        drift: the largest linear drift over a session of 10 slots.
        walk_sd: sd of a random walk's step from slot to slot.
        spikes: share of the samples that are spikes.
        spike_height: their mean height; it is exponentially distributed.
        bursts: share of all (case, process) with 10-40 % of the samples 10-60 % slow, in one piece.
        bimodal: share of the cases that are 3-8 % slow in 30 % of their processes.
        slow_processes: share of the processes in which 80 % of the cases are 8-50 % slow.
        switching: share of all (case, process) 3-10 % slow from some sample on, or until it.
        session_suite_sd: sd over sessions of what all cases have in common.
        session_case_sd: sd over sessions of each case.
    """

    process_sd: float
    process_sigma: float
    common_sd: float
    within_sd: float
    within_sigma: float
    drift: float
    walk_sd: float
    spikes: float
    spike_height: float
    bursts: float
    bimodal: float
    slow_processes: float
    switching: float
    session_suite_sd: float
    session_case_sd: float


NOISES = {
    "typical": Noise(
        process_sd=0.012, process_sigma=0.5, common_sd=0.005, within_sd=0.01, within_sigma=0.7,
        drift=0.01, walk_sd=0.002, spikes=0.03, spike_height=0.4, bursts=0.05, bimodal=0.1,
        slow_processes=0.03, switching=0.05, session_suite_sd=0.01, session_case_sd=0.006,
    ),
    "quiet": Noise(
        process_sd=0.004, process_sigma=0.4, common_sd=0.002, within_sd=0.005, within_sigma=0.6,
        drift=0.003, walk_sd=0.001, spikes=0.01, spike_height=0.4, bursts=0.01, bimodal=0.05,
        slow_processes=0.002, switching=0.03, session_suite_sd=0.003, session_case_sd=0.002,
    ),
    "shared": Noise(
        process_sd=0.018, process_sigma=0.5, common_sd=0.015, within_sd=0.02, within_sigma=0.7,
        drift=0.03, walk_sd=0.006, spikes=0.08, spike_height=0.6, bursts=0.15, bimodal=0.12,
        slow_processes=0.14, switching=0.08, session_suite_sd=0.05, session_case_sd=0.03,
    ),
}  # fmt: skip
"""Calibrated on real processes; by the kind of machine."""


class SimulatedMachine:
    """One session on one machine: cases with their own noise, slots in time.

    Args:
        noise: the kind of machine.
        n_cases: how many cases.
        rng: whence all randomness comes.
        effect: change of the logarithm of the time on side B, for all cases or each, `(n_cases,)`.
        correlation: share of the process sd that is common to a block of 20 neighbouring cases;
            two of a block then correlate with its square.
        period: every so manyth slot, from a random one on, 80 % of the cases are 20 % slower.
        n_anchors: further cases, without effect, that follow the others.
    """

    def __init__(  # noqa: PLR0913 (each is one thing that may be wrong with a machine)
        self,
        noise: Noise,
        n_cases: int,
        rng: np.random.Generator,
        *,
        effect: np.ndarray | float = 0.0,
        correlation: float = 0.0,
        period: int | None = None,
        n_anchors: int = 0,
    ) -> None:
        count = n_cases + n_anchors
        self._noise, self._rng, self._correlation, self._period = noise, rng, correlation, period
        self._base = rng.uniform(math.log(BASE_S[0]), math.log(BASE_S[1]), count)
        self._effect = np.zeros(count)
        self._effect[:n_cases] = effect
        self._process_sd = noise.process_sd * np.exp(rng.normal(0, noise.process_sigma, count))
        self._within_sd = noise.within_sd * np.exp(rng.normal(0, noise.within_sigma, count))
        bimodal = rng.random(count) < noise.bimodal
        self._bimodal = bimodal * _heights(rng, BIMODAL_HEIGHT, count)
        self._begin()

    def another_session(self) -> SimulatedMachine:
        """The same cases later: another suite-wide and per-case level, drift and walk.

        Stored baselines come from such a session. Both go on with the same source of randomness.
        """
        noise, rng = self._noise, self._rng
        other = copy.copy(self)
        suite = rng.normal(0, noise.session_suite_sd)
        other._base = self._base + suite + rng.normal(0, noise.session_case_sd, len(self._base))  # noqa: SLF001 (its own class)
        other._begin()  # noqa: SLF001
        return other

    def slot(
        self, side: Literal["A", "B"], cases: np.ndarray | None = None, n_samples: int = 30
    ) -> np.ndarray:
        """Logarithms of seconds of one fresh process; the session goes on by one slot.

        Args:
            side: A is the baseline, B the contender.
            cases: indices of the cases that the process times; all unless given.
            n_samples: of each case.

        Returns:
            `(len(cases), n_samples)`.
        """
        level = self._base + self._advance()
        if side == "B":
            level += self._effect
        level += self._process()
        within_sd = self._within_sd
        if cases is not None:
            level, within_sd = level[cases], within_sd[cases]
        samples = self._samples(within_sd.astype(np.float32), n_samples)
        return level[:, np.newaxis] + samples

    def _begin(self) -> None:
        """Start a session."""
        rng, drift = self._rng, self._noise.drift
        self._slot = 0
        self._phase = int(rng.integers(self._period)) if self._period else 0
        self._slope = rng.uniform(-drift, drift) + rng.uniform(-drift, drift, len(self._base))
        self._slope /= 2 * DRIFT_SLOTS
        self._walk = np.zeros(len(self._base))

    def _advance(self) -> np.ndarray:
        """Where the session has got to, `(cases,)`, disturbance included; then the next slot."""
        rng, count = self._rng, len(self._base)
        where = self._slope * min(self._slot, LAST_DRIFTING_SLOT) + self._walk
        if self._period and self._slot % self._period == self._phase:
            where += math.log1p(PERIODIC_HEIGHT) * (rng.random(count) < PROCESS_CASES)
        step = rng.standard_normal() + rng.standard_normal(count)
        self._walk = self._walk + self._noise.walk_sd * math.sqrt(0.5) * step
        self._slot += 1
        return where

    def _process(self) -> np.ndarray:
        """What one process does to each case, `(cases,)`."""
        noise, rng, count = self._noise, self._rng, len(self._base)
        spread = _student(rng, count)
        if self._correlation:
            blocks = np.repeat(_student(rng, math.ceil(count / BLOCK)), BLOCK)[:count]
            own = math.sqrt(1 - self._correlation**2)
            spread = self._correlation * blocks + own * spread
        level = self._process_sd * spread + rng.normal(0, noise.common_sd)
        level += self._bimodal * (rng.random(count) < BIMODAL_SLOW)
        if rng.random() < noise.slow_processes:
            height = _heights(rng, PROCESS_HEIGHT, 1)
            level += height * (rng.random(count) < PROCESS_CASES)
        return level

    def _samples(self, sd: np.ndarray, count: int) -> np.ndarray:
        """What differs from sample to sample, `(cases, count)`, in single precision."""
        noise, rng, shape = self._noise, self._rng, (len(sd), count)
        samples = rng.standard_normal(shape, np.float32) @ _autoregression(count)
        samples += np.float32(TAIL) * rng.standard_exponential(shape, np.float32)
        samples *= sd[:, np.newaxis]
        struck = _struck(rng, noise.spikes, samples.size)
        heights = np.log1p(rng.exponential(noise.spike_height, len(struck)))
        samples.reshape(-1)[struck] += heights.astype(np.float32)
        self._disturb(samples, noise.bursts, BURST_HEIGHT, functools.partial(_piece, rng))
        self._disturb(samples, noise.switching, SWITCH_HEIGHT, functools.partial(_end, rng))
        return samples

    def _disturb(
        self,
        samples: np.ndarray,
        share: float,
        height: tuple[float, float],
        where: Callable[[int, int], np.ndarray],
    ) -> None:
        """Make a piece of some rows slow."""
        rows = np.flatnonzero(self._rng.random(len(samples)) < share)
        pieces = where(len(rows), samples.shape[1])
        samples[rows] += _heights(self._rng, height, len(rows))[:, np.newaxis] * pieces


def _student(rng: np.random.Generator, count: int) -> np.ndarray:
    """Student's t, scaled to sd 1 (its variance is n / (n - 2))."""
    return rng.standard_t(DEGREES, count) * math.sqrt((DEGREES - 2) / DEGREES)


def _heights(rng: np.random.Generator, between: tuple[float, float], count: int) -> np.ndarray:
    return np.log1p(rng.uniform(*between, count))


def _struck(rng: np.random.Generator, share: float, size: int) -> np.ndarray:
    """Indices of which each is there with probability `share`, some of them twice.

    A Poisson number of uniform throws hits every index independently of the others (Kingman 1993,
    *Poisson Processes*, section 2.4), so there is no need for a random number per index.
    """
    throws = rng.poisson(-math.log1p(-share) * size)
    return rng.integers(size, size=throws)


def _piece(rng: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """True in one piece of each row, `(rows, count)`."""
    length = np.rint(rng.uniform(*BURST_LENGTH, rows) * count)
    start = np.floor(rng.random(rows) * (count - length + 1))
    column = np.arange(count)
    return (column >= start[:, np.newaxis]) & (column < (start + length)[:, np.newaxis])


def _end(rng: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """True from some sample of each row on, or until it, `(rows, count)`."""
    start = rng.integers(1, max(count, 2), rows)[:, np.newaxis]
    return (np.arange(count) >= start) ^ (rng.random((rows, 1)) < 0.5)  # noqa: PLR2004 (a coin)


@functools.cache
def _autoregression(count: int) -> np.ndarray:
    """Independent normal rows times this `(count, count)` matrix are stationary AR(1) rows.

    Their sd leaves room for the tail, so that both together have sd 1.
    """
    lag = np.arange(count)[np.newaxis, :] - np.arange(count)[:, np.newaxis]
    matrix = np.where(lag >= 0, RHO ** np.maximum(lag, 0.0), 0.0)
    matrix[1:] *= math.sqrt(1 - RHO**2)
    return (math.sqrt(1 - TAIL**2) * matrix).astype(np.float32)
