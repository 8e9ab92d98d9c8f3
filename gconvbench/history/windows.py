"""Where the runs just before and just after differ: a second opinion on every change point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gconvbench.history.noise import trimmed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Indices = NDArray[np.intp]

__all__ = ["AFTER", "BEFORE", "peaks", "window_t"]

BEFORE = 24
AFTER = 12
"""The windows of Perfherder, which alerts on Firefox's tests (Mozilla, *Perfherder alerts FAQ*)."""
_FEWEST_BEFORE = 8
_SMALLEST_SHARE = 0.5
"""Of sigma: below that a spread of few values is luck."""


def window_t(values: Values, sigma: float, *, fewest_after: int) -> Values:
    """Student's t of the trimmed means of up to 24 runs before and 12 from each run on, (n,).

    Pooled over both windows (Yuen and Dixon, 1973, *The Approximate Behaviour and Performance of
    the Two-Sample Trimmed t*); 0 where one of them is too short.

    Args:
        values: (n,), none missing.
        sigma: of the noise.
        fewest_after: a shorter window after tells nothing.
    """
    n = len(values)
    padded = np.pad(values, (BEFORE, AFTER), constant_values=np.nan)
    view = np.lib.stride_tricks.sliding_window_view
    before = trimmed(view(padded, BEFORE)[:n])
    after = trimmed(view(padded, AFTER)[BEFORE : BEFORE + n])
    freedom = np.maximum(before.kept + after.kept - 2, 1)
    variance = (before.squares + after.squares) / freedom
    variance = np.maximum(variance, (_SMALLEST_SHARE * sigma) ** 2)
    known = 1 / np.maximum(before.kept, 1) + 1 / np.maximum(after.kept, 1)
    t: Values = (after.means - before.means) / np.sqrt(variance * known)
    place = np.arange(n)
    t[(place < _FEWEST_BEFORE) | (n - place < fewest_after)] = 0.0
    return t


def peaks(t: Values, threshold: float, reach: int) -> Indices:
    """Where |t| exceeds the threshold and every other one within reach."""
    height = np.abs(t)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(height, reach), 2 * reach + 1)
    return np.flatnonzero((height > threshold) & (height >= around.max(axis=1)))
