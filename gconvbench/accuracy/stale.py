"""Does a launch compute, or hand out what it computed before?"""

from __future__ import annotations

import contextlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from gconvbench.accuracy.judge import fitting
from gconvbench.accuracy.reference import valid_taps
from gconvbench.accuracy.steadiness import same_bits
from gconvbench.implementations import result_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Launch, Operands

__all__ = ["prepared_operands", "stale_results"]

_READ = {
    "fprop": ("x",),
    "dgrad": ("grad_output",),
    "wgrad": ("grad_output",),
    "training": ("x", "grad_output"),
}
"""The operands that every launch of a direction must read anew."""
_OTHER = -8
"""Factor that changes them: no rounding hides it, and nothing overflows that did not nearly."""


@contextmanager
def prepared_operands(implementation: Implementation) -> Iterator[list[Operands]]:
    """What `prepare` returns within the block: the operands that launches really read."""
    seen: list[Operands] = []
    attributes = vars(implementation)
    own = {"prepare": attributes["prepare"]} if "prepare" in attributes else {}
    prepare = implementation.prepare

    def watched(case: Case, operands: Operands) -> Operands:
        seen.append(prepare(case, operands))
        return seen[-1]

    attributes["prepare"] = watched
    try:
        yield seen
    finally:
        del attributes["prepare"]
        attributes.update(own)


def stale_results(case: Case, launch: Launch, *operands: Operands) -> Iterator[str]:
    """In words, each result that stays the same although what it is made of has changed.

    Args:
        case: the problem.
        launch: was built on the operands.
        operands: that may be read, as they were given and as they were prepared; are overwritten.

    Raises:
        MisfitError: other operands give results that do not fit.
    """
    device = operands[0].x.device
    before = [result.detach().clone() for result in fitting(case, launch(), device)]
    changed = [getattr(one, name) for one in operands for name in _READ[case.direction]]
    with torch.no_grad():
        for tensor in {id(one): one for one in changed}.values():
            with contextlib.suppress(AttributeError, RuntimeError, TypeError):  # of another kind
                tensor.mul_(_OTHER)
    for name, old, new in zip(
        result_names(case), before, fitting(case, launch(), device), strict=True
    ):
        is_bias_alone = name == "output" and not valid_taps(case)
        if torch.count_nonzero(old) and not is_bias_alone and same_bits((old,), (new,)):
            yield f"{name} is the same for other operands: it was computed before"
