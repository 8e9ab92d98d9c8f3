"""The Triton kernels give the very integers that they must, in any geometry."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gconvbench.cases import DIRECTIONS, DTYPES, MEMORY_FORMATS, Case, case_id
from tests.interpreted import Interpreter, interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = st.integers(1, 3)
PAIRS = st.tuples(SMALL, SMALL)
SHARE_THAT_TELLS = 0.6
"""Of geometries with some result that must be exact, at the least."""
CHANNELS = st.sampled_from((1, 2, 3, 4, 5, 8, 16, 17))


@st.composite
def geometries(draw: st.DrawFn) -> Case:
    groups, kernel, dilation = draw(st.integers(1, 6)), draw(PAIRS), draw(PAIRS)
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    height, width = (
        max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i]) + draw(st.integers(0, 3))
        for i in (0, 1)
    )
    return Case(
        operation=draw(st.sampled_from(("conv", "conv_shuffle"))), groups=groups,
        batch=draw(st.integers(1, 2)), in_channels=groups * draw(CHANNELS),
        out_channels=groups * draw(CHANNELS), height=height, width=width, kernel_size=kernel,
        stride=draw(PAIRS), padding=padding, dilation=dilation, bias=draw(st.booleans()),
        dtype=draw(st.sampled_from(sorted(DTYPES))),
        memory_format=draw(st.sampled_from(MEMORY_FORMATS)),
        direction=draw(st.sampled_from(DIRECTIONS)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def interpreted() -> Iterator[Interpreter]:
    with interpreter() as process:
        yield process


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_integers_come_out_exactly(interpreted: Interpreter) -> None:
    """In every geometry that they say anything of, and that is most of them."""
    seen: list[list[str]] = []

    @settings(deadline=None, derandomize=True, database=None, max_examples=25)
    @given(geometries(), st.integers(0, 9))
    def holds(case: Case, turn: int) -> None:
        exact = interpreted.ask(case_id(case), turn=turn, what="integers")["exact"]
        assert all(words == "equal" or words.startswith(("not checked", "only")) for words in exact)
        seen.append(exact)

    holds()
    assert len(seen) >= 25
    assert sum("equal" in exact for exact in seen) >= SHARE_THAT_TELLS * len(seen)
