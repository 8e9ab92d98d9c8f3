"""The step at a place that is given, not sought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gconvbench.history.levels import step_between
from gconvbench.history.noise import sigma_of_differences, without_spikes
from gconvbench.history.windows import AFTER, BEFORE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gconvbench.history.levels import Step

__all__ = ["step_across"]

_FEWEST = 3
"""As a level at the end of a history."""


def step_across(values: ArrayLike, index: int) -> Step | None:
    """The step between up to 24 runs before and 12 from a run on; None of fewer than 3 on a side.

    Args:
        values: natural logarithms, one per run, (n,); NaN and infinities are missing.
        index: of the first run after the step.

    Raises:
        ValueError: the values are not one row, or the index is none of theirs.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not 0 <= index < len(given):
        message = f"index {index} of values {given.shape}; one row and one of its runs are needed"
        raise ValueError(message)
    sides = given[:index], given[index:]
    before, after = (side[np.isfinite(side)] for side in sides)
    if min(len(before), len(after)) < _FEWEST:
        return None
    sigma = sigma_of_differences(np.concatenate([before, after]), [len(before)])
    before, after = (without_spikes(side, sigma) for side in (before, after))
    return step_between(before[-BEFORE:], after[:AFTER], sigma)
