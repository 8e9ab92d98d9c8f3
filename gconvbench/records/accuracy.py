"""What a proof leaves behind."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec

__all__ = ["ISOLATED_IF_FINITE", "RIGHT", "Accuracy", "Agreement", "TensorAccuracy"]

ISOLATED_IF_FINITE = "isolated for finite data"
"""What `Accuracy.flow` says of an implementation that is right, but leaks NaN between groups."""
RIGHT = "right"
"""What `Accuracy.layouts` says of a layout whose results are those of the plain one."""


class TensorAccuracy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far one result is from the reference.

    Attributes:
        tensor: `output`, `grad_input`, `grad_weight` or `grad_bias`.
        error: relative error in the 2-norm; null where it is not finite.
        group_error: the same, the largest over groups.
        limit: what `group_error` may be at most.
        reduction_length: products summed into one element.
        exact: `equal`, `different`, `equal when rounded: ...` (a GPU's Winograd kernel), or why
            the exact-integer check says nothing.
        precision: the arithmetic that the error bears witness of: `ieee`, `tf32`, `half`, `none`.
        memory_format: of the result: `contiguous`, `channels_last`, both, or `strided`.
        digest: sixteen digits that stand for the result's bits, to be compared over processes.
        compared: how many elements were compared with the reference.
        element_error: the largest error of one element, relative to itself or to the root mean
            square of its group, whichever is more.
        element_limit: what it may be.
    """

    tensor: str
    error: float | None
    group_error: float | None
    limit: Annotated[float, msgspec.Meta(gt=0)]
    reduction_length: int
    exact: str
    precision: str = ""
    memory_format: str = ""
    digest: str = ""
    compared: int = 0
    element_error: float | None = None
    element_limit: float | None = None

    @property
    def is_off_in_one_element(self) -> bool:
        """Whether one element is farther off than may be; False where that was not looked at."""
        if self.element_error is None or self.element_limit is None:
            return False
        return self.element_error > self.element_limit


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The largest disagreement with another implementation, over all elements.

    Attributes:
        peer: the other one.
        tensor: the result in which they disagree most.
        distance: relative in the 2-norm, the largest over groups; null where it is not finite.
        allowed: the sum of both limits.
    """

    peer: str
    tensor: str
    distance: float | None
    allowed: float

    @property
    def of_allowed(self) -> float:
        """The share of what is allowed; infinite where the distance is not finite."""
        return math.inf if self.distance is None else self.distance / self.allowed


class Accuracy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proof that came before timing.

    Attributes:
        tensors: one entry per result.
        flow: `isolated` where poison in one group reaches all of this group's results and no
            other's; `isolated for finite data` where that holds for numbers but NaN leaks between
            groups; `broken`, with the fault among `faults`; or `not checked`.
        faults: what makes the implementation wrong, worst first; empty when it is right.
        repeatability: `same bits in N launches more`, or in how many they were others.
        deterministic: `same bits` or `other bits` with deterministic algorithms and with fresh
            memory full of NaN.
        agreement: with the implementation from which it differs most; null for the first one.
        layouts: per layout of the operands (`sliced`, `expanded`, `batch 0`, ...) `right`, or what
            happened instead; empty where only the plain layout was checked.
        probe: id of the smaller case on which flow and layouts were seen; empty for the case's own.
    """

    tensors: tuple[TensorAccuracy, ...]
    flow: str
    faults: tuple[str, ...] = ()
    repeatability: str = ""
    deterministic: str = ""
    agreement: Agreement | None = None
    layouts: dict[str, str] = {}
    probe: str = ""
