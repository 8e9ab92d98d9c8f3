"""What stands in the cells of a row, on the terminal and in HTML alike: meaningful digits only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.report import format as fmt
from gconvbench.report.summary import NATIVE

if TYPE_CHECKING:
    from gconvbench.records import CaseFloor, Dispatch
    from gconvbench.report.summary import Row
    from gconvbench.stats import Estimate

__all__ = [
    "first_launch_text",
    "kernels_text",
    "least_text",
    "left_out_text",
    "memory_text",
    "of_floor_text",
    "speedup_text",
    "time_texts",
]


def time_texts(estimate: Estimate, floor: float) -> tuple[str, str]:
    """The time, with no digit below its interval or the noise floor, and the interval."""
    known_to = _known_to(estimate.half_width, floor)
    time = fmt.measured_seconds(estimate.median_s, known_to)
    return time, fmt.half_width_text(estimate.half_width)


def speedup_text(row: Row) -> str:
    """Over native, likewise."""
    if row.implementation == NATIVE:
        return "1x" if row.times else ""
    return fmt.speedup_text(row.speedup, _known_to(row.speedup_half_width, row.floor))


def first_launch_text(row: Row) -> str:
    """Preparing and the first launch; nothing where it was not timed."""
    return "" if row.first_launch_s is None else fmt.about_seconds(row.first_launch_s)


def memory_text(row: Row) -> str:
    """The peak of a launch; nothing where it could not be told."""
    if row.memory is None or row.memory.peak_bytes is None:
        return ""
    return fmt.memory_text(row.memory.peak_bytes, row.memory.resolution_bytes)


def least_text(least: CaseFloor) -> str:
    """The least time by the ceilings, and which of them bounds it."""
    return f"floor {fmt.seconds(least.seconds)}, {least.bound}-bound"


def of_floor_text(row: Row, mode: str) -> str:
    """The least time's share of the time; nothing where either is not known."""
    return fmt.share(row.of_floor[mode]) if mode in row.of_floor else ""


def _known_to(half_width: float | None, floor: float) -> float | None:
    return None if half_width is None else max(half_width, floor)


def left_out_text(row: Row) -> str:
    """The views that it could not be timed in, with the reasons; empty where there are none."""
    return "; ".join(f"no {mode}: {reason}" for mode, reason in row.left_out.items())


def kernels_text(dispatch: Dispatch) -> str:
    """`3 launches: 2 x gemm (90%), copy (10%)`: kernels in order of first use, as far as known.

    Those of one process; kernels that only others ran are named at the end.
    """
    known = [name for name in dispatch.kernels if not dispatch.counts or name in dispatch.counts]
    text = ", ".join(_kernel_text(name, dispatch) for name in known)
    launches = dispatch.kernel_launches or 0
    text = f"{launches} launches: {text}" if launches > 1 else text
    others = [name for name in dispatch.kernels if name not in known]
    text = "; in another process ".join([text, ", ".join(others)] if others else [text])
    return "; ".join(filter(None, [text, *dispatch.choices]))


def _kernel_text(name: str, dispatch: Dispatch) -> str:
    count, share = dispatch.counts.get(name, 1), dispatch.shares.get(name)
    text = f"{count} x {name}" if count > 1 else name
    return text if share is None or len(dispatch.counts) == 1 else f"{text} ({share:.0%})"
