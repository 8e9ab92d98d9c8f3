"""What only a CUDA device can show. Skipped, and said to be, where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
import torch

import gconvbench
from gconvbench.accuracy import Proof, prove
from gconvbench.cases import DIRECTIONS, Case, case_id
from gconvbench.device import set_math_mode
from gconvbench.engine import Engine
from gconvbench.environment import read_environment
from gconvbench.implementations import (
    BUILT_IN,
    BUILT_IN_SOURCE,
    Table,
    load_table,
    why_unsupported,
)
from gconvbench.implementations.native import Native
from gconvbench.protocol import Measure, SeeKernels
from gconvbench.records import CACHE_MODES, Job, Method

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

METHOD = Method(clock="cuda_events", cache_modes=CACHE_MODES, target=0.01)
SMALL = Case(groups=4, in_channels=64, out_channels=64, batch=8, height=28, width=28)
SOURCES = dict.fromkeys(("waiting", "native"), BUILT_IN_SOURCE)


class Waiting(Native):
    """Waits for the device, which nothing that is captured may do."""

    name = "waiting"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        torch.cuda.synchronize()
        return y


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
def test_every_implementation_is_right(operation: str, dtype: str, direction: str) -> None:
    case = Case(
        operation=operation, groups=4, in_channels=64, out_channels=64, padding=(1, 1), bias=True,
        dtype=dtype, direction=direction,
    )  # fmt: skip
    set_math_mode(case.math_mode, "cuda")
    proof = Proof.of(case, device="cuda", seed=0)
    proved = set()
    for implementation in BUILT_IN:  # those left out here have tests of their own
        if not implementation.on_request and not why_unsupported(implementation, case, "cuda"):
            assert not prove(implementation, proof).faults, implementation.name
            proved.add(implementation.name)
    expected = {"native", "cuda_graph_native"}
    assert proved >= expected | (
        {"split_concat", "split_streams"} if operation == "conv" else set()
    )


@pytest.mark.alone
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_job_is_timed_in_all_views(direction: str) -> None:
    engine = Engine("cuda", METHOD, load_table())
    case = Case(
        groups=32, in_channels=128, out_channels=128, batch=32, height=56, width=56,
        direction=direction,
    )  # fmt: skip
    record = engine.measure(Measure(Job(case_id(case), "native"), 1))
    assert record.outcome == "measured", record.detail
    assert record.left_out == {}
    cold, hot, graph, as_called = record.timings
    assert [one.cache_mode for one in record.timings] == list(CACHE_MODES)
    assert "host_bound" not in {*cold.labels, *hot.labels, *graph.labels}
    l2_bytes = torch.cuda.get_device_properties("cuda").L2_cache_size
    assert cold.clock is not None
    assert hot.clock is not None
    assert graph.clock is not None
    assert cold.clock.flush_bytes >= 2 * l2_bytes
    assert 0 < hot.clock.tick_s <= 1e-6
    assert hot.clock.empty_s > 0
    assert hot.clock.tried >= len(hot.samples_s)
    assert graph.launches_per_sample >= 20
    assert as_called.clock is None


def test_a_failed_capture_leaves_the_process_usable() -> None:
    engine = Engine("cuda", METHOD, Table({"waiting": Waiting(), "native": Native()}, SOURCES))
    job = Job(case_id(SMALL), "waiting")
    record = engine.measure(Measure(job, 1))
    assert record.outcome == "measured", record.detail
    assert list(record.left_out) == ["graph"]
    after = engine.measure(Measure(Job(case_id(SMALL), "native"), 1))
    assert after.left_out == {}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_kernels_are_seen_with_counts_and_shares(direction: str) -> None:
    engine = Engine("cuda", METHOD, load_table())
    case = msgspec.structs.replace(SMALL, direction=direction)
    seen = {}
    for name in ("native", "split_concat"):
        line = engine.see_kernels(SeeKernels(Job(case_id(case), name), 1))
        assert not line.detail
        assert line.dispatch.kernels
        assert sum(line.dispatch.shares.values()) == pytest.approx(1.0, abs=0.01)
        seen[name] = line.dispatch.kernel_launches or 0
    assert seen["split_concat"] > seen["native"]


def test_kernels_are_the_same_when_they_are_looked_at_again() -> None:
    engine = Engine("cuda", METHOD, load_table())
    lines = [engine.see_kernels(SeeKernels(Job(case_id(SMALL), "native"), 1)) for _ in range(2)]
    assert lines[0].dispatch.counts == lines[1].dispatch.counts


def test_backends_and_operators_are_named_without_the_profiler_of_the_device() -> None:
    engine = Engine("cuda", METHOD, load_table())
    record = engine.measure(Measure(Job(case_id(SMALL), "native"), 1))
    assert record.dispatch is not None
    assert record.dispatch.backends == ("Cudnn",)
    assert "aten::cudnn_convolution" in record.dispatch.operators
    assert record.dispatch.kernels == ()


def test_the_peak_of_a_launch_is_at_least_its_results_and_clocks_are_read() -> None:
    record = Engine("cuda", METHOD, load_table()).measure(Measure(Job(case_id(SMALL), "native"), 1))
    assert record.memory is not None
    assert record.memory.peak_bytes is not None
    assert record.memory.peak_bytes >= record.memory.result_bytes > 0
    telemetry = record.timings[0].telemetry
    assert telemetry is not None
    assert telemetry.device["after"]["sm_clock_mhz"]
    assert telemetry.device["after"]["compute_processes"] is not None


def test_tf32_passes_its_own_limit_and_not_that_of_ieee() -> None:
    case = Case(math_mode="tf32", batch=8, in_channels=256, out_channels=256)
    record = Engine("cuda", METHOD, load_table()).measure(Measure(Job(case_id(case), "native"), 1))
    assert record.outcome == "measured", record.detail
    assert record.accuracy is not None
    (output,) = record.accuracy.tensors
    assert output.precision == "tf32"
    ieee = case_id(msgspec.structs.replace(case, math_mode="ieee"))
    other = Engine("cuda", METHOD, load_table()).measure(Measure(Job(ieee, "native"), 1))
    assert other.accuracy is not None
    assert output.error is not None
    assert output.error > other.accuracy.tensors[0].limit


def test_the_fingerprint_names_the_card_and_the_driver() -> None:
    environment = read_environment("cuda", threads=1)
    assert environment.identity["device_name"] == torch.cuda.get_device_name()
    assert environment.under_test["driver"]


def test_tf32_that_answers_an_ieee_request_is_named() -> None:
    case = Case(batch=4, in_channels=256, out_channels=256, padding=(1, 1))
    set_math_mode("ieee", "cuda")
    proof = Proof.of(case, device="cuda", seed=0)
    set_math_mode("tf32", "cuda")
    try:
        accuracy = prove(BUILT_IN[0], proof)
    finally:
        set_math_mode("ieee", "cuda")
    assert accuracy.tensors[0].precision == "tf32"
    assert "the precision of tf32, where ieee was asked for" in accuracy.faults[0]


def test_large_problems_are_witnessed_and_sampled_on_the_device() -> None:
    case = Case(
        groups=32, batch=32, in_channels=256, out_channels=256, height=56, width=56,
        padding=(1, 1), direction="training", bias=True, dtype="bfloat16",
    )  # fmt: skip
    proof = Proof.of(case, device="cuda", seed=0)
    output = proof.expected["output"]
    assert output.sums is not None
    assert output.places is None
    assert output.settled(torch.zeros(case.output_shape, device="cuda")) is output
    assert not prove(BUILT_IN[0], proof, thorough=True).faults


def test_a_module_is_measured_in_place_where_it_is_and_settings_are_left() -> None:
    module = torch.nn.Conv2d(8, 8, 3, groups=2, device="cuda")
    torch.backends.cudnn.benchmark = True
    state = torch.cuda.get_rng_state()
    try:
        table = gconvbench.bench(module, input_shape=(2, 8, 9, 9), implementations="native")
        assert torch.backends.cudnn.benchmark
    finally:
        torch.backends.cudnn.benchmark = False
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert list(table.frame["cache_mode"]) == ["cold", "hot", "as_called"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_layer_is_explained_where_it_is(dtype: str) -> None:
    layer = torch.nn.Conv2d(64, 128, 3, padding=1, groups=4, device="cuda").to(
        getattr(torch, dtype)
    )
    found = gconvbench.explain(layer, input_shape=(2, 64, 14, 14))

    assert not found.is_wrong
    assert found.sees[0] == list(range(16))
    assert found.explanation.native.operators
    assert found.explanation.native.kernels
