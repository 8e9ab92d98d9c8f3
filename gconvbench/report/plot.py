"""Measured errors over reduction lengths, drawn with matplotlib, which is installed on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from gconvbench.cases import DTYPES
from gconvbench.errors import NotMeasuredError, UsageError
from gconvbench.report.accuracy import error_points

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from gconvbench.report.accuracy import Point
    from gconvbench.store import Run

__all__ = ["plot_errors"]

_FORMATS = (".svg", ".png", ".pdf")
_RESULTS = ("output", "grad_input", "grad_weight", "grad_bias")
_MARKERS = "osD^v<>pPX*hd"
_APART = 1.03
"""Factor of L by which marks of different implementations stand beside each other."""
_PANEL_INCHES = (2.7, 2.2)
_LEGEND_INCHES = 2.2


def plot_errors(run: Run, path: Path) -> None:
    """One panel per dtype and result: every implementation's errors, and the limits.

    Raises:
        UsageError: no such format, or no errors to draw.
        NotMeasuredError: the file cannot be written.
    """
    if path.suffix not in _FORMATS:
        message = f"plot {str(path)!r} must end in one of {', '.join(_FORMATS)}"
        raise UsageError(message)
    points = [point for point in error_points(run) if point.error > 0]
    if not points:
        message = f"run {run.header.run} has no errors to draw"
        raise UsageError(message)
    with mpl.rc_context({"svg.hashsalt": "gconvbench", "font.size": 8}):
        figure = _figure(run, points)
        try:
            figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {})
        except OSError as error:
            message = f"plot {str(path)!r} cannot be written: {error.strerror}"
            raise NotMeasuredError(message) from None


def _figure(run: Run, points: Sequence[Point]) -> Figure:
    dtypes = [one for one in DTYPES if any(point.dtype == one for point in points)]
    results = [one for one in _RESULTS if any(point.tensor == one for point in points)]
    width, height = _PANEL_INCHES
    figure = Figure(
        figsize=(width * len(results) + _LEGEND_INCHES, height * len(dtypes) + 0.5),
        layout="constrained",
    )
    panels = figure.subplots(len(dtypes), len(results), sharex=True, squeeze=False)
    names = [name for name in run.header.plan.implementations if _has(points, name)]
    for row, dtype in zip(panels, dtypes, strict=True):
        for panel, result in zip(row, results, strict=True):
            chosen = [one for one in points if (one.dtype, one.tensor) == (dtype, result)]
            _draw(panel, chosen, names)
            panel.set_title(f"{result}, {dtype}")
        row[0].set_ylabel("relative error")
    for panel in panels[-1]:
        panel.set_xlabel("reduction length L")
    handles = {
        label: handle
        for panel in panels.flat
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    order = [name for name in ("limit", *names) if name in handles]
    figure.legend([handles[name] for name in order], order, loc="outside right upper")
    device = run.header.environment.identity.get("device_name")
    torch = run.header.environment.under_test.get("torch")
    figure.suptitle(f"{device}, torch {torch}, run {run.header.run}")
    return figure


def _has(points: Sequence[Point], name: str) -> bool:
    return any(point.implementation == name for point in points)


def _draw(panel: Axes, points: Sequence[Point], names: Sequence[str]) -> None:
    """Limits from the strictest to the widest as a band, errors as marks, side by side."""
    panel.set_xscale("log")
    panel.set_yscale("log")
    limits: dict[int, list[float]] = {}
    for point in points:
        limits.setdefault(point.reduction_length, []).append(point.limit)
    lengths = sorted(limits)
    lowest, highest = ([pick(limits[one]) for one in lengths] for pick in (min, max))
    panel.plot(lengths, lowest, color="black", linewidth=1, label="limit")
    panel.fill_between(lengths, lowest, highest, color="0.85", linewidth=0)
    for number, name in enumerate(names):
        mine = [point for point in points if point.implementation == name]
        aside = _APART ** (number - len(names) / 2)
        panel.plot(
            [point.reduction_length * aside for point in mine],
            [point.error for point in mine],
            linestyle="",
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=3,
            markerfacecolor="none",
            markeredgewidth=0.7,
            color=mpl.colormaps["tab20"](number % 20),
            label=name,
        )
