"""A series as a line of blocks; figures beside it say the same in words."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Eight heights from the smallest to the largest, on the log scale; a blank where none is.

    Args:
        values: oldest first; what is not positive counts as missing.
        width: at most so many characters; of longer series each shows the median of a stretch.
    """
    logs = [math.log(v) if v is not None and 0 < v < math.inf else None for v in values]
    count = min(width, len(logs))
    edges = [len(logs) * place // count for place in range(count + 1)] if count else [0]
    cells = [_median(logs[low:high]) for low, high in itertools.pairwise(edges)]
    known = [cell for cell in cells if cell is not None]
    if not known:
        return " " * count
    low, span = min(known), max(known) - min(known)
    return "".join(" " if cell is None else _block(cell - low, span) for cell in cells)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _block(height: float, span: float) -> str:
    share = height / span if span > 0 else 0.0
    return _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]
