"""The only place where numbers become text: seconds, bytes, operations, shares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gconvbench.cases import Case

__all__ = [
    "about_seconds",
    "bandwidth_text",
    "bytes_text",
    "case_text",
    "change_interval_text",
    "change_text",
    "duration",
    "error_text",
    "flops_text",
    "fraction_text",
    "half_width_text",
    "measured_seconds",
    "memory_text",
    "number_text",
    "of_limit_text",
    "p_text",
    "ratio_text",
    "seconds",
    "share",
    "speedup_text",
]

_WIDE = 0.1
"""Up to here exp(h) - 1 and h differ by less than half a per cent point."""
_HOPELESS = 5.0
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_BINARY = ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"), (1, ""))


def seconds(value_s: float) -> str:
    """Three significant digits: `12.3 µs`."""
    scale, unit = _scale(value_s, _SECONDS)
    return f"{_three(value_s / scale)} {unit}"


def measured_seconds(value_s: float, half_width: float | None) -> str:
    """Only the digits that the 95 % interval bears: `584 µs`, `0.6 ms` within a third.

    Args:
        value_s: the time.
        half_width: of its interval on the log scale; None where nothing bears more than two digits.
    """
    scale, unit = _scale(value_s, _SECONDS)
    return f"{_meaningful(value_s / scale, half_width)} {unit}"


def about_seconds(value_s: float) -> str:
    """Two significant digits, for times seen once: `12 ms`."""
    return measured_seconds(value_s, None)


def duration(value_s: float) -> str:
    """For waiting people: `45 s`, `1 min 50 s`, `2 h 05 min`."""
    whole = round(value_s)
    if whole < 60:  # noqa: PLR2004 (a clock's numbers)
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def flops_text(value: float) -> str:
    """`4.51 GFLOP`."""
    scale, unit = _scale(value, _DECIMAL)
    return f"{_three(value / scale)} {unit}FLOP"


def bytes_text(value: float) -> str:
    """`1.50 MiB`."""
    scale, unit = _scale(value, _BINARY)
    return f"{_three(value / scale)} {unit}B"


def bandwidth_text(bytes_per_s: float) -> str:
    """`3.00 TB/s`, decimal as bandwidths are told."""
    scale, unit = _scale(bytes_per_s, _DECIMAL)
    return f"{_three(bytes_per_s / scale)} {unit}B/s"


def memory_text(value: float, resolution: float = 0.0) -> str:
    """`2.1 MiB`; `< 256 KiB` for what cannot be told from none."""
    if value < resolution:
        return f"<{bytes_text(resolution)}"
    scale, unit = _scale(value, _BINARY)
    return f"{_meaningful(value / scale, None)} {unit}B"


def share(value: float) -> str:
    """`2.1 %`; below ten one decimal."""
    percent = 100 * value
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:.0f} %"  # noqa: PLR2004


def of_limit_text(value: float) -> str:
    """`14 %` of a limit, `12,906x` of one that is far exceeded."""
    return share(value) if value < 10 else f"{value:,.0f}x"  # noqa: PLR2004


def half_width_text(half_width: float | None) -> str:
    """A 95 % interval on the log scale: `± 2.1 %`; a wide one as the factor it is, `×/÷ 1.31`.

    Nothing where one round gives no interval.
    """
    if half_width is None:
        return ""
    if half_width < _WIDE:
        return f"± {share(half_width)}"
    factor = math.exp(half_width) if half_width < _HOPELESS else math.inf
    return f"×/÷ {factor:.2f}" if factor < 10 else "×/÷ >10"  # noqa: PLR2004


def speedup_text(value: float | None, half_width: float | None) -> str:
    """`1.32x`, with the digits that the interval bears; more than 1 is faster than native."""
    return "" if value is None else f"{ratio_text(value, half_width)}x"


def ratio_text(value: float, half_width: float | None) -> str:
    """`0.739`, with the digits that its interval on the log scale bears; two without one."""
    return _meaningful(value, half_width)


def change_text(value: float) -> str:
    """A change as a share, with its sign: `+10.4 %`; from 100 % no decimal."""
    return f"{_percent(value)} %"


def change_interval_text(low: float, high: float) -> str:
    """The ends of a change's interval: `+9.1 to +11.8 %`."""
    return f"{_percent(low)} to {_percent(high)} %"


def p_text(value: float | None) -> str:
    """Two significant digits: `0.023`, `<0.0001`; nothing where there is none."""
    if value is None:
        return ""
    return "<0.0001" if value < 0.0001 else f"{value:.2g}"  # noqa: PLR2004 (no longer read)


def fraction_text(value: float) -> str:
    """`0.501` of something; small ones with two significant digits."""
    return f"{value:.3f}" if value >= 0.1 else f"{value:.2g}"  # noqa: PLR2004 (two digits at least)


def number_text(value: float) -> str:
    """Three significant digits of a number without unit: `4.94`."""
    return f"{value:.3g}"


def error_text(value: float | None) -> str:
    """`1.2e-07`."""
    return "not finite" if value is None else f"{value:.1e}"


def case_text(case: Case) -> str:
    """One line: operation, direction, dtype, and the shape as a person would say it."""
    words = [
        f"{case.operation} {case.direction} {case.dtype}",
        f"{case.batch}x{case.in_channels}x{case.height}x{case.width} to {case.out_channels}",
        f"groups {case.groups}",
        f"kernel {_pair(case.kernel_size)}",
    ]
    words += [f"stride {_pair(case.stride)}"] if case.stride != (1, 1) else []
    words += [f"dilation {_pair(case.dilation)}"] if case.dilation != (1, 1) else []
    words += ["tf32"] if case.math_mode == "tf32" else []
    words += [case.memory_format] if case.memory_format != "contiguous" else []
    return ", ".join(words)


def _percent(value: float) -> str:
    percent = 100 * value
    digits = 1 if abs(percent) < 99.95 else 0  # noqa: PLR2004
    return f"{round(percent, digits) + 0.0:+.{digits}f}"  # + 0.0: there is no -0.0


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def _scale(
    value: float, scales: tuple[tuple[float, str], ...], rounds_up: float = 0.9995
) -> tuple[float, str]:
    """The largest unit of which the value, rounded to three digits, has at least one."""
    return next((pair for pair in scales if value >= rounds_up * pair[0]), scales[-1])


def _meaningful(value: float, half_width: float | None) -> str:
    """The digits of a value that its uncertainty bears, four at the most.

    The rule is the Particle Data Group's (*Review of Particle Physics*, Introduction, "Rounding"):
    of an uncertainty whose first three digits are up to 354 two digits count, up to 949 one, and
    beyond it is rounded up to 1000, of which two count again. The value ends with the same digit.
    """
    first = math.floor(math.log10(value)) if value > 0 else 0
    last = first - 1
    if half_width is not None:
        uncertainty = value * max(half_width, 1e-9)
        last = math.floor(math.log10(uncertainty))
        last -= uncertainty / 10**last < 3.545  # noqa: PLR2004 (the rule's)
    last = min(first, max(last, first - 3))
    return f"{round(value, -last):.{max(0, -last)}f}"


def _three(value: float) -> str:
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0  # noqa: PLR2004
    return f"{value:.{digits}f}"
