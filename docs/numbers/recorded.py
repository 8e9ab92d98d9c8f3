"""Recorded processes with nothing changed between them, to draw from at random.

Of every slot all times come from one recorded process, so that what a process has in common stays
in it. Drawn with replacement, a gate's 20 to 80 processes are of 12 different ones: their spread is
a real machine's, their tails end with the worst of twelve.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RecordedMachine", "recorded_s"]

_PATH = Path(__file__).parent / "data" / "conv_cpu_aa" / "runs_12.json.gz"


def recorded_s() -> NDArray[np.float64]:
    """Wall seconds, shape (processes, cases, samples)."""
    with gzip.open(_PATH) as file:
        processes = json.load(file)
    names = list(processes[0])
    return np.array([[[wall for wall, _ in one[name]] for name in names] for one in processes])


class RecordedMachine:
    """Stands where a simulated machine does.

    Args:
        rng: what processes are drawn by.
        effect: log change of side B per case, shape (cases,).
    """

    def __init__(self, rng: np.random.Generator, effect: NDArray[np.float64] | float = 0.0) -> None:
        self._logs = np.log(recorded_s())
        self._rng = rng
        self.cases = self._logs.shape[1]
        self._effect = np.broadcast_to(np.asarray(effect, float), self.cases)

    def slot(self, side: Literal["A", "B"], cases: NDArray[np.intp]) -> NDArray[np.float64]:
        """Log times of one process, shape (len(cases), samples)."""
        found = self._logs[self._rng.integers(len(self._logs))][cases]
        return found + self._effect[cases, None] if side == "B" else found
