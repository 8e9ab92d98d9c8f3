"""The whole table of implementations: right in every dtype, layout, bias and odd shape."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gconvbench.accuracy import Proof, prove
from gconvbench.cases import DIRECTIONS, DTYPES, MEMORY_FORMATS, Case
from gconvbench.implementations import BUILT_IN, Implementation, load_table, why_unsupported
from gconvbench.operands import normal_operands

SHAPES: dict[str, dict[str, Any]] = {
    "odd groups": {"groups": 3, "in_channels": 6, "out_channels": 15, "padding": (1, 1)},
    "depthwise": {"groups": 8, "in_channels": 8, "out_channels": 16, "padding": (1, 1)},
    "dilated": {"groups": 2, "in_channels": 4, "out_channels": 8, "dilation": (2, 1)},
    "strided 1x1": {"groups": 4, "in_channels": 8, "out_channels": 8, "kernel_size": (1, 1),
                    "stride": (2, 2)},
    "one group": {"groups": 1, "in_channels": 3, "out_channels": 6, "bias": True},
    "uneven": {"groups": 2, "in_channels": 6, "out_channels": 4, "kernel_size": (2, 3),
               "stride": (2, 1), "padding": (1, 2), "bias": True},
}  # fmt: skip


def supported(case: Case) -> list[Implementation]:
    return [one for one in BUILT_IN if not one.on_request and not why_unsupported(one, case, "cpu")]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
def test_every_implementation_is_right(shape: str, direction: str, operation: str) -> None:
    for dtype in DTYPES:
        for memory_format in MEMORY_FORMATS:
            fields = SHAPES[shape] | {"height": 7, "width": 6, "batch": 2}
            case = Case(
                operation=operation, direction=direction, dtype=dtype,
                memory_format=memory_format, **fields,
            )  # fmt: skip
            proof = Proof.of(case, device="cpu", seed=0)
            for implementation in supported(case):
                faults = prove(implementation, proof).faults
                assert not faults, f"{implementation.name} {dtype} {memory_format}: {faults}"


def test_names_are_unique_and_ideas_are_one_line() -> None:
    assert len({one.name for one in BUILT_IN}) == len(BUILT_IN)
    assert all(one.name.isidentifier() and "\n" not in one.idea for one in BUILT_IN)


def test_each_operation_has_native_and_rivals() -> None:
    for operation in ("conv", "conv_shuffle"):
        names = [one.name for one in supported(Case(operation=operation, groups=2))]
        assert names[0] == "native"
        assert len(names) > 2


def test_an_implementation_of_one_operation_refuses_the_other() -> None:
    split_stack = next(one for one in BUILT_IN if one.name == "split_stack")
    assert why_unsupported(split_stack, Case(), "cpu") == "computes conv_shuffle, not conv"


def test_inputs_are_left_untouched() -> None:
    case = Case(groups=2, in_channels=4, out_channels=4, height=5, width=5, bias=True,
                direction="training")  # fmt: skip
    for implementation in supported(case):
        operands = normal_operands(case, seed=0, device="cpu")
        before = [t.clone() for t in (operands.x, operands.weight, operands.grad_output)]
        implementation.launch(case, operands)()
        after = [operands.x, operands.weight, operands.grad_output]
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_operands_depend_on_seed_and_case_alone() -> None:
    case = Case(in_channels=4, out_channels=4, height=5, width=5)
    one, same = (normal_operands(case, seed=1, device="cpu") for _ in range(2))
    other = normal_operands(case, seed=2, device="cpu")
    assert torch.equal(one.x, same.x)
    assert not torch.equal(one.x, other.x)


def test_weights_are_scaled_so_that_results_keep_the_size_of_inputs() -> None:
    case = Case(in_channels=256, out_channels=64, height=20, width=20)
    operands = normal_operands(case, seed=0, device="cpu")
    assert BUILT_IN[0].launch(case, operands)()[0].std().item() == pytest.approx(1, rel=0.05)


def test_the_table_holds_at_least_what_is_built_in() -> None:
    assert {one.name for one in BUILT_IN} <= set(load_table().implementations)
