"""Kernels as they ran, one by one, brought together by name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.records import Dispatch

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Execution", "dispatch_from"]

_DECIMALS = 4


class Execution(NamedTuple):
    """One kernel that ran once; `time_s` is None where it was not told."""

    name: str
    time_s: float | None


def dispatch_from(executions: Sequence[Execution]) -> Dispatch:
    """Names in order of first use, how often each ran, and its share of their time.

    There are no shares where any of the times is not known.
    """
    counts = Counter(one.name for one in executions)
    times_s = dict.fromkeys(counts, 0.0)
    for one in executions:
        times_s[one.name] += one.time_s or 0.0
    total_s = sum(times_s.values())
    shares: dict[str, float] = {}
    if total_s > 0 and all(one.time_s is not None for one in executions):
        shares = {name: round(time_s / total_s, _DECIMALS) for name, time_s in times_s.items()}
    return Dispatch(kernels=tuple(counts), counts=dict(counts), shares=shares)
