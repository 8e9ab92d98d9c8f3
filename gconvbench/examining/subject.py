"""What is examined, and how a finding is put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from gconvbench.records import Check

if TYPE_CHECKING:
    from gconvbench.records import CheckState, Method, Scalar

__all__ = ["Subject", "duration", "finding", "percent", "state_of"]


class Subject(NamedTuple):
    """The instrument: a device and a method, as a run has them.

    Attributes:
        device: `cpu`, `cuda` or `cuda:1`.
        method: how it would measure.
        scope: as of `protocol.Examine`.
    """

    device: str
    method: Method
    scope: Literal["quick", "full"] = "full"

    @property
    def on_cpu(self) -> bool:
        """Whether the work is done by the host itself."""
        return self.device == "cpu"


def finding(
    name: str,
    state: CheckState,
    found: str,
    advice: str = "",
    /,
    **figures: Scalar,
) -> Check:
    """A check as it came out; advice only where there is something to mend."""
    needed = advice if state in {"advice", "unfit"} else ""
    return Check(name=name, state=state, found=found, advice=needed, figures=figures)


def state_of(value: float, *, advice: float, unfit: float) -> CheckState:
    """How bad a value is of which less is better; a value that is no number is unfit."""
    if value <= advice:
        return "fine"
    return "advice" if value <= unfit else "unfit"


def percent(share: float) -> str:
    """`0.25 %`, with three digits."""
    return f"{100 * share:.3g} %"


def duration(seconds: float) -> str:
    """`12.5 µs`, with three digits."""
    size = abs(seconds) * (1 + _HALF_A_DIGIT)
    for unit, length_s in (("s", 1.0), ("ms", 1e-3)):
        if size >= length_s:
            return f"{seconds / length_s:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


_HALF_A_DIGIT = 5e-4
"""999.7 µs would be rounded to 1e+03."""
