"""Every fault planted in every family is caught, in every direction that it makes wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
import torch

from gconvbench.accuracy import Proof, expected, prove, sample
from gconvbench.cases import DIRECTIONS, MATH_MODES, Case, case_id
from gconvbench.implementations import BUILT_IN, result_names, why_unsupported
from gconvbench.records import ISOLATED_IF_FINITE
from tests.conftest import Planting, Plantings
from tests.faults import (
    FAULTS,
    FOLDED_FAULTS,
    LAYOUT_FAULTS,
    SHUFFLE_FAULTS,
    BiasForgotten,
    BorderRecycled,
    Fault,
    GradientOff,
    GroupsSwapped,
    HalfAnswer,
    HalfDropped,
    Leaking,
    OneGroupOff,
    OnePixelOff,
    PoisonSwallowed,
    ResultsOff,
    ShuffleInverse,
    Tf32Answer,
    WrongEveryThirdTime,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.faults import Plant

CONV = Case(
    groups=3, in_channels=12, out_channels=24, height=7, width=6, padding=(1, 1), bias=True, batch=2
)
SIX_GROUPS = msgspec.structs.replace(CONV, groups=6)
POINTWISE = msgspec.structs.replace(CONV, kernel_size=(1, 1), padding=(0, 0))
DEPTHWISE = msgspec.structs.replace(CONV, groups=5, in_channels=5, out_channels=10)
SHUFFLE = msgspec.structs.replace(CONV, operation="conv_shuffle")
DENSE = msgspec.structs.replace(CONV, operation="conv_shuffle_dense")
DEPTHWISE_BEHIND = msgspec.structs.replace(CONV, operation="conv_shuffle_depthwise")

LARGER = [msgspec.structs.replace(one, height=12, width=14) for one in (CONV, SHUFFLE)]
"""In which a few elements are a small share."""
WITNESSED = [msgspec.structs.replace(one, height=13, width=14) for one in (CONV, SHUFFLE)]
"""As these, to be judged in all elements by a witness."""
VAST = Case(
    groups=2, in_channels=4, out_channels=4, height=200, width=200, padding=(1, 1), batch=2,
    dtype="bfloat16",
)  # fmt: skip
"""So large, and so coarse, that no norm shows one wrong pixel."""

NAMED = {one.name: one for one in BUILT_IN}
FAMILIES: dict[str, tuple[Case, ...]] = {
    "native": (CONV, SHUFFLE),
    "native_channels_last": (CONV,),
    "split_concat": (CONV,),
    "split_preallocated": (CONV,),
    "block_diagonal": (CONV,),
    "merged_groups_2": (SIX_GROUPS,),
    "im2col_bmm": (CONV,),
    "pointwise_bmm": (POINTWISE,),
    "tap_accumulate": (CONV,),
    "depthwise_mac": (DEPTHWISE,),
    "native_view_shuffle": (SHUFFLE, DENSE),
    "split_stack": (SHUFFLE,),
    "split_interleaved": (SHUFFLE,),
    "folded_shuffle": (DENSE, DEPTHWISE_BEHIND),
}
"""One implementation of each, with the smallest problems in which a fault has room: groups that
are odd (or, merged by two, odd in number), and neither channel count the square of the groups."""
COMPILED = "compiled_native"
COMPILED_FAULTS: tuple[Plant, ...] = (
    GroupsSwapped,
    HalfDropped,
    OneGroupOff,
    BiasForgotten,
    ResultsOff,
    BorderRecycled,
    WrongEveryThirdTime,
)
"""Around compiled code, which is compiled once for all of them."""
COARSE_FAULTS: tuple[Plant, ...] = (
    ResultsOff,
    *(fault for fault in FAULTS if isinstance(fault(NAMED["native"]), GradientOff)),
)
"""As large as the limit demands where it is coarse, as in bfloat16."""


class Plot(NamedTuple):
    """A fault to be planted in an implementation of one case."""

    plant: Plant
    family: str
    case: Case

    @property
    def fault(self) -> Fault:
        """Planted anew: some remember."""
        return self.plant(NAMED[self.family])

    @property
    def is_harmless(self) -> bool:
        return not self.fault.spoilt(self.case)

    @property
    def planting(self) -> Planting:
        return Planting(self.family, self.fault.name, case_id(self.case))

    def __str__(self) -> str:
        case = self.case
        return f"{self.family}-{self.fault.name}-{case.operation}-{case.dtype}-{case.direction}"


def directed(case: Case, direction: str) -> Case:
    return msgspec.structs.replace(case, direction=direction)


def faults_for(case: Case, family: str) -> Iterator[Plant]:
    yield from FAULTS
    if case.shuffles:
        yield from SHUFFLE_FAULTS
    if family == "folded_shuffle":
        yield from FOLDED_FAULTS


PLOTS = [
    Plot(plant, family, directed(case, direction))
    for family, cases in FAMILIES.items()
    for case in cases
    for direction in DIRECTIONS
    for plant in faults_for(case, family)
]
COARSE_PLOTS = [
    Plot(plant, family, msgspec.structs.replace(case, direction=direction, dtype="bfloat16"))
    for family, (case, *_) in FAMILIES.items()
    for direction in DIRECTIONS
    for plant in COARSE_FAULTS
]
SAMPLED_PLOTS = [
    Plot(plant, "native", directed(case, direction))
    for case in LARGER
    for direction in DIRECTIONS
    for plant in faults_for(case, "native")
    if plant is not OnePixelOff  # a sample does not see it
]
DISPUTED_PLOTS = [
    Plot(OnePixelOff, "native", directed(case, direction))
    for case in LARGER
    for direction in DIRECTIONS
]
WITNESSED_PLOTS = [
    Plot(plant, "native", directed(case, direction))
    for case in WITNESSED
    for direction in DIRECTIONS
    for plant in faults_for(case, "native")
]
LAYOUT_PLOTS = [
    Plot(plant, family, directed(case, direction))
    for family, cases in FAMILIES.items()
    for case in cases
    for direction in DIRECTIONS
    for plant in LAYOUT_FAULTS
]
COMPILED_PLOTS = [
    Plot(plant, COMPILED, directed(CONV, direction))
    for direction in ("fprop", "training")
    for plant in COMPILED_FAULTS
]
RIGHT = [
    (family, directed(case, direction))
    for family, cases in FAMILIES.items()
    for case in cases
    for direction in DIRECTIONS
]


def planted(plots: Iterable[Plot], *, harmless: bool = False) -> pytest.MarkDecorator:
    chosen = [plot for plot in plots if plot.is_harmless == harmless]
    return pytest.mark.parametrize("plot", chosen, ids=map(str, chosen))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Problems this small are computed faster, and as fast beside whatever else is running."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


_why_not = why_unsupported(NAMED[COMPILED], CONV, "cpu")
compiles = pytest.mark.skipif(_why_not is not None, reason=_why_not or "")


@lru_cache
def _proof(case: Case) -> Proof:
    return Proof.of(case, device="cpu", seed=0)


def proof_of(case: Case) -> Proof:
    """Without what earlier implementations left behind: their results, or scribbles on operands."""
    proof = _proof(case)
    return replace(proof, operands=proof.operands.copy(), peers=[])


def faults_found(
    plot: Plot, plantings: Plantings, proof: Proof, *, thorough: bool = False
) -> tuple[str, ...]:
    plantings[plot.planting] = False
    faults = prove(plot.fault, proof, thorough=thorough).faults
    plantings[plot.planting] = bool(faults)
    return faults


@planted([*PLOTS, *COARSE_PLOTS])
def test_a_planted_fault_is_caught(plot: Plot, plantings: Plantings) -> None:
    faults = faults_found(plot, plantings, proof_of(plot.case))
    assert faults


@pytest.fixture
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in problems too large to compute in full: sixteen elements of each group are expected."""
    monkeypatch.setattr(expected, "_is_sampled", lambda _, name: name != "grad_bias")
    monkeypatch.setattr(sample, "_MOST_PLACES", 16 * LARGER[0].groups)


@pytest.fixture
def no_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no memory for one: the sample is all that is known."""
    monkeypatch.setattr(expected, "witness", lambda *_: {})


@pytest.mark.usefixtures("few_places")
@planted(WITNESSED_PLOTS)
def test_a_planted_fault_is_caught_by_a_witness(plot: Plot, plantings: Plantings) -> None:
    proof = Proof.of(plot.case, device="cpu", seed=0)
    faults = faults_found(plot, plantings, proof)
    first = proof.expected[result_names(plot.case)[0]]
    assert first.sums is not None
    assert first.places is None
    assert faults


@pytest.mark.usefixtures("few_places", "no_witness")
@planted(SAMPLED_PLOTS)
def test_a_planted_fault_is_caught_by_a_sample(plot: Plot, plantings: Plantings) -> None:
    proof = Proof.of(plot.case, device="cpu", seed=0)
    faults = faults_found(plot, plantings, proof)
    assert proof.expected[result_names(plot.case)[0]].places is not None
    assert faults


@pytest.mark.usefixtures("few_places", "no_witness")
@planted(DISPUTED_PLOTS)
def test_what_is_wrong_outside_the_sample_is_disputed_by_another_implementation(
    plot: Plot, plantings: Plantings
) -> None:
    proof = Proof.of(plot.case, device="cpu", seed=0)
    rival = {"conv": "split_concat", "conv_shuffle": "split_stack"}[plot.case.operation]
    assert not prove(NAMED[rival], proof).faults
    faults = faults_found(plot, plantings, proof)
    assert faults


@planted([*PLOTS, *LAYOUT_PLOTS], harmless=True)
def test_what_a_fault_does_not_spoil_is_not_called_wrong(plot: Plot) -> None:
    assert not prove(plot.fault, proof_of(plot.case), thorough=True).faults


@planted(LAYOUT_PLOTS)
def test_a_fault_on_operands_that_lie_otherwise_is_caught_by_a_thorough_proof_alone(
    plot: Plot, plantings: Plantings
) -> None:
    assert not prove(plot.fault, proof_of(plot.case)).faults
    faults = faults_found(plot, plantings, proof_of(plot.case), thorough=True)
    assert faults


@compiles
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # dynamo asks even what is no leaf for it
@planted(COMPILED_PLOTS)
def test_a_fault_around_compiled_code_is_caught(plot: Plot, plantings: Plantings) -> None:
    faults = faults_found(plot, plantings, proof_of(plot.case))
    assert faults


@compiles
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("direction", ["fprop", "training"])
def test_compiled_code_without_a_fault_passes_the_same_proof(direction: str) -> None:
    accuracy = prove(NAMED[COMPILED], proof_of(directed(CONV, direction)), thorough=True)
    assert not accuracy.faults
    assert {tensor.exact for tensor in accuracy.tensors} == {"equal"}


@pytest.mark.parametrize(
    ("family", "case"),
    RIGHT,
    ids=[f"{family}-{case.operation}-{case.direction}" for family, case in RIGHT],
)
def test_without_a_fault_a_thorough_proof_of_the_same_case_is_passed(
    family: str, case: Case
) -> None:
    accuracy = prove(NAMED[family], proof_of(case), thorough=True)
    assert not accuracy.faults
    assert {tensor.exact for tensor in accuracy.tensors} == {"equal"}
    assert set(accuracy.layouts.values()) == {"right"}


@pytest.mark.parametrize(
    ("family", "case"),
    RIGHT,
    ids=[f"{family}-{case.operation}-{case.direction}" for family, case in RIGHT],
)
def test_a_leak_that_no_finite_number_shows_is_said_of_the_implementation(
    family: str, case: Case
) -> None:
    leaking, right = Leaking(NAMED[family]), NAMED[family]
    accuracy = prove(leaking, proof_of(case))
    assert not accuracy.faults
    if leaking.shows(case):
        assert accuracy.flow == ISOLATED_IF_FINITE
    else:
        assert accuracy.flow == prove(right, proof_of(case)).flow


@planted(plot for plot in PLOTS if plot.plant is Tf32Answer)
def test_an_answer_in_tf32_where_ieee_was_asked_for_is_called_so(plot: Plot) -> None:
    faults = prove(plot.fault, proof_of(plot.case)).faults
    assert faults[0].endswith("the precision of tf32, where ieee was asked for")


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("math_mode", MATH_MODES)
def test_an_answer_in_half_precision_is_called_so_whatever_was_asked_for(
    math_mode: str, direction: str
) -> None:
    """Without a bias, which is not rounded and so makes the error seem smaller."""
    case = msgspec.structs.replace(CONV, bias=False, math_mode=math_mode, direction=direction)
    half = HalfAnswer()
    assert half.spoilt(case)
    faults = prove(half, proof_of(case)).faults
    assert faults[0].endswith(f"the precision of half, where {math_mode} was asked for")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_answer_in_tf32_is_right_where_it_was_asked_for(direction: str) -> None:
    case = msgspec.structs.replace(CONV, math_mode="tf32", direction=direction)
    tf32 = Tf32Answer()
    assert not tf32.spoilt(case)
    assert not prove(tf32, proof_of(case)).faults


def test_the_inverse_shuffle_is_right_where_channels_are_the_square_of_groups() -> None:
    square = msgspec.structs.replace(SHUFFLE, in_channels=9, out_channels=9)
    inverse = ShuffleInverse()
    assert not inverse.spoilt(square)
    assert not prove(inverse, proof_of(square)).faults


def test_half_of_the_channels_dropped_is_seen_by_each_of_the_three_checks() -> None:
    faults = " ".join(prove(HalfDropped(), proof_of(CONV)).faults)
    assert "error" in faults
    assert "exact result on integers" in faults
    assert "information flow" in faults


@planted([Plot(OnePixelOff, "native", directed(VAST, one)) for one in ("fprop", "dgrad")])
def test_one_wrong_pixel_among_many_is_seen_by_itself_and_on_integers(
    plot: Plot, plantings: Plantings
) -> None:
    """Not in the norm of a group, which it hardly changes."""
    alone, exact = faults_found(plot, plantings, proof_of(plot.case))
    assert " in one element, limit 0." in alone
    assert exact.endswith("differs from the exact result on integers")


def test_what_is_lost_of_poison_is_seen_by_information_flow_alone() -> None:
    (fault,) = prove(PoisonSwallowed(), proof_of(CONV)).faults
    assert fault.startswith("information flow")


@pytest.mark.parametrize(
    ("name", "flow"),
    [
        ("native", "isolated"),
        ("split_concat", "isolated"),
        ("block_diagonal", "isolated for finite data"),
    ],
)
def test_what_is_said_of_nan_is_what_was_seen(name: str, flow: str) -> None:
    assert prove(NAMED[name], proof_of(CONV)).flow == flow
