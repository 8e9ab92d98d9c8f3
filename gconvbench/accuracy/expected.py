"""What the results must be, in full or at sampled places, as one row per group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gconvbench.accuracy.reference import reference_results, split_groups, valid_taps
from gconvbench.accuracy.sample import draw_places, places_per_group, result_shape, values_at
from gconvbench.cases import reduction_length
from gconvbench.implementations import result_names

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Operands

__all__ = ["Expected", "expect", "expected_norm", "same_as"]

_FULL_PRODUCTS = 1 << 24
"""Up to here every element is computed; beyond, a sample (a full reference in float64 takes one to
two nanoseconds per product, with the copies of its windows)."""
_GATHERED = 8
"""How much longer a product takes whose operands are gathered by index."""


@dataclass(frozen=True)
class Expected:
    """One result's float64 values, a row per group.

    Attributes:
        case: the problem.
        name: which result.
        values: `(g, m)`.
        places: `(g, m, 4)`, where in the result they stand; None where they are all of it.
        floor: the norm of a row below which errors are not taken relative to the row's own norm.
    """

    case: Case
    name: str
    values: Tensor
    places: Tensor | None
    floor: float

    def rows(self, result: Tensor) -> Tensor:
        """The same elements of a result, in its own dtype."""
        if self.places is None:
            return split_groups(self.case, self.name, result)
        return result[self.places.to(result.device).unbind(-1)]

    def errors(self, result: Tensor) -> tuple[float | None, float | None]:
        """The relative error in the 2-norm, in total and of the worst group; None: not finite.

        A group of few elements may cancel almost to zero, where any error is relatively large: it
        is judged by the norm to be expected. A reference of zero is judged absolutely.
        """
        off, size = (
            torch.linalg.vector_norm(rows, dim=1)
            for rows in (self.rows(result).double() - self.values, self.values)
        )
        worst = (off / size.clamp(min=self.floor or 1.0)).max().item()
        total = max(torch.linalg.vector_norm(size).item(), self.floor * math.sqrt(len(self.values)))
        return _finite(torch.linalg.vector_norm(off).item() / (total or 1.0)), _finite(worst)


def expect(case: Case, operands: Operands, *, seed: int) -> dict[str, Expected]:
    """The results of `case` by name: in full for small problems, else at sampled places.

    Layers behind a shuffle mix all groups, so that no element can be computed alone: always full.
    """
    names = result_names(case)
    sampled = [name for name in names if _is_sampled(case, name)]
    full = reference_results(case, operands, [name for name in names if name not in sampled])
    found = {
        name: _expected(case, name, split_groups(case, name, result), None)
        for name, result in full.items()
    }
    return found | {name: _sampled(case, name, operands, seed) for name in sampled}


def _is_sampled(case: Case, name: str) -> bool:
    """Whether the result is too large to be computed in full, and a sample is worth its while."""
    if case.following or name == "grad_bias":
        return False
    full = math.prod(case.output_shape) * math.prod(case.weight_shape[1:])
    gathered = case.groups * places_per_group(case, name) * reduction_length(case, name)
    return full > max(_FULL_PRODUCTS, _GATHERED * gathered)


def same_as(case: Case, name: str, result: Tensor) -> Expected:
    """The expectation that another result equals this one, in all elements."""
    return _expected(case, name, split_groups(case, name, result.double()), None)


def _sampled(case: Case, name: str, operands: Operands, seed: int) -> Expected:
    places = draw_places(case, name, seed=seed)
    return _expected(case, name, values_at(case, name, operands, places), places)


def _expected(case: Case, name: str, values: Tensor, places: Tensor | None) -> Expected:
    """With the floor for as many groups as are in a row, and as much of them as is compared."""
    whole = math.prod(result_shape(case, name))
    groups = case.groups * values.numel() / whole / len(values)
    return Expected(case, name, values, places, expected_norm(case, name) * math.sqrt(groups))


def expected_norm(case: Case, name: str) -> float:
    """The 2-norm that one group of a result has in expectation on `normal_operands`.

    Operands are independent with variance 1 (weights: 1 / (C / g * R * S)), so each of the
    products that enter a result adds the product of the variances to its expected square. Layers
    behind a shuffle keep the variance, but for what falls on padding.
    """
    pairs = case.batch * case.group_in_channels * case.group_out_channels
    products = pairs * valid_taps(case)
    scale = math.prod(case.weight_shape[1:])
    results = math.prod(case.output_shape) / case.groups
    squares = {
        "output": products / scale + (results if case.bias else 0),
        "grad_input": products / scale,
        "grad_weight": products,
        "grad_bias": results,
    }
    return math.sqrt(squares[name])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
