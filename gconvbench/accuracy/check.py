"""The verdict on one implementation of one case."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import torch

from gconvbench.accuracy.agreement import disagreements, disputes, remember
from gconvbench.accuracy.flow import check_flow
from gconvbench.accuracy.judge import (
    MisfitError,
    compare,
    compare_exactly,
    faults_of,
    fitting,
)
from gconvbench.accuracy.layouts import check_layouts
from gconvbench.accuracy.proof import Peer
from gconvbench.accuracy.stale import stale_results
from gconvbench.accuracy.steadiness import digest, poisoned_memory, repeat, same_bits
from gconvbench.cases import case_id
from gconvbench.implementations import result_names
from gconvbench.questions import answer_of
from gconvbench.records import Accuracy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gconvbench.accuracy.integers import IntegerCheck
    from gconvbench.accuracy.proof import Proof
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Launch, Operands
    from gconvbench.records import TensorAccuracy

__all__ = ["exact_verdicts", "output_fault", "prove", "prove_again"]

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
    try:
        return _prove(implementation, proof, thorough=thorough)
    except MisfitError as error:
        fault = str(error)
    except Exception:
        if not (fault := output_fault(implementation, proof)):
            raise
    return Accuracy(tensors=(), flow="not checked", faults=(fault,))


def output_fault(implementation: Implementation, proof: Proof) -> str:
    """What does not fit about the output, where the gradients of it could not even be computed."""
    forward = msgspec.structs.replace(proof.case, direction="fprop")
    if forward == proof.case:
        return ""
    try:
        _launched(implementation, forward, proof.operands.copy())
    except MisfitError as error:
        return str(error)
    except Exception:  # noqa: BLE001 (the first exception tells more)
        return ""
    return ""


def _prove(implementation: Implementation, proof: Proof, *, thorough: bool) -> Accuracy:
    case, device = proof.case, proof.operands.x.device
    operands = proof.operands.copy()
    launch = implementation.launch(case, operands)
    raw = fitting(case, launch(), device)
    tensors = compare(implementation, proof, raw)
    # The next launch may write to the same memory.
    mine = Peer(implementation, tuple(one.detach().clone() for one in raw))
    tensors = _completed(proof, mine, tensors)
    faults = list(faults_of(case, tensors))
    repeats = _repeatability(proof, mine, lambda: fitting(case, launch(), device))
    fresh = _fresh_memory(proof, mine)
    probe = proof.probe(implementation)
    flow, broken = check_flow(implementation, probe, proof.probe_operands(probe), seed=proof.seed)
    layouts, wrong_layouts = _layouts(implementation, proof, thorough=thorough)
    faults += repeats.faults if faults else (*repeats.faults, *fresh.faults)
    faults += [*([broken] if broken else []), *wrong_layouts]
    faults += _input_faults(proof, operands)
    disagreed = disagreements(proof, mine, proof.peers)
    if not faults and any(one.of_allowed > 1 for one in disagreed):
        faults += disputes(proof, mine, proof.peers)
    if not faults:
        remember(proof, mine)
    return Accuracy(
        tensors=tensors,
        flow=flow,
        faults=tuple(faults),
        repeatability=repeats.label,
        deterministic=fresh.label,
        agreement=max(disagreed, key=lambda one: one.of_allowed, default=None),
        layouts=layouts,
        probe="" if probe == case else case_id(probe),
    )


def prove_again(
    implementation: Implementation,
    proof: Proof,
    launch: Launch,
    operands: Operands,
    prepared: Sequence[Operands] = (),
) -> tuple[str, ...]:
    """The faults of a launch that has been timed: did it compute, and compute the right thing?

    Its last results are spoilt and it is launched once more, so that a launch that merely hands
    out an earlier result is found out; then results and `operands`, on which it was built, are
    compared again. At last the operands are changed, and it must return something else.

    Args:
        implementation: whose launch it is.
        proof: of the case.
        launch: that was timed.
        operands: that it was built on; overwritten in the end.
        prepared: what `prepare` made of them; see `prepared_operands`.
    """
    spoilt = launch()
    with torch.inference_mode():  # where tensors of either kind may be written to
        for result in spoilt:
            with contextlib.suppress(RuntimeError):  # expanded: one element stands for many
                result.fill_(torch.nan)
    try:
        results = fitting(proof.case, launch(), operands.x.device)
        faults = list(faults_of(proof.case, compare(implementation, proof, results)))
        faults += _input_faults(proof, operands)
        if not faults:
            faults += stale_results(proof.case, launch, operands, *prepared)
    except MisfitError as error:
        return (str(error),)
    return tuple(f"after timing, {fault}" for fault in faults)


def _input_faults(proof: Proof, operands: Operands) -> list[str]:
    theirs = operands.named()
    mine = proof.operands.named().items()
    return [f"changes its input {name}" for name, t in mine if not same_bits((t,), (theirs[name],))]


def _completed(
    proof: Proof, mine: Peer, tensors: tuple[TensorAccuracy, ...]
) -> tuple[TensorAccuracy, ...]:
    """With the results' digests and the verdict on integers."""
    exact = exact_verdicts(mine.implementation, proof.case, proof.integers)
    return tuple(
        msgspec.structs.replace(one, exact=exact[one.tensor], digest=digest(result))
        for one, result in zip(tensors, mine.results, strict=True)
    )


def exact_verdicts(
    implementation: Implementation, case: Case, checks: Sequence[IntegerCheck]
) -> dict[str, str]:
    """Per result: `equal` to what is exact on operands of integers, `different`, or why unknown."""
    exact = dict.fromkeys(result_names(case), "not checked: partial sums would be rounded")
    for check in checks:
        results = _launched(implementation, case, check.operands.copy())
        exact |= compare_exactly(case, check.expected, results)
    return exact


def _launched(implementation: Implementation, case: Case, operands: Operands) -> tuple[Tensor, ...]:
    return fitting(case, implementation.launch(case, operands)(), operands.x.device)


def _repeatability(proof: Proof, mine: Peer, launch: Launch) -> _Findings:
    """Other bits are a label; wrong ones, even if only sometimes, a fault."""
    flops = mine.implementation.executed_flops(proof.case)
    repeats = repeat(launch, mine.results, flops=flops)
    if not repeats.different:
        return _Findings(f"same bits in {repeats.launches} launches more")
    how_often = f"{len(repeats.different)} of {repeats.launches} launches more"
    wrong = [fault for one in repeats.different if (fault := _why_not_the_same(proof, mine, one))]
    return _Findings(
        f"other bits in {how_often}",
        tuple(
            f"in {len(wrong)} of {repeats.launches} launches more {fault}" for fault in wrong[:1]
        ),
    )


def _why_not_the_same(proof: Proof, mine: Peer, others: tuple[Tensor, ...]) -> str | None:
    """What is wrong with another launch: by the reference, or everywhere by the first launch."""
    found = faults_of(proof.case, compare(mine.implementation, proof, others))
    again = mine._replace(results=others)
    return next(itertools.chain(found, disputes(proof, again, [mine])), None)


def _fresh_memory(proof: Proof, mine: Peer) -> _Findings:
    """With new memory full of NaN, whatever is left unwritten shows."""
    with poisoned_memory():
        fresh = _launched(mine.implementation, proof.case, proof.operands.copy())
    found = faults_of(proof.case, compare(mine.implementation, proof, fresh))
    faults = [f"with fresh memory full of NaN {fault}" for fault in found]
    for name, result in zip(result_names(proof.case), fresh, strict=True):
        if not faults and not torch.isfinite(result).all():
            faults.append(f"leaves parts of {name} unwritten: they are NaN in fresh memory")
    label = "same bits" if same_bits(fresh, mine.results) else "other bits"
    return _Findings(label, tuple(faults))


def _layouts(
    implementation: Implementation, proof: Proof, *, thorough: bool
) -> tuple[dict[str, str], list[str]]:
    if not thorough:
        return {}, []
    if answer_of(implementation, "is_compiled", False):  # noqa: FBT003
        return {"all": _TOO_COSTLY}, []
    layouts = check_layouts(implementation, proof)
    wrong = [f"on {k} operands {v}" for k, v in layouts.items() if v.startswith("wrong")]
    return layouts, wrong
