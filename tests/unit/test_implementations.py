"""The whole table of implementations: right in every dtype, layout, bias and odd shape."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, prove
from gconvbench.accuracy.steadiness import same_bits
from gconvbench.cases import DIRECTIONS, DTYPES, MEMORY_FORMATS, OPERATIONS, Case, case_id
from gconvbench.implementations import (
    BUILT_IN,
    Implementation,
    load_table,
    result_names,
    why_unsupported,
)
from gconvbench.operands import normal_operands
from gconvbench.records import ISOLATED_IF_FINITE, RIGHT

SHAPES: dict[str, dict[str, Any]] = {
    "odd groups": {"groups": 3, "in_channels": 6, "out_channels": 15, "padding": (1, 1)},
    "four groups": {"groups": 4, "in_channels": 8, "out_channels": 12, "padding": (0, 1)},
    "depthwise": {"groups": 8, "in_channels": 8, "out_channels": 16, "padding": (1, 1)},
    "sixteen groups": {"groups": 16, "in_channels": 32, "out_channels": 16, "height": 3,
                       "width": 4},
    "dilated": {"groups": 2, "in_channels": 4, "out_channels": 8, "dilation": (2, 1)},
    "strided 1x1": {"groups": 4, "in_channels": 8, "out_channels": 8, "kernel_size": (1, 1),
                    "stride": (2, 2)},
    "one group": {"groups": 1, "in_channels": 3, "out_channels": 6, "bias": True},
    "uneven": {"groups": 2, "in_channels": 6, "out_channels": 4, "kernel_size": (2, 3),
               "stride": (2, 1), "padding": (1, 2), "bias": True},
}  # fmt: skip
FORMATS = [
    ("float64", "contiguous"),
    ("float32", "contiguous"),
    ("float32", "channels_last"),
    ("float16", "channels_last"),
    ("bfloat16", "contiguous"),
]
FEW_SHAPES = ("odd groups", "depthwise", "strided 1x1", "one group", "uneven")
COMBINATIONS = [
    (operation, direction, shape)
    for operation in OPERATIONS
    for direction in DIRECTIONS
    for shape in (SHAPES if operation == "conv" else FEW_SHAPES)
]
ON_CUDA_ONLY = {
    "split_streams",
    "cuda_graph_native",
    "cuda_graph_split_concat",
    "cuda_graph_split_streams",
}


def supported(case: Case) -> list[Implementation]:
    return [one for one in BUILT_IN if not one.on_request and not why_unsupported(one, case, "cpu")]


def named(name: str) -> Implementation:
    return next(one for one in BUILT_IN if one.name == name)


def cases_of(operation: str, direction: str, shape: str) -> list[Case]:
    fields = {"height": 7, "width": 6, "batch": 2} | SHAPES[shape]
    return [
        Case(
            operation=operation, direction=direction, dtype=dtype, memory_format=memory_format,
            **fields,
        )
        for dtype, memory_format in FORMATS
    ]  # fmt: skip


@pytest.mark.parametrize(("operation", "direction", "shape"), COMBINATIONS)
def test_every_implementation_is_right(operation: str, direction: str, shape: str) -> None:
    """In float32 on operands that lie otherwise in memory too."""
    for case in cases_of(operation, direction, shape):
        is_thorough = case.dtype == "float32"
        proof = Proof.of(case, device="cpu", seed=0)
        for implementation in supported(case):
            accuracy = prove(implementation, proof, thorough=is_thorough)
            told = f"{implementation.name} {case_id(case)}"
            assert not accuracy.faults, told
            assert set(accuracy.layouts.values()) <= {RIGHT}, told
            assert bool(accuracy.layouts) == is_thorough


def test_the_table_leaves_no_implementation_and_no_combination_out() -> None:
    pairs = {
        (implementation.name, operation)
        for operation, direction, shape in COMBINATIONS
        for case in cases_of(operation, direction, shape)
        for implementation in supported(case)
    }
    measured = [one for one in BUILT_IN if not one.on_request and one.name not in ON_CUDA_ONLY]
    assert pairs == {(one.name, operation) for one in measured for operation in one.operations}
    assert {dtype for dtype, _ in FORMATS} == set(DTYPES)
    assert {memory_format for _, memory_format in FORMATS} == set(MEMORY_FORMATS)


def test_names_are_unique_and_ideas_are_one_line() -> None:
    assert len({one.name for one in BUILT_IN}) == len(BUILT_IN)
    assert all(one.name.isidentifier() and "\n" not in one.idea for one in BUILT_IN)


def test_each_operation_has_native_and_rivals() -> None:
    for operation in OPERATIONS:
        names = [one.name for one in supported(Case(operation=operation, groups=2))]
        assert names[0] == "native"
        assert len(names) > 1


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("split_stack", {}, "computes conv_shuffle, not conv"),
        ("native", {}, None),
        ("native_channels_last", {"memory_format": "channels_last"},
         "the case is channels_last already, so this would be native once more"),
        ("native_channels_last", {}, None),
        ("native_channels_last_copies", {"memory_format": "channels_last"},
         "the case is channels_last already, so this would be native once more"),
        ("native_channels_last_copies", {}, None),
        ("split_concat", {"groups": 1}, None),
        ("split_contiguous", {"groups": 1}, "with groups=1 this would be split_concat once more"),
        ("split_contiguous", {}, None),
        ("block_diagonal", {"groups": 1}, "with groups=1 this would be native once more"),
        ("merged_groups_2", {"groups": 1}, "groups (1) is no multiple of 2"),
        ("merged_groups_2", {"groups": 2}, "merging all 2 groups would be block_diagonal"),
        ("merged_groups_4", {"groups": 2}, "groups (2) is no multiple of 4"),
        ("merged_groups_4", {"groups": 4}, "merging all 4 groups would be block_diagonal"),
        ("merged_groups_4", {"groups": 8}, None),
        ("merged_groups_8", {"groups": 4}, "groups (4) is no multiple of 8"),
        ("merged_groups_8", {"groups": 8}, "merging all 8 groups would be block_diagonal"),
        ("merged_groups_8", {"groups": 16}, None),
        ("im2col_bmm", {"operation": "conv_shuffle"}, "computes conv, not conv_shuffle"),
        ("im2col_bmm", {"groups": 1}, None),
        ("pointwise_bmm", {}, "computes kernel_size 1x1 only, not 3x3"),
        ("pointwise_bmm", {"kernel_size": (1, 1), "padding": (1, 0)},
         "computes padding 0 only, not 1x0"),
        ("pointwise_bmm", {"kernel_size": (1, 1), "stride": (2, 2)}, None),
        ("tap_accumulate", {"groups": 1}, None),
        ("depthwise_mac", {}, "computes 1 input channel per group only, not 32"),
        ("depthwise_mac", {"groups": 64}, None),
        ("native_view_shuffle", {"operation": "conv_shuffle_dense"}, None),
        ("native_index_shuffle", {"operation": "conv_shuffle_dense"},
         "computes conv_shuffle, not conv_shuffle_dense"),
        ("native_gather_shuffle", {}, "computes conv_shuffle, not conv"),
        ("native_kernel_shuffle", {"operation": "conv_shuffle", "direction": "training"},
         "torch.native_channel_shuffle has no derivative"),
        ("native_kernel_shuffle", {"operation": "conv_shuffle"}, None),
        ("split_interleaved", {}, "computes conv_shuffle, not conv"),
        ("folded_shuffle", {"operation": "conv_shuffle"},
         "computes conv_shuffle_dense and conv_shuffle_depthwise, not conv_shuffle"),
        ("folded_shuffle", {"operation": "conv_shuffle_depthwise"}, None),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_has_a_reason(
    name: str, fields: dict[str, Any], reason: str | None
) -> None:
    case = Case(**({"groups": 2} | fields))
    assert why_unsupported(named(name), case, "cpu") == reason


SHUFFLED = Case(
    operation="conv_shuffle", groups=3, batch=2, in_channels=6, out_channels=12, height=5, width=4,
    bias=True,
)  # fmt: skip


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_forms_of_a_shuffle_have_the_same_bits(dtype: str, direction: str) -> None:
    """They move numbers and compute none; the convolution before them is the same."""
    case = replace(SHUFFLED, dtype=dtype, direction=direction)
    operands = normal_operands(case, seed=0, device="cpu")
    expected = named("native").launch(case, operands.copy())()
    forms = [one for one in supported(case) if one.name.endswith("_shuffle")]
    assert len(forms) == (4 if direction == "fprop" else 3)
    for form in forms:
        assert same_bits(form.launch(case, operands.copy())(), expected), form.name


@pytest.mark.parametrize("name", ["native", "split_stack", "split_interleaved"])
def test_a_shuffle_is_that_of_pytorch(name: str) -> None:
    case = replace(SHUFFLED, dtype="float64")
    operands = normal_operands(case, seed=0, device="cpu")
    (y,) = named("split_concat").launch(replace(case, operation="conv"), operands.copy())()
    (shuffled,) = named(name).launch(case, operands.copy())()
    assert torch.allclose(shuffled, torch.nn.ChannelShuffle(3)(y), rtol=0, atol=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("operation", ["conv_shuffle_dense", "conv_shuffle_depthwise"])
def test_a_shuffle_folded_into_the_layers_behind_it_changes_nothing(
    operation: str, direction: str
) -> None:
    case = replace(SHUFFLED, operation=operation, direction=direction, dtype="float64")
    operands = normal_operands(case, seed=0, device="cpu")
    shuffling = named("native").launch(case, operands.copy())()
    folded = named("folded_shuffle").launch(case, operands.copy())()
    for name, one, other in zip(result_names(case), shuffling, folded, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12), name


KEPT = {
    "conv": ("native", "split_concat", "split_contiguous", "split_preallocated", "block_diagonal",
             "merged_groups_2"),
    "conv_shuffle": ("native", "native_kernel_shuffle", "split_interleaved"),
    "conv_shuffle_dense": ("native", "folded_shuffle"),
}  # fmt: skip
LOST = {
    "conv": ("im2col_bmm", "tap_accumulate"),
    "conv_shuffle": ("native_view_shuffle", "native_index_shuffle", "native_gather_shuffle",
                     "split_stack"),
    "conv_shuffle_dense": ("native_view_shuffle",),
}  # fmt: skip


@pytest.mark.parametrize("operation", KEPT)
def test_what_keeps_the_memory_format_and_what_loses_it(operation: str) -> None:
    case = Case(operation=operation, groups=4, batch=2, in_channels=8, out_channels=8, height=6,
                width=5, memory_format="channels_last")  # fmt: skip
    proof = Proof.of(case, device="cpu", seed=0)
    found: dict[str, list[str]] = {}
    for one in supported(case):
        (output,) = prove(one, proof).tensors
        found.setdefault(output.memory_format, []).append(one.name)
    assert found == {"channels_last": [*KEPT[operation]], "contiguous": [*LOST[operation]]}


@pytest.mark.parametrize(
    ("name", "memory_format"),
    [("native_channels_last", "channels_last"), ("native_channels_last_copies", "contiguous")],
)
def test_channels_last_is_kept_or_converted_back_as_the_name_says(
    name: str, memory_format: str
) -> None:
    case = Case(groups=2, batch=2, in_channels=8, out_channels=8, height=6, width=5)
    (output,) = prove(named(name), Proof.of(case, device="cpu", seed=0)).tensors
    assert output.memory_format == memory_format


@pytest.mark.parametrize("groups", [4, 8, 16])
def test_merged_groups_leak_nothing_but_nan_and_only_among_themselves(groups: int) -> None:
    case = Case(groups=groups, in_channels=16, out_channels=16, height=4, width=4)
    proof = Proof.of(case, device="cpu", seed=0)
    merged = [one for one in supported(case) if one.name.startswith("merged_groups_")]
    assert len(merged) == {4: 1, 8: 2, 16: 3}[groups]
    for one in merged:
        accuracy = prove(one, proof)
        assert not accuracy.faults
        assert accuracy.flow == ISOLATED_IF_FINITE
        poisoned = proof.operands.copy()
        poisoned.x[:, 0] = torch.nan
        (y,) = one.launch(case, poisoned)()
        count = int(one.name.removeprefix("merged_groups_")) * case.group_out_channels
        assert y.isnan().any(dim=-1).any(dim=-1)[0].tolist() == [i < count for i in range(16)]


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
