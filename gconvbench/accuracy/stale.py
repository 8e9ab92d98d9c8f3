"""Does a launch compute, or hand out what it computed before?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.accuracy.reference import valid_taps
from gconvbench.accuracy.steadiness import same_bits
from gconvbench.implementations import result_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Launch, Operands

__all__ = ["stale_results"]

_READ = {
    "fprop": ("x",),
    "dgrad": ("grad_output",),
    "wgrad": ("grad_output",),
    "training": ("x", "grad_output"),
}
"""The operands that every launch of a direction must read anew."""
_MADE_OF = {
    "output": ("x",),
    "grad_input": ("grad_output",),
    "grad_weight": ("x", "grad_output"),
    "grad_bias": ("grad_output",),
}


def stale_results(
    implementation: Implementation, case: Case, launch: Launch, operands: Operands
) -> Iterator[str]:
    """In words, each result that stays the same although what it is made of turns to zero.

    An operand of which `prepare` makes a copy of its own is left alone: no launch reads it.

    Args:
        implementation: whose launch it is.
        case: the problem.
        launch: was built on `operands`.
        operands: are overwritten.
    """
    ready = implementation.prepare(case, operands)
    changed = [
        name
        for name in _READ[case.direction]
        if getattr(ready, name).data_ptr() == getattr(operands, name).data_ptr()
    ]
    before = [result.detach().clone() for result in launch()]
    with torch.no_grad():
        for name in changed:
            getattr(operands, name).zero_()
    for name, old, new in zip(result_names(case), before, launch(), strict=True):
        if not set(_MADE_OF[name]) & set(changed) or not torch.count_nonzero(old):
            continue
        if name == "output" and not valid_taps(case):  # the bias alone, of whatever input
            continue
        if same_bits((old,), (new,)):
            yield f"{name} is the same for other operands: it was computed before"
