"""Streams, devices, graphs, compilers and modes on a CUDA device; skipped where there is none."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, prepared_operands, prove, prove_again
from gconvbench.capture import capture, capture_stream
from gconvbench.cases import DIRECTIONS, Case, case_id
from gconvbench.device import set_math_mode
from gconvbench.engine import Engine
from gconvbench.implementations import (
    BUILT_IN,
    Implementation,
    Table,
    load_table,
    result_names,
    why_unsupported,
)
from gconvbench.implementations.cuda_graph import CudaGraph
from gconvbench.implementations.native import Native
from gconvbench.implementations.split_concat import SplitConcat
from gconvbench.implementations.split_devices import SplitDevices
from gconvbench.implementations.split_streams import SplitStreams
from gconvbench.operands import normal_operands
from gconvbench.planning import make_method, modes_of
from gconvbench.protocol import Measure
from gconvbench.records import Job, Method, Plan, PlannedCase
from gconvbench.runner import run_apart
from tests.functional.conftest import children

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from gconvbench.records import KernelLine, Record

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

CASE = Case(
    groups=16, in_channels=64, out_channels=64, batch=4, height=20, width=20, padding=(1, 1),
    bias=True,
)  # fmt: skip
METHOD = Method(clock="cuda_events", cache_modes=("cold", "hot"), target=0.05)
QUEUED = 40
"""Launches that are enqueued while the device is kept busy."""


def faults_of(one: Implementation, case: Case) -> tuple[str, ...]:
    """Before timing and after."""
    set_math_mode(case.math_mode, "cuda")
    proof = Proof.of(case, device="cuda", seed=0)
    faults = prove(one, proof).faults
    operands = proof.operands.copy()
    with prepared_operands(one) as prepared:
        launch = one.launch(case, operands)
        launch()
    return faults + prove_again(one, proof, launch, operands, prepared)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "one",
    [
        SplitStreams(),
        SplitStreams(3),
        CudaGraph(Native()),
        CudaGraph(SplitConcat()),
        CudaGraph(SplitStreams()),
        SplitDevices(("cuda:0", "cuda:0")),
    ],
    ids=lambda one: one.name,
)
def test_each_way_is_right_and_reads_its_operands_anew(
    one: Implementation, dtype: str, direction: str
) -> None:
    assert faults_of(one, replace(CASE, dtype=dtype, direction=direction)) == ()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_streams_wait_for_each_other_while_the_device_lags_behind(direction: str) -> None:
    """Operands are written, read and overwritten, and results freed, all in the queue."""
    case = replace(CASE, direction=direction)
    set_math_mode(case.math_mode, "cuda")
    one, other = SplitStreams(), SplitConcat()
    operands = normal_operands(case, seed=0, device="cuda")
    launch, expected_of = one.launch(case, operands), other.launch(case, operands)
    changed = operands.x if direction in {"fprop", "training"} else operands.grad_output
    expected: list[tuple[Tensor, ...]] = []
    for _ in range(QUEUED):
        with torch.no_grad():
            changed.mul_(-1.03125)
        torch.cuda.synchronize()
        expected.append(tuple(result.clone() for result in expected_of()))
        torch.cuda.synchronize()
    with torch.no_grad():
        changed.copy_(_first_of(case, changed))
    launch()
    torch.cuda.synchronize()
    torch.cuda._sleep(200_000_000)
    found: list[tuple[Tensor, ...]] = []
    for _ in range(QUEUED):
        with torch.no_grad():
            changed.mul_(-1.03125)
        launch()  # its results are freed at once, for the next one to take
        found.append(tuple(result.clone() for result in launch()))
    torch.cuda.synchronize()
    for ours, theirs in zip(found, expected, strict=True):
        for name, result, right in zip(result_names(case), ours, theirs, strict=True):
            torch.testing.assert_close(
                result, right, rtol=1e-3, atol=1e-3 * float(right.abs().max()), msg=name
            )


def _first_of(case: Case, changed: Tensor) -> Tensor:
    """The operand as it was drawn."""
    drawn = normal_operands(case, seed=0, device="cuda")
    return drawn.x if case.direction in {"fprop", "training"} else drawn.grad_output


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_replay_is_ordered_with_the_work_around_it(direction: str) -> None:
    case = replace(CASE, direction=direction)
    set_math_mode(case.math_mode, "cuda")
    operands = normal_operands(case, seed=0, device="cuda")
    launch = CudaGraph(Native()).launch(case, operands)
    first = tuple(result.clone() for result in launch())
    changed = operands.x if direction in {"fprop", "training"} else operands.grad_output
    torch.cuda._sleep(100_000_000)
    with torch.no_grad():
        changed.zero_()
    results = launch()
    copies = tuple(result.clone() for result in results)
    again = launch()
    torch.cuda.synchronize()
    assert [one.data_ptr() for one in again] == [one.data_ptr() for one in results]
    moved = "output" if direction in {"fprop", "training"} else result_names(case)[0]
    index = result_names(case).index(moved)
    assert torch.count_nonzero(first[index])
    shown = copies[index] - (operands.bias.view(-1, 1, 1) if moved == "output" else 0)  # type: ignore[union-attr]
    assert float(shown.abs().max()) < 1e-5


def test_a_graph_of_many_launches_leaves_the_results_of_the_last() -> None:
    set_math_mode("ieee", "cuda")
    operands = [normal_operands(CASE, seed=seed, device="cuda") for seed in range(3)]
    device = operands[0].x.device
    one = Native()
    with capture_stream(device):
        launches = [one.launch(CASE, some) for some in operands]
    captured = capture(launches, calls=20, device=device)
    (result,) = captured.replay()
    (expected,) = one.launch(CASE, operands[19 % 3])()
    torch.testing.assert_close(result, expected)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


class Asking(Native):
    """Waits for the device, which no graph can hold."""

    name = "asking"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        return y if y.sum().item() != 1.5 else y + 1


def test_a_capture_that_fails_leaves_the_process_usable() -> None:
    set_math_mode("ieee", "cuda")
    operands = normal_operands(CASE, seed=0, device="cuda")
    with pytest.raises(RuntimeError, match=r"^cannot be captured in a CUDA graph: ") as raised:
        CudaGraph(Asking()).launch(CASE, operands)
    assert "\n" not in str(raised.value)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    del raised
    assert torch.isfinite(torch.randn(1000, device="cuda")).all()  # the generator is not captured
    assert faults_of(CudaGraph(Native()), CASE) == ()


class Hoarding(Asking):
    """Takes 64 MiB within the capture before it fails."""

    name = "hoarding"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        taken = torch.empty(64 << 20, dtype=torch.uint8, device=x.device)
        y = super().forward(case, x, weight, bias)
        del taken
        return y


def test_captures_that_fail_give_their_memory_back() -> None:
    operands = normal_operands(CASE, seed=0, device="cuda")

    def reserved_after_failing() -> int:
        with pytest.raises(RuntimeError, match=r"^cannot be captured"):
            CudaGraph(Hoarding()).launch(CASE, operands)
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        return int(torch.cuda.memory_reserved())

    first = reserved_after_failing()
    assert max(reserved_after_failing() for _ in range(10)) <= first


def test_one_that_cannot_be_captured_costs_one_record_and_no_process() -> None:
    table = load_table()
    graph = CudaGraph(Asking())
    table.implementations[graph.name], table.sources[graph.name] = graph, "test"
    engine = Engine("cuda", METHOD, table)
    record = engine.measure(Measure(Job(case_id(CASE), graph.name), 1))
    assert record.outcome == "failed", record.detail
    assert "cannot be captured in a CUDA graph" in record.detail
    record = engine.measure(Measure(Job(case_id(CASE), "cuda_graph_native"), 1))
    assert record.outcome == "measured", record.detail


@pytest.mark.parametrize(
    "name", ["split_streams", "cuda_graph_native", "cuda_graph_split_concat",
             "cuda_graph_split_streams"],
)  # fmt: skip
@pytest.mark.parametrize("direction", ["fprop", "training"])
def test_each_way_is_timed(name: str, direction: str) -> None:
    case = replace(CASE, direction=direction)
    record = Engine("cuda", METHOD, load_table()).measure(Measure(Job(case_id(case), name), 1))
    assert record.outcome == "measured", record.detail
    assert all(timing.median_s > 0 for timing in record.timings)


COMPILED = [one for one in BUILT_IN if one.is_compiled]


@pytest.mark.filterwarnings("ignore")  # Inductor's own
@pytest.mark.parametrize(
    ("name", "direction", "fields"),
    [
        ("compiled_native", "training", {"dtype": "float32", "memory_format": "channels_last"}),
        ("compiled_native", "fprop", {"dtype": "float32", "math_mode": "tf32"}),
        ("compiled_split_concat", "training", {"dtype": "bfloat16"}),
        ("compiled_depthwise_mac", "training", {"dtype": "bfloat16"}),
    ],
)
def test_a_compiled_one_is_compiled_and_right(
    name: str, direction: str, fields: dict[str, Any]
) -> None:
    one: Any = next(one for one in COMPILED if one.name == name)
    case = replace(CASE, groups=4, in_channels=16, out_channels=16, direction=direction, **fields)
    if one.name == "compiled_depthwise_mac":
        case = replace(case, groups=16)
    if reason := why_unsupported(one, case, "cuda"):
        pytest.skip(reason)
    assert faults_of(one, case) == ()
    assert case in one._compiled


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device")
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_groups_on_all_devices_are_right_and_in_order(direction: str) -> None:
    case = replace(CASE, direction=direction)
    one = SplitDevices()
    assert why_unsupported(one, case, "cuda") is None
    assert faults_of(one, case) == ()
    record = Engine("cuda", METHOD, Table({one.name: one}, {one.name: "built in"})).measure(
        Measure(Job(case_id(case), one.name), 1)
    )
    assert record.outcome == "measured", record.detail


class Looking:
    """Notes which of this process's children live when a record arrives."""

    def __init__(self) -> None:
        self.workers: dict[str, frozenset[int]] = {}

    def job_started(self, job: Job, number: int) -> None:
        """Nothing to see."""

    def kernels_seen(self, line: KernelLine) -> None:
        """Nothing to see."""

    def job_done(self, record: Record) -> None:
        self.workers[record.job.implementation] = frozenset(children(os.getpid()))


def test_each_mode_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    modes = [one for one in BUILT_IN if one.modes and "onednn_enabled" not in one.modes]
    names = ("native", *(one.name for one in modes))
    case = replace(CASE, groups=64, dtype="float16")
    before = frozenset(children(os.getpid()))

    def plan_of(known: Any) -> Plan:
        planned = (PlannedCase(case_id(case)),)
        return Plan(cases=planned, implementations=names, rounds=1, modes=modes_of(names, known))

    observer = Looking()
    method = make_method("cuda", target=0.05)
    run = run_apart("cuda", method, plan_of, tmp_path, timeout_s=120.0, observer=observer)
    has_choice = hasattr(torch.backends.cudnn, "depthwise_kernel")
    for record in run.records:
        is_there = has_choice or "depthwise" not in record.job.implementation
        assert record.outcome == ("measured" if is_there else "unsupported"), record.detail
        if not is_there:
            assert "has no torch.backends.cudnn.depthwise_kernel" in record.detail
    workers = {name: pids - before for name, pids in observer.workers.items()}
    assert all(len(pids) == 1 for pids in workers.values())
    assert len(set(workers.values())) == len(workers) == (6 if has_choice else 4)


@pytest.mark.skipif(
    not hasattr(torch.backends.cudnn, "depthwise_kernel"),
    reason="this torch has no torch.backends.cudnn.depthwise_kernel",
)
def test_the_choice_of_depthwise_kernels_is_taken() -> None:
    """PyTorch's own kernels and cuDNN's have other names."""
    case = replace(CASE, groups=64, dtype="float16")
    operands = normal_operands(case, seed=0, device="cuda")
    launch = Native().launch(case, operands)
    seen: dict[str, bool] = {}
    for kind in ("cudnn", "native"):
        torch.backends.cudnn.depthwise_kernel = kind
        try:
            launch()
            torch.cuda.synchronize()
            with torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CPU]
            ) as profile:
                launch()
                torch.cuda.synchronize()
        finally:
            torch.backends.cudnn.depthwise_kernel = "auto"
        operators = {event.name for event in profile.events() or ()}
        seen[kind] = "aten::cudnn_convolution" in operators
    assert seen == {"cudnn": True, "native": False}
