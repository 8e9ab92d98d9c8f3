"""All elements of a large problem's results in float64, by PyTorch's own convolution.

It is fast, and computed by the code that is under test. So it is no reference: it bears witness,
and `expected` questions it by explicit sums.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace

from gconvbench.accuracy.sample import result_shape
from gconvbench.failure import is_out_of_memory
from gconvbench.implementations import result_names
from gconvbench.implementations.native import Native

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Operands

__all__ = ["in_double", "witness"]

_MOST_ELEMENTS = 1 << 27
"""Of all results together, which are kept while the case is judged: a gibibyte in float64."""


def in_double(case: Case) -> Case:
    """The same problem in float64."""
    return replace(case, dtype="float64", math_mode="ieee")


def witness(case: Case, operands: Operands) -> dict[str, Tensor]:
    """Every result in float64, by name; empty where there is no memory for them."""
    names = result_names(case)
    if sum(math.prod(result_shape(case, name)) for name in names) > _MOST_ELEMENTS:
        return {}
    try:
        results = Native().launch(in_double(case), operands.mapped(torch.Tensor.double))()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return {}
    return dict(zip(names, results, strict=True))
