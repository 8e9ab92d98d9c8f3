"""The Triton implementations on a card: right with every tile, in every type and memory format."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, exact_verdicts, integer_checks, prove
from gconvbench.accuracy.layouts import check_layouts
from gconvbench.cases import DIRECTIONS, MEMORY_FORMATS, Case, case_id
from gconvbench.device import set_math_mode
from gconvbench.engine import Engine
from gconvbench.implementations import (
    BUILT_IN,
    Implementation,
    load_table,
    result_names,
    triton_convolution,
)
from gconvbench.implementations import triton_tiles as tiles
from gconvbench.operands import normal_operands
from gconvbench.protocol import Measure
from gconvbench.records import RIGHT, Job, Method

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None, reason="Triton is not installed"
    ),
]

TYPES = [("float64", "ieee"), ("float32", "ieee"), ("float32", "tf32"), ("float16", "ieee"),
         ("bfloat16", "ieee")]  # fmt: skip
# Of ResNeXt-50 (32 x 4d): channels, stride, and rows of the input, here of few images.
RESNEXT = [(128, 1, 56), (256, 2, 56), (512, 1, 14), (1024, 1, 7)]
SHAPES: dict[str, dict[str, Any]] = {
    "depthwise": {"groups": 48, "in_channels": 48, "out_channels": 96, "padding": (1, 1)},
    "odd": {"groups": 3, "in_channels": 51, "out_channels": 57, "kernel_size": (2, 5),
            "stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "bias": True},
    "pack lacks groups": {"groups": 5, "in_channels": 20, "out_channels": 15, "padding": (1, 0)},
    "wide": {"groups": 2, "in_channels": 192, "out_channels": 256, "padding": (1, 1),
             "bias": True},
    "1x1": {"groups": 4, "in_channels": 96, "out_channels": 64, "kernel_size": (1, 1),
            "stride": (2, 2)},
}  # fmt: skip


def way_of(case: Case) -> Implementation:
    name = "triton_fused_shuffle" if case.shuffles else "triton_implicit_gemm"
    return next(one for one in BUILT_IN if one.name == name)


def proof_of(case: Case) -> Proof:
    assert way_of(case).why_unsupported(case, "cuda") is None
    set_math_mode(case.math_mode, "cuda")
    return Proof.of(case, device="cuda", seed=0)


@pytest.fixture
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tile is taken: to compile all of them for each case would take minutes."""
    monkeypatch.setattr(
        triton_convolution, "tuned", lambda _key, candidates, _launch: candidates[0]
    )


@pytest.mark.usefixtures("no_trials")
@pytest.mark.parametrize("number", range(len(TYPES)))
@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_are_right_in_every_type(shape: str, number: int) -> None:
    dtype, math_mode = TYPES[number]
    turn = number + list(SHAPES).index(shape)
    case = Case(
        operation=("conv", "conv_shuffle")[turn // 2 % 2], batch=3, height=15, width=13,
        dtype=dtype, math_mode=math_mode, memory_format=MEMORY_FORMATS[turn % 2],
        direction="training", **SHAPES[shape],
    )  # fmt: skip
    assert not prove(way_of(case), proof_of(case)).faults


@pytest.mark.usefixtures("no_trials")
@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
@pytest.mark.parametrize(("channels", "stride", "rows"), RESNEXT)
def test_grouped_layers_of_resnext_are_right(
    channels: int, stride: int, rows: int, memory_format: str
) -> None:
    case = Case(
        groups=32, in_channels=channels, out_channels=channels, batch=4, height=rows, width=rows,
        stride=(stride, stride), padding=(1, 1), dtype="bfloat16", direction="training",
        memory_format=memory_format,
    )  # fmt: skip
    assert not prove(way_of(case), proof_of(case)).faults


@pytest.mark.usefixtures("no_trials")
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_direction_can_be_had_alone(direction: str) -> None:
    case = Case(
        groups=32, in_channels=128, out_channels=128, batch=2, height=14, width=14, bias=True,
        padding=(1, 1), dtype="bfloat16", direction=direction,
    )  # fmt: skip
    assert not prove(way_of(case), proof_of(case)).faults


@pytest.mark.parametrize(
    ("groups", "dtype", "math_mode", "memory_format"),
    [
        (32, "bfloat16", "ieee", "channels_last"),
        (2, "float32", "tf32", "contiguous"),
        (128, "float16", "ieee", "contiguous"),
    ],
)
def test_every_tile_that_may_be_chosen_can_be_launched_and_is_right(
    monkeypatch: pytest.MonkeyPatch, groups: int, dtype: str, math_mode: str, memory_format: str
) -> None:
    """Packed, wide and elementwise; exact integers tell."""
    case = Case(
        groups=groups, in_channels=128, out_channels=128, batch=5, height=15, width=14,
        padding=(1, 1), bias=True, dtype=dtype, math_mode=math_mode, memory_format=memory_format,
        direction="training",
    )  # fmt: skip
    way = way_of(case)
    assert way.why_unsupported(case, "cuda") is None
    set_math_mode(math_mode, "cuda")
    checks = integer_checks(case, seed=0, device="cuda")
    counts: set[int] = set()
    turn = 0

    def take(_key: object, candidates: Sequence[tiles.Tile], _launch: object) -> tiles.Tile:
        counts.add(len(candidates))
        return candidates[turn % len(candidates)]

    monkeypatch.setattr(triton_convolution, "tuned", take)
    while turn < max(counts, default=1):
        assert "different" not in exact_verdicts(way, case, checks).values(), turn
        turn += 1


@pytest.mark.usefixtures("no_trials")
@pytest.mark.parametrize(
    ("groups", "operation"), [(4, "conv"), (32, "conv_shuffle"), (128, "conv")]
)
def test_operands_may_lie_in_memory_in_any_way(groups: int, operation: str) -> None:
    case = Case(
        operation=operation, groups=groups, in_channels=128, out_channels=128, batch=2, height=9,
        width=8, padding=(1, 1), bias=True, dtype="bfloat16", direction="training",
    )  # fmt: skip
    proof = proof_of(case)
    assert not prove(way_of(case), proof).faults
    assert set(check_layouts(way_of(case), proof).values()) == {RIGHT}


@pytest.mark.usefixtures("no_trials")
def test_more_elements_than_32_bits_count_are_reached() -> None:
    """Images beyond 2^31 elements of the input: the last is the same as alone."""
    case = Case(
        groups=32, in_channels=128, out_channels=32, batch=1200, height=120, width=120,
        padding=(1, 1), dtype="float16", memory_format="channels_last",
    )  # fmt: skip
    if torch.cuda.mem_get_info()[0] < 16 << 30:
        pytest.skip("less than 16 GiB of device memory are free")
    weight = torch.randn(case.weight_shape, device="cuda", dtype=torch.float16)
    x = torch.zeros(case.input_shape, device="cuda", dtype=torch.float16).contiguous(
        memory_format=torch.channels_last
    )
    x[-1].normal_()
    y = way_of(case).forward(case, x, weight, None)
    alone = way_of(case).forward(case, x[-1:], weight, None)
    assert torch.equal(y[-1:], alone)
    assert not y[:-1].any()


@pytest.mark.usefixtures("no_trials")
def test_a_shuffle_written_by_the_kernel_is_that_of_pytorch() -> None:
    case = Case(
        operation="conv_shuffle", groups=8, in_channels=64, out_channels=96, batch=2, height=9,
        width=9, padding=(1, 1), dtype="float16", memory_format="channels_last",
    )  # fmt: skip
    operands = normal_operands(case, seed=0, device="cuda")
    convolved = replace(case, operation="conv")
    plain = way_of(convolved).forward(convolved, operands.x, operands.weight, None)
    shuffled = way_of(case).forward(case, operands.x, operands.weight, None)
    assert torch.equal(shuffled, torch.nn.ChannelShuffle(8)(plain))
    assert shuffled.is_contiguous(memory_format=torch.channels_last)


def test_tiles_are_tried_out_before_anything_is_timed_and_can_be_read() -> None:
    case = Case(
        groups=32, in_channels=128, out_channels=128, batch=8, height=28, width=28,
        padding=(1, 1), dtype="bfloat16", memory_format="channels_last", direction="training",
    )  # fmt: skip
    method = Method(clock="cuda_events", cache_modes=("cold",), target=0.05)
    before = tiles.chosen()
    job = Job(case_id(case), "triton_implicit_gemm")
    record = Engine("cuda", method, load_table()).measure(Measure(job, 1))
    assert record.outcome == "measured", record.detail
    made = {key: choice for key, choice in tiles.chosen().items() if key not in before}
    kinds = {key[0] for key in made if isinstance(key, tuple)}
    assert kinds == {"output", "grad_input", "grad_weight"}
    for choice in made.values():
        assert not choice.failures
        assert choice.tile in {tile for tile, _ in choice.times_ms}
        assert all(took > 0 for _, took in choice.times_ms)


@pytest.mark.usefixtures("no_trials")
def test_launches_can_be_captured_in_a_graph() -> None:
    case = Case(
        groups=32, in_channels=128, out_channels=128, batch=2, height=14, width=14,
        padding=(1, 1), dtype="bfloat16",
    )  # fmt: skip
    operands = normal_operands(case, seed=0, device="cuda")
    launch = way_of(case).launch(case, operands)
    assert result_names(case) == ("output",)
    (expected,) = launch()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        (captured,) = launch()
    captured.zero_()
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(captured, expected)
