"""Short, medium and long work of the kind that is measured: launches of the native convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.cases import Case
from gconvbench.device import set_math_mode
from gconvbench.implementations import BUILT_IN
from gconvbench.operands import normal_operands

if TYPE_CHECKING:
    from gconvbench.examining.subject import Subject
    from gconvbench.implementations import Launch

__all__ = ["LENGTHS", "native_launch"]

LENGTHS = ("short", "medium", "long")

_ON_CPU = {
    "short": Case(groups=2, in_channels=8, out_channels=8, height=8, width=8),
    "medium": Case(groups=32, in_channels=128, out_channels=128, height=28, width=28, batch=4),
    "long": Case(groups=8, in_channels=128, out_channels=128, height=56, width=56, batch=16),
}
"""Some ten microseconds, about a millisecond, about ten, on one core of a server."""
_ON_CARD = {
    "short": Case(groups=4, in_channels=64, out_channels=64, height=14, width=14),
    "medium": Case(groups=32, in_channels=128, out_channels=128, height=56, width=56, batch=32),
    "long": Case(in_channels=512, out_channels=512, height=28, width=28, batch=64),
}
"""A launch and little more, a layer of ResNeXt-50, and 200 GFLOP."""


def native_launch(subject: Subject, length: str) -> Launch:
    """A launch of that length, never made yet."""
    case = (_ON_CPU if subject.on_cpu else _ON_CARD)[length]
    set_math_mode(case.math_mode, subject.device)
    operands = normal_operands(case, seed=subject.method.seed, device=subject.device)
    return BUILT_IN[0].launch(case, operands)
