"""Which row of a case a report puts first, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gconvbench.report.summary import CaseSummary, Row

__all__ = ["best_row", "how_sure"]


def best_row(summary: CaseSummary) -> Row | None:
    """The one to use; where one round gives no interval, simply the fastest."""
    if not summary.measured:
        return None
    return summary.advised if summary.has_intervals else summary.measured[0]


def how_sure(summary: CaseSummary) -> str:
    """Whether the others are clearly slower than the best."""
    if not summary.measured:
        return ""
    if not summary.has_intervals:
        return "one round"
    return "close" if summary.close else "clear"
