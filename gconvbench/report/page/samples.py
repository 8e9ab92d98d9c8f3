"""Samples of a round in few characters: whole numbers of a unit, and no more than a page bears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_SAMPLES", "in_units", "most_per_round"]

MOST_SAMPLES = 600_000
"""On a page; at about five characters each they take 3 MB."""
_FEWEST = 9
"""Of a round: its extremes and seven quantiles between them."""
_DIGITS = 4
"""Of the median: finer than any interval."""


def most_per_round(counts: Sequence[int]) -> int | None:
    """How many samples of each round a page may have; None where it can have all.

    Args:
        counts: samples of each round.
    """
    if sum(counts) <= MOST_SAMPLES:
        return None
    return max(_FEWEST, MOST_SAMPLES // len(counts))


def in_units(samples_s: Sequence[float], most: int | None) -> tuple[float, ...]:
    """The unit in seconds, then the samples in whole units.

    Where there are more than `most`, evenly spaced order statistics stand for them, the least and
    the greatest among them.
    """
    shown = samples_s
    if most is not None and len(samples_s) > most:
        ordered = sorted(samples_s)
        step = (len(ordered) - 1) / (most - 1)
        shown = [ordered[round(number * step)] for number in range(most)]
    typical = sorted(shown)[len(shown) // 2]
    unit = 10.0 ** (math.floor(math.log10(typical)) + 1 - _DIGITS)
    return (float(f"{unit:.0e}"), *(round(sample_s / unit) for sample_s in shown))
