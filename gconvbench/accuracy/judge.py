"""How one result compares with what is expected of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.accuracy.integers import why_no_check
from gconvbench.accuracy.limit import asked_precision, precision_seen, result_limit
from gconvbench.accuracy.sample import result_shape
from gconvbench.cases import reduction_length
from gconvbench.implementations import MEMORY_FORMATS, result_names
from gconvbench.records import TensorAccuracy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.accuracy.expected import Expected
    from gconvbench.accuracy.proof import Proof
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation

__all__ = ["MisfitError", "compare", "compare_exactly", "faults_of", "fitting", "misfit"]

_EQUAL = "equal"
_DIFFERENT = "different"
_ROUNDED = "equal when rounded: the kernel does not sum integers, as with Winograd"


class MisfitError(Exception):
    """A launch returned what cannot be compared; the message is the fault."""


def fitting(case: Case, results: object, device: torch.device) -> tuple[Tensor, ...]:
    """The results of a launch, which `misfit` finds nothing wrong with.

    Raises:
        MisfitError: it does.
    """
    if fault := misfit(case, results, device):
        raise MisfitError(fault)
    return results  # type: ignore[return-value]


def misfit(case: Case, results: object, device: torch.device) -> str | None:
    """Results that cannot even be compared: a wrong number, shape, dtype or device of them."""
    names = result_names(case)
    if not isinstance(results, tuple):
        return f"returns {type(results).__name__} instead of a tuple of tensors"
    if len(results) != len(names):
        return f"returns {len(results)} results instead of {len(names)}: {', '.join(names)}"
    found = (_misfit(case, *one, device) for one in zip(names, results, strict=True))
    return next(filter(None, found), None)


def _misfit(case: Case, name: str, result: object, device: torch.device) -> str | None:
    if not isinstance(result, torch.Tensor):
        return f"{name} is {type(result).__name__} instead of a tensor"
    shape = result_shape(case, name)
    if result.shape != shape:
        return f"{name} has shape {tuple(result.shape)} instead of {shape}"
    if result.dtype != getattr(torch, case.dtype):
        return f"{name} has dtype {result.dtype} instead of torch.{case.dtype}"
    if result.device != device:
        return f"{name} is on {result.device} instead of {device}"
    return None


def compare(
    implementation: Implementation, proof: Proof, results: tuple[Tensor, ...]
) -> tuple[TensorAccuracy, ...]:
    """Errors, limits, precision and layout of results that fit."""
    return tuple(
        _tensor_accuracy(implementation, proof, name, result)
        for name, result in zip(result_names(proof.case), results, strict=True)
    )


def _tensor_accuracy(
    implementation: Implementation, proof: Proof, name: str, result: Tensor
) -> TensorAccuracy:
    expected = proof.expected[name]
    found = _held_against(expected, implementation, proof, result)
    if any(_faults_of_one(proof.case, found)):
        settled = expected.settled(result)
        if settled is not expected:
            return _held_against(settled, implementation, proof, result)
    return found


def _held_against(
    expected: Expected, implementation: Implementation, proof: Proof, result: Tensor
) -> TensorAccuracy:
    case, name, device = proof.case, expected.name, proof.device
    error, group_error = expected.errors(result)
    groups, elements = (
        result_limit(case, name, implementation, device=device, rows=rows)
        for rows in (expected.groups, expected.elements)
    )
    return TensorAccuracy(
        tensor=name,
        error=error,
        group_error=group_error,
        limit=groups,
        element_error=expected.element_error(result),
        element_limit=elements,
        reduction_length=reduction_length(case, name),
        exact="not checked",
        precision=precision_seen(
            error, case, name, implementation, device=device, rows=expected.whole
        ),
        memory_format=_memory_format(result),
        compared=expected.values.numel(),
    )


def compare_exactly(
    case: Case, expected: dict[str, Expected], results: tuple[Tensor, ...]
) -> dict[str, str]:
    """Per result expected of integers: `equal`, `different`, or why equality proves too little."""
    verdicts = {}
    named = dict(zip(result_names(case), results, strict=True))
    for name, one in expected.items():
        result = named[name]
        equal = _equality(one.rows(result).double(), one.values)
        if equal == _DIFFERENT:
            settled = one.settled(result)
            equal = _equality(settled.rows(result).double(), settled.values)
        why_not = why_no_check(case, name, one.values)
        verdicts[name] = f"not checked: {why_not}" if why_not and equal == _EQUAL else equal
    return verdicts


def _equality(found: Tensor, values: Tensor) -> str:
    """`equal`, `different`, or that a GPU's kernel rounds integers yet means the right ones.

    Winograd and FFT kernels transform their operands and so do not sum integers; what they
    compute rounds to the exact result, which a wrong mapping, off by whole numbers, does not.
    """
    if torch.equal(found, values):
        return _EQUAL
    if found.device.type != "cpu" and torch.equal(found.round(), values):
        return _ROUNDED
    return _DIFFERENT


def _memory_format(result: Tensor) -> str:
    """`contiguous`, `channels_last`, or `strided`; both where the sizes make them the same."""
    formats = [
        name
        for name, memory_format in MEMORY_FORMATS.items()
        if (name == "contiguous" or result.dim() == 4)  # noqa: PLR2004 (channels_last has four)
        and result.is_contiguous(memory_format=memory_format)
    ]
    return " and ".join(formats) or "strided"


def faults_of(case: Case, tensors: tuple[TensorAccuracy, ...]) -> Iterator[str]:
    """What is wrong with each result, in words."""
    for tensor in tensors:
        yield from _faults_of_one(case, tensor)


def _faults_of_one(case: Case, tensor: TensorAccuracy) -> Iterator[str]:
    if tensor.group_error is None:
        yield f"{tensor.tensor} is not finite where the reference is"
    elif tensor.group_error > tensor.limit:
        yield (
            f"{tensor.tensor} has error {tensor.group_error:.2g}, limit {tensor.limit:.2g}"
            f"{_too_coarse(case, tensor)}"
        )
    elif tensor.is_off_in_one_element:
        yield (
            f"{tensor.tensor} is off by {tensor.element_error:.2g} in one element, "
            f"limit {tensor.element_limit:.2g}"
        )
    if tensor.exact == _DIFFERENT:
        yield f"{tensor.tensor} differs from the exact result on integers"


def _too_coarse(case: Case, tensor: TensorAccuracy) -> str:
    """That the error is as of a coarser arithmetic, where integers do not show another fault."""
    asked = asked_precision(case)
    if tensor.precision in {asked, "none"} or tensor.exact == _DIFFERENT:
        return ""
    return f": the precision of {tensor.precision}, where {asked} was asked for"
