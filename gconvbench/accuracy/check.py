"""The verdict on one implementation of one case: error, exact integers, information flow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gconvbench.accuracy.flow import check_flow
from gconvbench.accuracy.integers import integer_operands, why_no_check
from gconvbench.accuracy.limit import error_limit
from gconvbench.accuracy.reference import expected_norm, reference_results, split_groups
from gconvbench.cases import reduction_length
from gconvbench.implementations import result_names
from gconvbench.operands import normal_operands
from gconvbench.records import Accuracy, TensorAccuracy

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Launch, Operands

__all__ = ["Proof", "prove", "prove_again"]

_EQUAL = "equal"
_DIFFERENT = "different"
_ROUNDED = "equal when rounded: the kernel does not sum integers, as with Winograd"


@dataclass(frozen=True)
class Proof:
    """What all implementations of one case are held against; made once per case.

    Attributes:
        case: the problem.
        device: where the operands are.
        seed: of the operands.
        operands: normal operands, also used for timing.
        reference: the float64 results on them.
        integers: operands for the exact check, or None.
        integer_reference: the exact results on them.
    """

    case: Case
    device: str
    seed: int
    operands: Operands
    reference: dict[str, Tensor]
    integers: Operands | None
    integer_reference: dict[str, Tensor]

    @classmethod
    def of(cls, case: Case, *, device: str, seed: int) -> Proof:
        """Draw operands and compute the references."""
        operands = normal_operands(case, seed=seed, device=device)
        integers = integer_operands(case, seed=seed, device=device)
        exact = reference_results(case, integers) if integers else {}
        return cls(case, device, seed, operands, reference_results(case, operands), integers, exact)


def prove(implementation: Implementation, proof: Proof) -> Accuracy:
    """Hold one implementation against the proof. `faults` is empty where it is right.

    Raises whatever the implementation raises.
    """
    case = proof.case
    names = result_names(case)
    operands = proof.operands.copy()
    results = implementation.launch(case, operands)()
    if misfit := _misfit(case, names, results, proof):
        return Accuracy(tensors=(), flow="not checked", faults=(misfit,))
    exact = _exact(implementation, proof)
    tensors = tuple(
        _tensor_accuracy(
            proof,
            name,
            result,
            exact[name],
            roundings=implementation.roundings(case, name, proof.device),
        )
        for name, result in zip(names, results, strict=True)
    )
    flow, broken = check_flow(implementation, case, proof.operands, seed=proof.seed)
    faults = [fault for tensor in tensors for fault in _faults(tensor)]
    faults += _input_faults(proof, operands)
    return Accuracy(tensors=tensors, flow=flow, faults=tuple(faults + ([broken] if broken else [])))


def prove_again(
    implementation: Implementation, proof: Proof, launch: Launch, operands: Operands
) -> tuple[str, ...]:
    """The faults of a launch that has been timed: did it compute, and compute the right thing?

    Its last results are spoilt and it is launched once more, so that a launch that merely hands
    out an earlier result is found out; then results and `operands`, on which it was built, are
    compared again.
    """
    names = result_names(proof.case)
    spoilt = launch()
    with torch.no_grad():
        for result in spoilt:
            result.fill_(torch.nan)
    results = launch()
    if misfit := _misfit(proof.case, names, results, proof):
        return (misfit,)
    found = [
        _tensor_accuracy(
            proof,
            name,
            result,
            _EQUAL,
            roundings=implementation.roundings(proof.case, name, proof.device),
        )
        for name, result in zip(names, results, strict=True)
    ]
    faults = [fault for tensor in found for fault in _faults(tensor)]
    faults += _input_faults(proof, operands)
    return tuple(f"after timing, {fault}" for fault in faults)


def _input_faults(proof: Proof, operands: Operands) -> list[str]:
    return [f"changes its input {name}" for name in proof.operands.changed(operands)]


def _compared(result: Tensor, reference: Tensor, device: str) -> str:
    """`equal`, `different`, or that a GPU's kernel rounds integers yet means the right ones.

    Winograd and FFT kernels transform their operands and so do not sum integers; what they
    compute rounds to the exact result, which a wrong mapping, off by whole numbers, does not.
    """
    if torch.equal(result, reference):
        return _EQUAL
    if device != "cpu" and torch.equal(result.round(), reference):
        return _ROUNDED
    return _DIFFERENT


def _misfit(
    case: Case, names: tuple[str, ...], results: tuple[Tensor, ...], proof: Proof
) -> str | None:
    """Results that cannot even be compared: a wrong number, shape, dtype or device of them."""
    if not isinstance(results, tuple) or not all(isinstance(one, torch.Tensor) for one in results):
        return f"returns {type(results).__name__} instead of a tuple of tensors"
    if len(results) != len(names):
        return f"returns {len(results)} results instead of {len(names)}: {', '.join(names)}"
    for name, result in zip(names, results, strict=True):
        expected = proof.reference[name]
        if result.shape != expected.shape:
            return f"{name} has shape {tuple(result.shape)} instead of {tuple(expected.shape)}"
        if result.dtype != getattr(torch, case.dtype):
            return f"{name} has dtype {result.dtype} instead of torch.{case.dtype}"
        if result.device != expected.device:
            return f"{name} is on {result.device} instead of {expected.device}"
    return None


def _exact(implementation: Implementation, proof: Proof) -> dict[str, str]:
    """Per result: `equal`, `different`, or why bit-equality was not asked for."""
    names = result_names(proof.case)
    if proof.integers is None:
        return dict.fromkeys(names, "not checked: partial sums would be rounded")
    results = implementation.launch(proof.case, proof.integers.copy())()
    verdicts = {}
    for name, result in zip(names, results, strict=True):
        reference = proof.integer_reference[name]
        equal = _compared(result.double(), reference, proof.device)
        why_not = why_no_check(proof.case, name, reference)
        verdicts[name] = f"not checked: {why_not}" if why_not and equal == _EQUAL else equal
    return verdicts


def _tensor_accuracy(
    proof: Proof, name: str, result: Tensor, exact: str, *, roundings: int
) -> TensorAccuracy:
    reference = split_groups(proof.case, name, proof.reference[name])
    difference = split_groups(proof.case, name, result.double()) - reference
    off, size = (torch.linalg.vector_norm(rows, dim=1) for rows in (difference, reference))
    # A group of few elements may cancel almost to zero, where any error is relatively large: it
    # is judged by the norm to be expected. A reference of zero is judged absolutely.
    expected = expected_norm(proof.case, name)
    group_error = (off / size.clamp(min=expected or 1.0)).max().item()
    total = max(torch.linalg.vector_norm(size).item(), expected * math.sqrt(proof.case.groups))
    error = torch.linalg.vector_norm(off).item() / (total or 1.0)
    return TensorAccuracy(
        tensor=name,
        error=_finite(error),
        group_error=_finite(group_error),
        limit=error_limit(proof.case, name, device=proof.device, roundings=roundings),
        reduction_length=reduction_length(proof.case, name),
        exact=exact,
    )


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _faults(tensor: TensorAccuracy) -> list[str]:
    faults = []
    if tensor.group_error is None:
        faults.append(f"{tensor.tensor} is not finite where the reference is")
    elif tensor.group_error > tensor.limit:
        faults.append(
            f"{tensor.tensor} has error {tensor.group_error:.2g}, limit {tensor.limit:.2g}"
        )
    if tensor.exact == _DIFFERENT:
        faults.append(f"{tensor.tensor} differs from the exact result on integers")
    return faults
