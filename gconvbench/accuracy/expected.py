"""What the results must be, as one row per group.

Of small problems every element is an explicit sum of products (`reference`). Of large ones such
sums are made at sampled places only (`sample`), and all elements come from a witness: PyTorch's
float64 convolution, which must agree with them. Where an implementation then differs from the
witness, explicit sums at the very places where they differ most decide between the two, so that
nobody is judged by the code that is under test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from gconvbench.accuracy.limit import Rows, error_limit
from gconvbench.accuracy.reference import reference_results, split_groups, valid_taps
from gconvbench.accuracy.sample import draw_places, places_per_group, result_shape, values_at
from gconvbench.accuracy.witness import in_double, witness
from gconvbench.cases import reduction_length
from gconvbench.implementations import result_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Operands

__all__ = ["Expected", "expect", "expected_norm", "same_as"]

_FULL_PRODUCTS = 1 << 24
"""Up to here every element is computed; beyond, a sample (a full reference in float64 takes one to
two nanoseconds per product, with the copies of its windows)."""
_TINIEST = 2.0**-1000
"""Instead of dividing by zero: where nothing but zeros is expected, every error is too large."""
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
        sums: the explicit sums `(g, m)` at any places `(g, m, 4)`, by which values that come from
            elsewhere may be settled; None for small problems, where all are explicit sums.
        limit: how far values that come from elsewhere may be off themselves, as a relative error.
        chosen_of: among how many elements the places were chosen for their errors, where they were.
    """

    case: Case
    name: str
    values: Tensor
    places: Tensor | None
    floor: float
    sums: Callable[[Tensor], Tensor] | None = None
    limit: float = 0.0
    chosen_of: int = 0

    def rows(self, result: Tensor) -> Tensor:
        """The same elements of a result, in its own dtype."""
        if self.places is None:
            return split_groups(self.case, self.name, result)
        return result[self.places.to(result.device).unbind(-1)]

    @property
    def whole(self) -> Rows:
        """What `errors` compares in total."""
        return Rows(1, self.values.numel())

    @property
    def groups(self) -> Rows:
        """What `errors` compares in the worst group."""
        return Rows(self.chosen_of, 1) if self.chosen_of else Rows(*self.values.shape)

    @property
    def elements(self) -> Rows:
        """What `element_error` compares."""
        return Rows(self.chosen_of or self.values.numel(), 1)

    def errors(self, result: Tensor) -> tuple[float | None, float | None]:
        """The relative error in the 2-norm, in total and of the worst group; None: not finite.

        A group of few elements may cancel almost to zero, where any error is relatively large: it
        is judged by the norm to be expected. A reference of zero is judged absolutely.
        """
        return self.errors_of(self.rows(result))

    def errors_of(self, rows: Tensor) -> tuple[float | None, float | None]:
        """The same of elements that were taken from a result before, `(g, m)`."""
        off, size = (
            torch.linalg.vector_norm(rows, dim=1)
            for rows in (rows.double() - self.values, self.values)
        )
        worst = (off / size.clamp(min=self.floor or 1.0)).max().item()
        total = max(torch.linalg.vector_norm(size).item(), self.floor * math.sqrt(len(self.values)))
        return _finite(torch.linalg.vector_norm(off).item() / (total or 1.0)), _finite(worst)

    def element_error(self, result: Tensor) -> float | None:
        """The largest error of one element; None: not finite.

        Relative to the element, or to the root mean square of its group where that is more.
        """
        count = self.values.shape[1]
        size = torch.linalg.vector_norm(self.values, dim=1, keepdim=True).clamp(min=self.floor)
        scale = self.values.abs().maximum(size / math.sqrt(count)).clamp(min=_TINIEST)
        off = (self.rows(result).double() - self.values).abs()
        return _finite((off / scale).max().item())

    def settled(self, result: Tensor) -> Expected:
        """What a result that differs is to be judged by: these values, or the explicit sums.

        The sums are made where `result` is farthest from the values, in each group at as many
        places as are sampled. If the values hold there they stand; else the sums replace them.
        """
        if self.sums is None or self.places is not None:
            return self
        index, places = self._farthest(result)
        sums = _expected(self.case, self.name, self.sums(places), places)
        _, off = sums.errors_of(self.values.gather(1, index))
        if off is not None and off <= self.limit:
            return self
        return replace(sums, chosen_of=result.numel())

    def _farthest(self, result: Tensor) -> tuple[Tensor, Tensor]:
        """Where `result` differs most: in each row, `(g, m)`, and in the result, `(g, m, 4)`."""
        off = (self.rows(result).double() - self.values).abs().nan_to_num(nan=math.inf)
        count = places_per_group(self.case, self.name)
        index = off.topk(count, dim=1).indices
        number = torch.arange(result.numel(), device=result.device).view(result.shape)
        number = split_groups(self.case, self.name, number).gather(1, index)
        return index, torch.stack(torch.unravel_index(number, result.shape), dim=-1)


def expect(
    case: Case, operands: Operands, names: Sequence[str] | None = None, *, seed: int
) -> dict[str, Expected]:
    """The results of `case` by name, in all elements where that is affordable.

    Layers behind a shuffle mix all groups, so that no element can be computed alone: all of theirs
    are explicit sums.

    Args:
        case: the problem.
        operands: already rounded to the dtype under test.
        names: which results; all of `result_names` unless given.
        seed: of the places to sample.
    """
    names = result_names(case) if names is None else names
    sampled = [name for name in names if _is_sampled(case, name)]
    full = reference_results(case, operands, [name for name in names if name not in sampled])
    # In float64 the witness would be what is to be judged.
    whole = witness(case, operands) if sampled and case.dtype != "float64" else {}
    found = {
        name: _expected(case, name, split_groups(case, name, result), None)
        for name, result in full.items()
    }
    for name in sampled:
        found[name] = _examined(_sampled(case, name, operands, seed), whole.get(name))
    return found


def _examined(sample: Expected, whole: Tensor | None) -> Expected:
    """The witness where the sample confirms it, else the sample."""
    if whole is None:
        return sample
    case, name = sample.case, sample.name
    single = Rows(whole.numel(), 1)  # the limit of one element holds for any norm
    limit = error_limit(in_double(case), name, device="cpu", roundings=2, rows=single)
    _, off = sample.errors(whole)
    if off is None or off > limit:
        return sample
    return same_as(case, name, whole, sums=sample.sums, limit=limit)


def _is_sampled(case: Case, name: str) -> bool:
    """Whether the result is too large to be computed in full, and a sample is worth its while."""
    if case.following or name == "grad_bias":
        return False
    full = math.prod(case.output_shape) * math.prod(case.weight_shape[1:])
    gathered = case.groups * places_per_group(case, name) * reduction_length(case, name)
    return full > max(_FULL_PRODUCTS, _GATHERED * gathered)


def same_as(
    case: Case,
    name: str,
    result: Tensor,
    *,
    sums: Callable[[Tensor], Tensor] | None = None,
    limit: float = 0.0,
) -> Expected:
    """The expectation that another result equals this one, in all elements."""
    rows = split_groups(case, name, result.double())
    return replace(_expected(case, name, rows, None), sums=sums, limit=limit)


def _sampled(case: Case, name: str, operands: Operands, seed: int) -> Expected:
    places = draw_places(case, name, seed=seed)
    sums = partial(values_at, case, name, operands)
    return replace(_expected(case, name, sums(places), places), sums=sums)


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
