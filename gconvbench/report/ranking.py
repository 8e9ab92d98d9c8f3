"""Which row of a case a report puts first, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.report.summary import NATIVE

if TYPE_CHECKING:
    from gconvbench.report.summary import CaseSummary, Row

__all__ = ["best_row", "how_sure", "is_told_apart"]


def is_told_apart(summary: CaseSummary) -> bool:
    """Whether rounds tell the fastest from native, or where that is missing from the next one."""
    if not summary.measured:
        return False
    fastest, *others = summary.measured
    rival = summary.row_of(NATIVE) or next(iter(others), fastest)
    return len(fastest.rounds_s.keys() & rival.rounds_s.keys()) > 1


def best_row(summary: CaseSummary) -> Row | None:
    """The one to use; where one round gives no interval, simply the fastest."""
    if not summary.measured:
        return None
    return summary.advised if is_told_apart(summary) else summary.measured[0]


def how_sure(summary: CaseSummary) -> str:
    """Whether the others are clearly slower than the best."""
    if not summary.measured:
        return ""
    if not is_told_apart(summary):
        return "one round"
    return "close" if summary.close else "clear"
