"""Is the native result that of splitting, convolving and concatenating?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gconvbench.accuracy import Proof, exact_verdicts, integer_checks, prove
from gconvbench.implementations.split_concat import SplitConcat
from gconvbench.records import Equality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gconvbench.accuracy.integers import IntegerCheck
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Operands

__all__ = ["equality_of", "equality_on"]


def equality_of(implementation: Implementation, case: Case, *, seed: int, device: str) -> Equality:
    """The comparison on normal operands and on integers, and what a whole proof finds wrong.

    Args:
        implementation: the native one.
        case: with more than one group.
        seed: of the operands.
        device: where to launch.
    """
    proof = Proof.of(case, device=device, seed=seed)
    faults = prove(implementation, proof).faults
    return _equality(implementation, case, proof.operands, proof.integers, faults)


def equality_on(
    implementation: Implementation, case: Case, operands: Operands, *, seed: int, device: str
) -> Equality:
    """The comparison on given operands, and on integers of the same shape.

    Args:
        implementation: the native one.
        case: with more than one group.
        operands: such as a file's own weight.
        seed: of the integers.
        device: where to launch.
    """
    checks = integer_checks(case, seed=seed, device=device)
    return _equality(implementation, case, operands, checks, ())


def _equality(
    implementation: Implementation,
    case: Case,
    operands: Operands,
    checks: Sequence[IntegerCheck],
    faults: tuple[str, ...],
) -> Equality:
    split = SplitConcat()
    native = implementation.launch(case, operands.copy())()
    others = split.launch(case, operands.copy())()
    pairs = list(zip(native, others, strict=True))
    return Equality(
        largest_difference=_largest([a.double() - b.double() for a, b in pairs]),
        largest_magnitude=_largest(native),
        native=exact_verdicts(implementation, case, checks),
        split=exact_verdicts(split, case, checks),
        faults=faults,
    )


def _largest(tensors: Sequence[Tensor]) -> float | None:
    """Of all magnitudes; None where one is not finite."""
    value = max(float(one.detach().abs().max()) for one in tensors)
    return value if math.isfinite(value) else None
