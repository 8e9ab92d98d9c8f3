"""The verdict on one implementation of one case."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import torch

from gconvbench.accuracy.expected import same_as
from gconvbench.accuracy.flow import check_flow
from gconvbench.accuracy.judge import compare, compare_exactly, faults_of, misfit
from gconvbench.accuracy.layouts import check_layouts
from gconvbench.accuracy.limit import result_limit
from gconvbench.accuracy.proof import Peer
from gconvbench.accuracy.steadiness import digest, poisoned_memory, repeat, same_bits
from gconvbench.cases import case_id
from gconvbench.implementations import result_names
from gconvbench.records import Accuracy, Agreement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.accuracy.proof import Proof
    from gconvbench.implementations import Implementation, Launch, Operands
    from gconvbench.records import TensorAccuracy

__all__ = ["prove", "prove_again"]

_PEER_BYTES = 1 << 28
"""Results of right implementations kept for comparison, beyond the first one's."""
_TOO_COSTLY = "not checked: each layout would be compiled anew"


class _Findings(NamedTuple):
    """A label to store, and the faults that go with it."""

    label: str
    faults: tuple[str, ...] = ()


def prove(implementation: Implementation, proof: Proof, *, thorough: bool = False) -> Accuracy:
    """Hold one implementation against the proof. `faults` is empty where it is right.

    Args:
        implementation: what to judge.
        proof: of the case.
        thorough: also try operands that lie otherwise in memory, which no timing needs.

    Raises whatever the implementation raises.
    """
    case = proof.case
    operands = proof.operands.copy()
    launch = implementation.launch(case, operands)
    results = launch()
    if fault := misfit(case, results, operands.x.device):
        return Accuracy(tensors=(), flow="not checked", faults=(fault,))
    tensors = _completed(implementation, proof, results)
    faults = list(faults_of(case, tensors))
    repeats = _repeatability(implementation, proof, launch, results)
    fresh = _fresh_memory(implementation, proof, results)
    flow, broken = check_flow(implementation, proof.probe, proof.probe_operands(), seed=proof.seed)
    layouts, wrong_layouts = _layouts(implementation, proof, thorough=thorough)
    faults += repeats.faults if faults else (*repeats.faults, *fresh.faults)
    faults += [*([broken] if broken else []), *wrong_layouts]
    faults += _input_faults(proof, operands)
    agreement, disputes = _agreement(implementation, proof, results)
    if not faults:
        faults += disputes
        _remember(implementation, proof, results)
    return Accuracy(
        tensors=tensors,
        flow=flow,
        faults=tuple(faults),
        repeatability=repeats.label,
        deterministic=fresh.label,
        agreement=agreement,
        layouts=layouts,
        probe="" if proof.probe == case else case_id(proof.probe),
    )


def prove_again(
    implementation: Implementation, proof: Proof, launch: Launch, operands: Operands
) -> tuple[str, ...]:
    """The faults of a launch that has been timed: did it compute, and compute the right thing?

    Its last results are spoilt and it is launched once more, so that a launch that merely hands
    out an earlier result is found out; then results and `operands`, on which it was built, are
    compared again.
    """
    spoilt = launch()
    with torch.no_grad():
        for result in spoilt:
            result.fill_(torch.nan)
    results = launch()
    if fault := misfit(proof.case, results, operands.x.device):
        return (fault,)
    faults = list(faults_of(proof.case, compare(implementation, proof, results)))
    faults += _input_faults(proof, operands)
    return tuple(f"after timing, {fault}" for fault in faults)


def _input_faults(proof: Proof, operands: Operands) -> list[str]:
    return [f"changes its input {name}" for name in proof.operands.changed(operands)]


def _completed(
    implementation: Implementation, proof: Proof, results: tuple[Tensor, ...]
) -> tuple[TensorAccuracy, ...]:
    """Errors of the results, their digests, and the verdict on integers."""
    names = result_names(proof.case)
    exact = dict.fromkeys(names, "not checked: partial sums would be rounded")
    if proof.integers is not None:
        integers = implementation.launch(proof.case, proof.integers.copy())()
        exact = compare_exactly(proof.case, proof.expected_integers, integers)
    tensors = compare(implementation, proof, results)
    return tuple(
        msgspec.structs.replace(one, exact=exact[one.tensor], digest=digest(result))
        for one, result in zip(tensors, results, strict=True)
    )


def _repeatability(
    implementation: Implementation, proof: Proof, launch: Launch, results: tuple[Tensor, ...]
) -> _Findings:
    """Other bits are a label; wrong ones, even if only sometimes, a fault."""
    first = tuple(result.clone() for result in results)
    repeats = repeat(proof.case, launch, first)
    if not repeats.different:
        return _Findings(f"same bits in {repeats.launches} launches more")
    wrong = [
        next(faults_of(proof.case, compare(implementation, proof, others)), None)
        for others in repeats.different
    ]
    faults = [fault for fault in wrong if fault]
    label = f"other bits in {len(repeats.different)} of {repeats.launches} launches more"
    if not faults:
        return _Findings(label)
    return _Findings(label, (f"in {len(faults)} of {repeats.launches} launches more {faults[0]}",))


def _fresh_memory(
    implementation: Implementation, proof: Proof, results: tuple[Tensor, ...]
) -> _Findings:
    """With new memory full of NaN, whatever is left unwritten shows."""
    with poisoned_memory():
        fresh = implementation.launch(proof.case, proof.operands.copy())()
    found = faults_of(proof.case, compare(implementation, proof, fresh))
    faults = [f"with fresh memory full of NaN {fault}" for fault in found]
    for name, result in zip(result_names(proof.case), fresh, strict=True):
        if not faults and not torch.isfinite(result).all():
            faults.append(f"leaves parts of {name} unwritten: they are NaN in fresh memory")
    return _Findings("same bits" if same_bits(fresh, results) else "other bits", tuple(faults))


def _layouts(
    implementation: Implementation, proof: Proof, *, thorough: bool
) -> tuple[dict[str, str], list[str]]:
    if not thorough:
        return {}, []
    if implementation.on_request:
        return {"all": _TOO_COSTLY}, []
    layouts = check_layouts(implementation, proof)
    wrong = [f"on {k} operands {v}" for k, v in layouts.items() if v.startswith("wrong")]
    return layouts, wrong


def _agreement(
    implementation: Implementation, proof: Proof, results: tuple[Tensor, ...]
) -> tuple[Agreement | None, list[str]]:
    """The largest disagreement with any implementation that was found right, on all elements.

    Where the reference is a sample, this is what looks at the rest. Two that are right differ by
    at most the sum of their limits.
    """
    found = [
        one for peer in proof.peers for one in _distances(implementation, proof, results, peer)
    ]
    disputes = [
        f"{one.tensor} differs by {one.distance or math.inf:.2g} from that of {one.peer}, "
        f"{one.allowed:.2g} is allowed: one of the two is wrong"
        for one in found
        if one.distance is None or one.distance > one.allowed
    ]
    return max(found, key=lambda one: one.of_allowed, default=None), disputes


def _distances(
    implementation: Implementation, proof: Proof, results: tuple[Tensor, ...], peer: Peer
) -> Iterator[Agreement]:
    case, device = proof.case, proof.device
    for name, result, other in zip(result_names(case), results, peer.results, strict=True):
        yield Agreement(
            peer=peer.implementation.name,
            tensor=name,
            distance=same_as(case, name, other).errors(result)[1],
            allowed=sum(
                result_limit(case, name, one, device=device)
                for one in (implementation, peer.implementation)
            ),
        )


def _remember(implementation: Implementation, proof: Proof, results: tuple[Tensor, ...]) -> None:
    """Keep the results of an implementation that was found right, while there is room."""
    kept = sum(one.nbytes for peer in proof.peers for one in peer.results)
    if not kept or kept + sum(one.nbytes for one in results) <= _PEER_BYTES:
        copies = tuple(one.detach().clone() for one in results)
        proof.peers.append(Peer(implementation, copies))
