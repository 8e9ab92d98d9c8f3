"""The float64 convolution that bears witness of large results, and how it is questioned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, expected, prove, reference_results, sample
from gconvbench.accuracy import witness as of_witness
from gconvbench.accuracy.expected import expect
from gconvbench.accuracy.sample import draw_places
from gconvbench.accuracy.witness import witness
from gconvbench.cases import DTYPES, Case
from gconvbench.implementations import result_names
from gconvbench.implementations.native import Native
from gconvbench.operands import normal_operands
from tests.faults import Touched

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from gconvbench.implementations import Implementation, Operands

CASE = Case(groups=4, in_channels=64, out_channels=64, height=132, width=132, padding=(1, 1))
SMALL = Case(groups=4, in_channels=8, out_channels=12, height=6, width=5, batch=2, bias=True,
             direction="training")  # fmt: skip
SEED = 3


def largest_outside_the_sample(case: Case) -> tuple[int, ...]:
    """An element of the output that stands out and that no sample looks at."""
    operands = normal_operands(case, seed=SEED, device="cpu")
    output = Native().launch(case, operands)()[0].abs()
    output[draw_places(case, "output", seed=SEED).unbind(-1)] = 0
    return tuple(int(one) for one in torch.unravel_index(output.argmax(), output.shape))


def double_one(place: tuple[int, ...]) -> Callable[[Tensor], None]:
    def change(result: Tensor) -> None:
        result[place] *= 2

    return change


def lying(change: Callable[[Tensor], None]) -> Callable[[Case, Operands], dict[str, Tensor]]:
    """A witness that tells the truth but for a change."""

    def lie(case: Case, operands: Operands) -> dict[str, Tensor]:
        told = {name: one.clone() for name, one in witness(case, operands).items()}
        change(next(iter(told.values())))
        return told

    return lie


@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_tells_what_the_reference_does(dtype: str, operation: str) -> None:
    case = replace(SMALL, dtype=dtype, operation=operation)
    operands = normal_operands(case, seed=0, device="cpu")
    told, whole = witness(case, operands), reference_results(case, operands)
    assert tuple(told) == result_names(case)
    for name, one in told.items():
        assert one.dtype == torch.float64
        assert torch.allclose(one, whole[name], rtol=0, atol=1e-12)


def test_it_keeps_silent_where_its_results_would_take_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operands = normal_operands(SMALL, seed=0, device="cpu")
    elements = sum(one.numel() for one in witness(SMALL, operands).values())
    monkeypatch.setattr(of_witness, "_MOST_ELEMENTS", elements)
    assert witness(SMALL, operands)
    monkeypatch.setattr(of_witness, "_MOST_ELEMENTS", elements - 1)
    assert not witness(SMALL, operands)


def test_it_keeps_silent_where_pytorch_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        message = "out of memory"
        raise torch.OutOfMemoryError(message)

    monkeypatch.setattr(Native, "launch", fail)
    assert not witness(SMALL, normal_operands(SMALL, seed=0, device="cpu"))


def test_another_exception_is_none_of_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        message = "an illegal memory access was encountered"
        raise RuntimeError(message)

    monkeypatch.setattr(Native, "launch", fail)
    with pytest.raises(RuntimeError, match="illegal"):
        witness(SMALL, normal_operands(SMALL, seed=0, device="cpu"))


def test_in_float64_it_is_not_asked_for_it_would_be_judged_by_itself() -> None:
    case = replace(CASE, dtype="float64")
    proof = Proof.of(case, device="cpu", seed=SEED)
    assert proof.expected["output"].places is not None
    (output,) = prove(Native(), proof).tensors
    assert output.error is not None
    assert 0 < output.error < 1e-14


def test_of_integers_only_whole_numbers_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def rounded(result: Tensor) -> None:
        result *= 1 + 2**-51

    monkeypatch.setattr(expected, "witness", lying(rounded))
    proof = Proof.of(CASE, device="cpu", seed=SEED)
    assert proof.expected["output"].places is None
    accuracy = prove(Native(), proof)
    assert not accuracy.faults
    assert accuracy.tensors[0].exact == "equal"


def test_a_lone_implementation_is_judged_in_all_elements() -> None:
    place = largest_outside_the_sample(CASE)
    proof = Proof.of(CASE, device="cpu", seed=SEED)
    right, wrong = prove(Native(), proof), prove(Touched(double_one(place)), proof)
    assert not right.faults
    assert right.tensors[0].compared == 64 * 132 * 132
    assert wrong.faults[0].startswith("output has error 0.0")
    assert "output differs from the exact result on integers" in wrong.faults


@pytest.mark.parametrize("first", ["right", "wrong"])
def test_the_verdict_does_not_depend_on_the_order(first: str) -> None:
    place = largest_outside_the_sample(CASE)
    proof = Proof.of(CASE, device="cpu", seed=SEED)
    pair: list[Implementation] = [Native(), Touched(double_one(place))]
    for one in pair if first == "right" else reversed(pair):
        assert bool(prove(one, proof).faults) == (one.name == "touched")
    assert [peer.implementation.name for peer in proof.peers] == ["native"]


def test_one_that_differs_from_a_wrong_witness_is_judged_by_explicit_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = largest_outside_the_sample(CASE)
    monkeypatch.setattr(expected, "witness", lying(double_one(place)))
    proof = Proof.of(CASE, device="cpu", seed=SEED)
    right = prove(Native(), proof)
    assert not right.faults
    assert (right.tensors[0].compared, right.tensors[0].exact) == (2048, "equal")
    elsewhere = (0, 63, 131, 131) if place != (0, 63, 131, 131) else (0, 62, 131, 131)
    for wrong in (place, elsewhere):
        faults = prove(Touched(lambda y, at=wrong: y[at].add_(1.0)), proof).faults  # type: ignore[misc]
        assert faults[0].startswith("output has error ")


def test_a_witness_whose_sample_is_wrong_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(result: Tensor) -> None:
        result *= 1 + 1e-9

    monkeypatch.setattr(expected, "witness", lying(off))
    proof = Proof.of(CASE, device="cpu", seed=SEED)
    assert proof.expected["output"].places is not None
    assert not prove(Native(), proof).faults


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_wrong_whoever_else_is(
    value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(result: Tensor) -> None:
        result[0, 5, 7, 11] = value

    for tell in (witness, lying(spoil)):
        monkeypatch.setattr(expected, "witness", tell)
        proof = Proof.of(CASE, device="cpu", seed=SEED)
        assert "output is not finite where the reference is" in prove(Touched(spoil), proof).faults
        assert not prove(Native(), proof).faults


@pytest.mark.parametrize("direction", ["fprop", "dgrad", "wgrad", "training"])
@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
def test_where_it_is_farthest_is_found_in_every_result(
    operation: str, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are off in a few elements of each group: explicit sums are made there instead."""
    monkeypatch.setattr(expected, "_is_sampled", lambda _, name: name != "grad_bias")
    monkeypatch.setattr(sample, "_MOST_PLACES", 4)
    monkeypatch.setattr(sample, "_FEWEST_PLACES", 1)
    case = replace(SMALL, operation=operation, direction=direction)
    operands = normal_operands(case, seed=0, device="cpu")
    for name, one in expect(case, operands, seed=0).items():
        if one.sums is None:
            continue
        result = witness(case, operands)[name]
        assert one.settled(result) is one
        channel = 0 if name == "grad_weight" else 1
        off = torch.zeros(result.shape)
        off.select(1 - channel, 1)[:, 2, 1] = 5  # in every channel
        wrong = expected.same_as(case, name, result + off, sums=one.sums, limit=1e-12)
        instead = wrong.settled(result)
        assert instead.places is not None
        assert instead.places.shape == (4, 1, 4)
        assert instead.errors(result)[1] == pytest.approx(0, abs=1e-12)
        at = instead.places[:, 0]
        assert at[:, 1 - channel].tolist() == [1] * 4
        assert at[:, 2:].tolist() == [[2, 1]] * 4
