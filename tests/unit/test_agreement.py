"""Implementations held against each other, and who is wrong where a sample is all that is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, Rows, agreement, expected, prove, result_limit
from gconvbench.cases import Case
from gconvbench.implementations.native import Native
from gconvbench.implementations.split_concat import SplitConcat

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

LARGE = Case(groups=4, in_channels=64, out_channels=64, height=132, width=132, padding=(1, 1))
SMALL = Case(groups=2, in_channels=4, out_channels=4, height=6, width=6)
SEED = 3


@pytest.fixture(scope="module")
def of_large() -> Proof:
    """Made once, without a witness; each test takes it without the peers of another."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(expected, "witness", lambda *_: {})
        proof = Proof.of(LARGE, device="cpu", seed=SEED)
    assert proof.expected["output"].places is not None
    return proof


@pytest.fixture
def proof(of_large: Proof) -> Proof:
    of_large.peers.clear()
    return of_large


def unsampled(proof: Proof) -> tuple[int, ...]:
    """The largest element of the output that no check of the proof looks at."""
    output = Native().launch(proof.case, proof.operands)()[0].abs()
    for one in (proof.expected["output"], proof.integers[0].expected["output"]):
        assert one.places is not None
        output[one.places.unbind(-1)] = 0
    return tuple(int(one) for one in torch.unravel_index(output.argmax(), output.shape))


class OneElementDoubled(Native):
    """Native, but for one element; zero and NaN stay what they are."""

    name = "one_element_doubled"

    def __init__(self, place: tuple[int, ...]) -> None:
        self._place = place

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)

        def launch() -> tuple[Tensor, ...]:
            results = tuple(result.clone() for result in right())
            results[0][self._place] *= 2
            return results

        return launch


class Scaled(Native):
    """Native, all results too large by the same factor, except for whole numbers."""

    name = "scaled"

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)

        def scaled(result: Tensor) -> Tensor:
            return torch.where(result == result.round(), result, result * self._factor)

        return lambda: tuple(map(scaled, right()))


def test_a_sample_alone_does_not_see_one_element_of_a_million(proof: Proof) -> None:
    accuracy = prove(OneElementDoubled(unsampled(proof)), proof)
    assert not accuracy.faults
    assert accuracy.agreement is None


def test_one_that_differs_from_another_and_is_wrong_there_is_called_so(proof: Proof) -> None:
    assert not prove(Native(), proof).faults
    accuracy = prove(OneElementDoubled(unsampled(proof)), proof)
    (fault,) = accuracy.faults
    assert fault.startswith("output differs by 0.0")
    assert fault.endswith("from that of native, 3e-06 is allowed, and is wrong there")
    assert accuracy.agreement is not None
    assert accuracy.agreement.distance is not None
    assert accuracy.agreement.distance > 1e3 * accuracy.agreement.allowed


def test_a_third_is_not_disputed_for_the_sake_of_the_second(proof: Proof) -> None:
    for one in (Native(), OneElementDoubled(unsampled(proof))):
        prove(one, proof)
    assert [peer.implementation.name for peer in proof.peers] == ["native"]
    assert not prove(SplitConcat(), proof).faults


def test_one_that_differs_from_another_that_is_wrong_there_is_right(proof: Proof) -> None:
    """The other was taken for right by the sample; the disagreement is kept and shown."""
    prove(OneElementDoubled(unsampled(proof)), proof)
    accuracy = prove(Native(), proof)
    assert not accuracy.faults
    assert accuracy.agreement is not None
    assert accuracy.agreement.peer == "one_element_doubled"
    assert accuracy.agreement.of_allowed > 1


def test_a_dispute_is_with_any_of_those_found_right(proof: Proof) -> None:
    for one in (Native(), SplitConcat()):
        assert not prove(one, proof).faults
    faults = prove(OneElementDoubled(unsampled(proof)), proof).faults
    assert [fault.split("from that of ")[1].split(",")[0] for fault in faults] == [
        "native", "split_concat",
    ]  # fmt: skip


def test_in_a_small_problem_every_element_is_looked_at() -> None:
    proof = Proof.of(SMALL, device="cpu", seed=SEED)
    faults = prove(OneElementDoubled((0, 3, 2, 1)), proof).faults
    assert faults[0].startswith("output has error ")
    assert not proof.peers


def test_the_first_of_a_case_has_nobody_to_agree_with() -> None:
    accuracy = prove(Native(), Proof.of(SMALL, device="cpu", seed=SEED))
    assert accuracy.agreement is None
    assert not accuracy.faults


@pytest.mark.parametrize("direction", ["fprop", "training"])
def test_agreement_is_with_the_one_and_in_the_result_that_differ_most(direction: str) -> None:
    case = replace(SMALL, direction=direction, bias=True)
    proof = Proof.of(case, device="cpu", seed=SEED)
    for one in (Native(), Scaled(1 - 2**-22), SplitConcat()):
        assert not prove(one, proof).faults, one.name
    found = prove(Scaled(1 + 2**-22), proof).agreement
    assert found is not None
    assert found.peer == "scaled"
    assert found.distance == pytest.approx(2**-21, rel=0.3)
    assert 0 < found.of_allowed < 1


def test_two_may_differ_by_the_sum_of_their_limits() -> None:
    class Rounding(Native):
        name = "rounding"

        def roundings(self, case: Case, tensor: str, device: str) -> int:
            return 19  # once per product and once for a bias

    proof = Proof.of(SMALL, device="cpu", seed=SEED)
    prove(Native(), proof)
    found = prove(Rounding(), proof).agreement
    assert found is not None
    assert found.allowed == sum(
        result_limit(SMALL, "output", one, device="cpu", rows=Rows(2, 32))
        for one in (Native(), Rounding())
    )
    assert found.distance == 0


def test_one_that_is_wrong_is_not_held_against_others() -> None:
    proof = Proof.of(SMALL, device="cpu", seed=SEED)
    accuracy = prove(Scaled(1.01), proof)
    assert accuracy.faults
    assert not proof.peers
    assert prove(Native(), proof).agreement is None


def test_a_wrong_one_is_not_called_wrong_twice() -> None:
    proof = Proof.of(SMALL, device="cpu", seed=SEED)
    prove(Native(), proof)
    accuracy = prove(Scaled(1.01), proof)
    assert not any("from that of" in fault for fault in accuracy.faults)
    assert accuracy.agreement is not None
    assert accuracy.agreement.of_allowed > 1


def test_results_are_kept_only_while_there_is_room_and_the_first_ones_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_one = 4 * math.prod(SMALL.output_shape)
    for room, kept in ((0, 1), (2 * of_one - 1, 1), (2 * of_one, 2), (5 * of_one, 3)):
        monkeypatch.setattr(agreement, "_PEER_BYTES", room)
        proof = Proof.of(SMALL, device="cpu", seed=SEED)
        for _ in range(3):
            prove(Native(), proof)
        assert len(proof.peers) == kept, room


class SameBuffer(Native):
    """Writes the results of every launch to the same memory."""

    name = "same_buffer"

    def __init__(self) -> None:
        self.buffer = torch.empty(SMALL.output_shape)

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)
        return lambda: (self.buffer.copy_(right()[0]),)


def test_what_is_kept_is_a_copy() -> None:
    proof, same_buffer = Proof.of(SMALL, device="cpu", seed=SEED), SameBuffer()
    accuracy = prove(same_buffer, proof)
    assert not accuracy.faults
    assert accuracy.repeatability == "same bits in 12 launches more"
    same_buffer.buffer.zero_()
    found = prove(Native(), proof)
    assert not found.faults
    assert found.agreement is not None
    assert found.agreement.distance == 0
