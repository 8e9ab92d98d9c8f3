"""No right implementation is called wrong, whatever the geometry."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gconvbench.accuracy import Proof, prove
from gconvbench.cases import DIRECTIONS, DTYPES, MEMORY_FORMATS, OPERATIONS, Case
from gconvbench.implementations import BUILT_IN, why_unsupported

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
    return Case(
        operation=draw(st.sampled_from(OPERATIONS)), groups=groups, batch=draw(st.integers(1, 2)),
        in_channels=groups * draw(SMALL), out_channels=groups * draw(SMALL), height=height,
        width=width, kernel_size=kernel, stride=draw(PAIRS), padding=padding, dilation=dilation,
        bias=draw(st.booleans()), dtype=draw(st.sampled_from(sorted(DTYPES))),
        memory_format=draw(st.sampled_from(MEMORY_FORMATS)),
        direction=draw(st.sampled_from(DIRECTIONS)),
    )  # fmt: skip


@settings(deadline=None, derandomize=True, database=None, max_examples=150)
@given(small_cases(), st.integers(0, 3))
def test_every_built_in_implementation_is_right_in_every_small_case(case: Case, seed: int) -> None:
    proof = Proof.of(case, device="cpu", seed=seed)
    for implementation in BUILT_IN:
        if not implementation.on_request and not why_unsupported(implementation, case, "cpu"):
            assert not prove(implementation, proof).faults, implementation.name
