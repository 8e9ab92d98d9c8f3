"""Every planted fault is caught, in every direction that it makes wrong."""

from __future__ import annotations

import pytest

from gconvbench.accuracy import Proof, prove
from gconvbench.cases import DIRECTIONS, Case
from gconvbench.implementations import BUILT_IN, Implementation, why_unsupported
from tests.faults import CONV_FAULTS, FAULTS, SHUFFLE_FAULTS, BiasForgotten, HalfDropped, Leaking

CONV = Case(
    groups=3, in_channels=12, out_channels=24, height=9, width=8, padding=(1, 1), bias=True, batch=2
)
SHUFFLE = Case(
    operation="conv_shuffle", groups=3, in_channels=12, out_channels=24, height=7, width=7
)

PLANTED = [
    (fault, case, direction)
    for case, faults in ((CONV, FAULTS + CONV_FAULTS), (SHUFFLE, FAULTS + SHUFFLE_FAULTS))
    for fault in faults
    for direction in DIRECTIONS
]


def proof_of(case: Case, direction: str) -> Proof:
    fields = {name: getattr(case, name) for name in case.__struct_fields__}
    return Proof.of(Case(**fields | {"direction": direction}), device="cpu", seed=0)


def is_harmless(fault: Implementation, direction: str) -> bool:
    """Without the bias only the output and the bias's own gradient are wrong."""
    return isinstance(fault, BiasForgotten) and direction == "dgrad"


@pytest.mark.parametrize(
    ("fault", "case", "direction"),
    PLANTED,
    ids=[f"{fault.name}-{case.operation}-{direction}" for fault, case, direction in PLANTED],
)
def test_a_planted_fault_is_caught(fault: Implementation, case: Case, direction: str) -> None:
    accuracy = prove(fault, proof_of(case, direction))
    assert bool(accuracy.faults) != is_harmless(fault, direction)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("implementation", "case"),
    [
        pytest.param(one, case, id=f"{one.name}-{case.operation}")
        for one in BUILT_IN
        for case in (CONV, SHUFFLE)
        if not one.on_request and not why_unsupported(one, case, "cpu")
    ],
)
def test_the_same_proof_passes_every_built_in_implementation(
    implementation: Implementation, case: Case, direction: str
) -> None:
    accuracy = prove(implementation, proof_of(case, direction))
    assert not accuracy.faults
    assert {tensor.exact for tensor in accuracy.tensors} == {"equal"}


def test_the_inverse_shuffle_is_right_where_channels_are_the_square_of_groups() -> None:
    square = Case(
        operation="conv_shuffle", groups=3, in_channels=9, out_channels=9, height=5, width=5
    )
    inverse = SHUFFLE_FAULTS[1]
    assert not prove(inverse, Proof.of(square, device="cpu", seed=0)).faults


def test_half_of_the_channels_dropped_is_seen_by_each_of_the_three_checks() -> None:
    faults = " ".join(prove(HalfDropped(), proof_of(CONV, "fprop")).faults)
    assert "error" in faults
    assert "exact result on integers" in faults
    assert "information flow" in faults


def test_a_leak_that_no_finite_number_shows_is_said_of_the_implementation() -> None:
    accuracy = prove(Leaking(), proof_of(CONV, "fprop"))
    assert not accuracy.faults
    assert accuracy.flow == "isolated for finite data"


@pytest.mark.parametrize(
    ("name", "flow"),
    [
        ("native", "isolated"),
        ("split_concat", "isolated"),
        ("block_diagonal", "isolated for finite data"),
    ],
)
def test_what_is_said_of_nan_is_what_was_seen(name: str, flow: str) -> None:
    implementation = next(one for one in BUILT_IN if one.name == name)
    assert prove(implementation, proof_of(CONV, "fprop")).flow == flow
