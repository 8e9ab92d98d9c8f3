"""One case as an HTML table for notebooks: no script, no style sheet, nothing from elsewhere.

Colours are the page's own, so that it reads on light and on dark ones; where the page is narrow the
table scrolls by itself.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gconvbench.report import format as fmt
from gconvbench.report.case_table import unsupported_lines
from gconvbench.report.cells import (
    first_launch_text,
    least_text,
    left_out_text,
    memory_text,
    of_floor_text,
    speedup_text,
    time_texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gconvbench.report.summary import CaseSummary, Row
    from gconvbench.stats import Estimate

__all__ = ["case_html"]

_LINE = "border:0;border-bottom:1px solid rgba(128,128,128,.35)"
_CELL = f"{_LINE};padding:.3em .7em;vertical-align:top"
_LEFT = f"{_CELL};text-align:left"
_RIGHT = f"{_CELL};text-align:right;white-space:nowrap"
_IN_SIGHT = "position:sticky;left:0;width:fit-content;max-width:85vw;white-space:normal"
"""A caption is as wide as its table; its text stays in sight where the table scrolls."""


def case_html(summary: CaseSummary, modes: Sequence[str], feet: Sequence[str] = ()) -> str:
    """A table of the case's implementations, with the advice as its caption.

    Args:
        summary: the case.
        modes: the cache modes to show.
        feet: lines below the table.
    """
    shown = [row for row in summary.rows if row.outcome != "unsupported"]
    others = [(r.implementation, r.detail) for r in summary.rows if r.outcome == "unsupported"]
    span = len(_columns(summary, modes))
    body = "".join(_row(row, summary, modes) for row in shown)
    body += "".join(
        f'<tr><td colspan="{span}" style="{_LEFT};opacity:.75">{escape(line)}</td></tr>'
        for line in unsupported_lines(others)
    )
    below = "".join(f'<div style="opacity:.75">{escape(foot)}</div>' for foot in feet)
    return (
        '<div style="overflow-x:auto;max-width:100%">'
        '<table style="border-collapse:collapse;margin:0;background:none;color:inherit">'
        f"{_caption(summary)}<thead><tr>{_head(summary, modes)}</tr></thead><tbody>{body}</tbody>"
        f"</table></div>{below}"
    )


def _caption(summary: CaseSummary) -> str:
    case, advice = escape(fmt.case_text(summary.case)), escape(summary.advice)
    case += f", {least_text(summary.least)}" if summary.least else ""
    return (
        '<caption style="caption-side:top;text-align:left;color:inherit;padding:.3em 0">'
        f'<div style="{_IN_SIGHT}">{case}<br><strong>{advice}</strong></div></caption>'
    )


def _columns(summary: CaseSummary, modes: Sequence[str]) -> list[str]:
    """Their heads; those of the floor only where it is known."""
    times = [("time" if len(modes) == 1 else f"time {mode}", "95 %") for mode in modes]
    costs = ["speedup", "first", "memory", "of limit"]
    shares = ["of floor" if len(modes) == 1 else f"of floor {mode}" for mode in modes]
    heads = [*(name for pair in times for name in pair), *costs]
    return ["implementation", *heads, *(shares if summary.least else []), "notes"]


def _head(summary: CaseSummary, modes: Sequence[str]) -> str:
    first, *numbers, last = _columns(summary, modes)
    columns = [(first, _LEFT), *((name, _RIGHT) for name in numbers), (last, _LEFT)]
    return "".join(f'<th scope="col" style="{style}">{name}</th>' for name, style in columns)


def _row(row: Row, summary: CaseSummary, modes: Sequence[str]) -> str:
    is_advised = summary.advised is not None and row == summary.advised
    name = escape(row.implementation)
    name = f"<strong>{name}</strong>" if is_advised else name
    cells = f'<th scope="row" style="{_LEFT};font-weight:normal">{name}</th>'
    if not row.times:
        reason = escape(f"{row.outcome}: {row.detail}" if row.detail else row.outcome)
        span = len(_columns(summary, modes)) - 1
        return f'<tr>{cells}<td colspan="{span}" style="{_LEFT}">{reason}</td></tr>'
    of_limit = "" if row.of_limit is None else fmt.of_limit_text(row.of_limit)
    left_out = [left_out_text(row)] if row.left_out else []
    notes = "; ".join([*(["advised"] if is_advised else []), *row.labels, *left_out])
    cells += "".join(cell for mode in modes for cell in _time(row, mode, summary))
    costs = (speedup_text(row), first_launch_text(row), memory_text(row), of_limit)
    shares = [of_floor_text(row, mode) for mode in modes] if summary.least else []
    cells += "".join(_cell(text) for text in (*costs, *shares))
    return f'<tr>{cells}<td style="{_LEFT};min-width:14em">{escape(notes)}</td></tr>'


def _time(row: Row, mode: str, summary: CaseSummary) -> Iterator[str]:
    """Two cells: the time above its share of the slowest as a bar, and its interval."""
    estimate = row.times.get(mode)
    if estimate is None:
        yield from (_cell(""), _cell(""))
        return
    slowest_s = max(one.times[mode].median_s for one in summary.measured if mode in one.times)
    time, interval = time_texts(estimate, row.floor)
    yield _cell(time, _bar(estimate, slowest_s))
    yield _cell(interval)


def _bar(estimate: Estimate, slowest_s: float) -> str:
    width = 100 * estimate.median_s / slowest_s
    style = f"width:{width:.1f}%;height:.35em;background:currentColor;opacity:.45"
    return f'<div style="min-width:6em"><div aria-hidden="true" style="{style}"></div></div>'


def _cell(text: str, more: str = "") -> str:
    return f'<td style="{_RIGHT}">{escape(text)}{more}</td>'
