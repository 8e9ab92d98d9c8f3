"""Right implementations are found right, and samples are of the reference, in any geometry."""

from __future__ import annotations

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gconvbench.accuracy import Proof, prove, reference_results
from gconvbench.accuracy.reference import valid_taps
from gconvbench.accuracy.sample import draw_places, values_at
from gconvbench.cases import DIRECTIONS, DTYPES, MEMORY_FORMATS, OPERATIONS, Case
from gconvbench.implementations import BUILT_IN, why_unsupported
from gconvbench.operands import normal_operands

SMALL = st.integers(1, 4)
PAIRS = st.tuples(SMALL, SMALL)


@st.composite
def small_cases(draw: st.DrawFn) -> Case:
    groups, kernel, dilation = draw(SMALL), draw(PAIRS), draw(PAIRS)
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    height, width = (
        max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i]) + draw(st.integers(0, 4))
        for i in (0, 1)
    )
    case = Case(
        operation=draw(st.sampled_from(OPERATIONS)), groups=groups, batch=draw(st.integers(1, 2)),
        in_channels=groups * draw(SMALL), out_channels=groups * draw(SMALL), height=height,
        width=width, kernel_size=kernel, stride=draw(PAIRS), padding=padding, dilation=dilation,
        bias=draw(st.booleans()), dtype=draw(st.sampled_from(sorted(DTYPES))),
        memory_format=draw(st.sampled_from(MEMORY_FORMATS)),
        direction=draw(st.sampled_from(DIRECTIONS)),
    )  # fmt: skip
    # PyTorch's own convolution on the CPU can crash where dilated windows all lie on padding
    # (seen with 2.13: 4 channels, 3x2 pixels, kernel 1x1, stride 1x3, padding 0x1, dilation 2x3).
    assume(valid_taps(case) or case.dilation == (1, 1))
    return case


@settings(deadline=None, derandomize=True, database=None, max_examples=150)
@given(small_cases(), st.integers(0, 3))
def test_every_built_in_implementation_is_right_in_every_small_case(case: Case, seed: int) -> None:
    proof = Proof.of(case, device="cpu", seed=seed)
    for implementation in BUILT_IN:
        if not implementation.on_request and not why_unsupported(implementation, case, "cpu"):
            assert not prove(implementation, proof).faults, implementation.name


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(small_cases(), st.integers(0, 3))
def test_each_sampled_value_is_that_of_the_whole_reference(case: Case, seed: int) -> None:
    case = replace(
        case, operation="conv_shuffle" if case.shuffles else "conv", direction="training"
    )
    operands = normal_operands(case, seed=seed, device="cpu")
    for name, whole in reference_results(case, operands).items():
        if name == "grad_bias":
            continue
        places = draw_places(case, name, seed=seed)
        values = values_at(case, name, operands, places)
        assert torch.allclose(values, whole[places.unbind(-1)], rtol=0, atol=1e-12)
