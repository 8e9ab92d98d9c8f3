"""How noisy a history is: its spread, its memory, its spikes, and levels that outliers spare."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Counts = NDArray[np.intp]

__all__ = ["Trimmed", "memory_factor", "sigma_of_differences", "trimmed", "without_spikes"]

_MAD_TO_SD = 1.4826
"""Of a normal distribution: 1 / its .75 quantile (Hampel, 1974, *The Influence Curve and Its Role
in Robust Estimation*, section 5)."""
_SMALLEST_SIGMA = 1e-3
"""A tenth of the smallest step that is reported: values that repeat exactly, or come in the steps
of a coarse clock, have no spread to divide by."""
_TRIM = 0.2
"""Cut from either end (Wilcox, *Introduction to Robust Estimation*, 2012, section 3.3)."""
_SPIKE_WINDOW = 5
_SPIKE_SIGMAS = 3.0
_MOST_MEMORY = 0.9
"""A series that wanders has no level; here its penalty has grown 19-fold, which is silence."""


def sigma_of_differences(values: Values, starts: Sequence[int] = ()) -> float:
    """The noise's standard deviation, from differences of neighbours, which no step inflates.

    MAD of the differences, over the square root of 2 (Rice, 1984, *Bandwidth Choice for
    Nonparametric Regression*, section 2, with a robust spread). Never below 0.001.

    Args:
        values: logarithms, (n,), none missing.
        starts: where a new level is expected; these differences do not count.
    """
    differences = np.delete(np.diff(values), [start - 1 for start in starts])
    if not differences.size:
        return _SMALLEST_SIGMA
    deviations = np.abs(differences - np.median(differences))
    return max(_SMALLEST_SIGMA, _MAD_TO_SD * float(np.median(deviations)) / math.sqrt(2))


def without_spikes(values: Values, sigma: float) -> Values:
    """Each value that lies more than three sigma off the median of five around it, replaced by it.

    A level that lasts for two runs or more at the end, three or more within, survives. (Hampel's
    filter; Pearson, 2002, *Outliers in Process Modeling and Identification*, section IV.)

    Args:
        values: (n,), none missing.
        sigma: of the noise.
    """
    padded = np.pad(values, _SPIKE_WINDOW // 2, constant_values=np.nan)
    medians = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, _SPIKE_WINDOW), axis=1)
    return np.where(np.abs(values - medians) > _SPIKE_SIGMAS * sigma, medians, values)


def memory_factor(residuals: Values) -> float:
    """By how much neighbours that resemble each other inflate the variance of a mean, at least 1.

    (1 + r) / (1 - r) of an AR(1) process with lag-one autocorrelation r (Priestley, *Spectral
    Analysis and Time Series*, 1981, section 5.3.2). Without it, every wave of such noise is a step.

    Args:
        residuals: deviations from the levels, (n,).
    """
    power = float(residuals @ residuals)
    if power <= 0:
        return 1.0
    r = min(_MOST_MEMORY, max(0.0, float(residuals[1:] @ residuals[:-1]) / power))
    return (1 + r) / (1 - r)


class Trimmed(NamedTuple):
    """Trimmed means of many rows at once.

    Attributes:
        means: without the lowest and the highest fifth, (rows,).
        kept: how many values are left in each row, (rows,).
        squares: sums of squared deviations of the winsorised rows, (rows,).
    """

    means: Values
    kept: Counts
    squares: Values


def trimmed(rows: Values) -> Trimmed:
    """20 %-trimmed means, and the winsorised squares that tell how well they are known.

    Yuen (1974), *The Two-Sample Trimmed t for Unequal Population Variances*, section 2. One loop
    in numpy over all rows: half of the time of a history goes in here.

    Args:
        rows: (rows, most values), short ones filled up with NaN; a row may be empty.
    """
    ordered = np.sort(rows, axis=-1)  # NaN last
    counts = np.count_nonzero(~np.isnan(ordered), axis=-1)
    cut = (_TRIM * counts).astype(np.intp)
    place, row = np.arange(rows.shape[-1]), np.arange(len(rows))
    lowest = ordered[row, cut]
    highest = ordered[row, np.maximum(counts - cut - 1, 0)]
    winsorised = np.clip(ordered, lowest[:, None], highest[:, None])
    is_there = place < counts[:, None]
    is_kept = (place >= cut[:, None]) & (place < (counts - cut)[:, None])
    kept = counts - 2 * cut
    means = np.where(is_kept, ordered, 0).sum(axis=-1) / np.maximum(kept, 1)
    middle = np.where(is_there, winsorised, 0).sum(axis=-1) / np.maximum(counts, 1)
    squares = np.where(is_there, winsorised - middle[:, None], 0) ** 2
    return Trimmed(means, kept, squares.sum(axis=-1))
