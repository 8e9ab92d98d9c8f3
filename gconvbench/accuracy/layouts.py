"""Operands as they come in practice: slices, steps, transposed, expanded, and no image at all.

An implementation was found right on operands that lie plainly in memory. On operands of the same
values that lie otherwise it must give the same results, to within twice the limit of one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import torch

from gconvbench.accuracy.expected import same_as
from gconvbench.accuracy.judge import MisfitError, fitting
from gconvbench.accuracy.limit import result_limit
from gconvbench.accuracy.sample import result_shape
from gconvbench.implementations import MEMORY_FORMATS, result_names
from gconvbench.records import RIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from gconvbench.accuracy.proof import Proof
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Operands

__all__ = ["LAYOUTS", "check_layouts"]

_PLANES = 4
"""Dimensions of a tensor that has a plane."""


def _sliced(tensor: Tensor) -> Tensor:
    """Channels 1 to C of C + 2."""
    shape = list(tensor.shape)
    shape[1] += 2
    return tensor.new_zeros(shape).narrow(1, 1, tensor.shape[1]).copy_(tensor)


def _stepped(tensor: Tensor) -> Tensor:
    """Every other column, or element, of twice as many."""
    return tensor.new_zeros((*tensor.shape[:-1], 2 * tensor.shape[-1]))[..., ::2].copy_(tensor)


def _transposed(tensor: Tensor) -> Tensor:
    """Rows and columns exchanged in memory."""
    return tensor.mT.contiguous().mT


def _other_format(tensor: Tensor) -> Tensor:
    """channels_last; contiguous where it was that."""
    is_nhwc = tensor.is_contiguous(memory_format=torch.channels_last)
    return tensor.contiguous(
        memory_format=MEMORY_FORMATS["contiguous" if is_nhwc else "channels_last"]
    )


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "sliced": _sliced,
    "step 2": _stepped,
    "transposed": _transposed,
    "other memory format": _other_format,
}
"""How the operands lie in memory; their values stay the same."""


def check_layouts(implementation: Implementation, proof: Proof) -> dict[str, str]:
    """Per layout `right`, or what happened: `wrong: ...` or `raises ...`."""
    probe = proof.probe(implementation)
    case = probe if probe.batch > 1 else msgspec.structs.replace(probe, batch=2)
    operands = proof.probe_operands(case)
    results = implementation.launch(case, operands.copy())()
    found = {
        name: _outcome(implementation, case, proof.device, _laid_out(operands, change), results)
        for name, change in LAYOUTS.items()
    }
    expanded = _expanded(operands)
    plain = expanded.mapped(lambda tensor: tensor.clone(memory_format=torch.contiguous_format))
    results = implementation.launch(case, plain)()
    found["expanded"] = _outcome(implementation, case, proof.device, expanded, results)
    found["batch 0"] = _outcome_of_nothing(implementation, case, operands)
    return found


def _laid_out(operands: Operands, change: Callable[[Tensor], Tensor]) -> Operands:
    """Every operand laid out by `change`; a bias, which has one dimension, in steps of 2."""
    return operands.mapped(lambda one: change(one) if one.dim() == _PLANES else _stepped(one))


def _expanded(operands: Operands) -> Operands:
    """The first image and its gradient for the whole batch, with a stride of zero."""
    return replace(
        operands,
        x=operands.x[:1].expand_as(operands.x),
        grad_output=operands.grad_output[:1].expand_as(operands.grad_output),
    )


def _outcome(
    implementation: Implementation,
    case: Case,
    device: str,
    operands: Operands,
    results: tuple[Tensor, ...],
) -> str:
    try:
        others = fitting(case, implementation.launch(case, operands)(), operands.x.device)
    except MisfitError as error:
        return f"wrong: {error}"
    except Exception as error:  # noqa: BLE001 (an implementation may raise anything)
        return _raised(error)
    for name, result, other in zip(result_names(case), results, others, strict=True):
        same = same_as(case, name, result)
        limit = 2 * result_limit(case, name, implementation, device=device, rows=same.groups)
        _, off = same.errors(other)
        if off is None or off > limit:
            return f"wrong: {name} is off by {off or math.inf:.2g}, limit {limit:.2g}"
    return RIGHT


def _outcome_of_nothing(implementation: Implementation, case: Case, operands: Operands) -> str:
    """No image: empty results, and gradients of zero."""
    empty = replace(operands, x=operands.x[:0], grad_output=operands.grad_output[:0])
    try:
        results = implementation.launch(case, empty)()
        found = list(_wrong_about_nothing(case, results))
    except Exception as error:  # noqa: BLE001
        return _raised(error)
    return found[0] if found else RIGHT


def _wrong_about_nothing(case: Case, results: tuple[Tensor, ...]) -> Iterator[str]:
    for name, result in zip(result_names(case), results, strict=True):
        shape = result_shape(case, name)
        shape = (0, *shape[1:]) if name in {"output", "grad_input"} else shape
        if result.shape != shape:
            yield f"wrong: {name} has shape {tuple(result.shape)} instead of {shape}"
        elif torch.count_nonzero(result):
            yield f"wrong: {name} is not zero"


def _raised(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"raises {type(error).__name__}: {first}"[:120]
