"""Streams, devices and graphs: right, ordered, and usable after a failure; devices are played."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, prepared_operands, prove, prove_again
from gconvbench.capture import Captured, capture, capture_stream
from gconvbench.cases import DIRECTIONS, Case
from gconvbench.failure import outcome_of
from gconvbench.implementations import BUILT_IN, Implementation
from gconvbench.implementations.block_diagonal import BlockDiagonal
from gconvbench.implementations.combinator import Combinator
from gconvbench.implementations.cuda_graph import CudaGraph
from gconvbench.implementations.native import Native
from gconvbench.implementations.native_channels_last import NativeChannelsLast
from gconvbench.implementations.split_devices import SplitDevices
from gconvbench.implementations.split_streams import SplitStreams
from gconvbench.operands import normal_operands
from tests.fake_cuda import FakeCuda, FakeStream, play_cuda

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

CASE = Case(
    groups=4, in_channels=8, out_channels=12, batch=2, height=7, width=6, padding=(1, 1), bias=True
)
CPU = torch.device("cpu")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCuda]:
    with play_cuda(monkeypatch) as played:
        yield played


def faults_of(one: Implementation, case: Case) -> tuple[str, ...]:
    """Before timing and after."""
    proof = Proof.of(case, device="cpu", seed=0)
    accuracy = prove(one, proof, thorough=True)
    assert {*accuracy.layouts.values()} == {"right"}
    operands = proof.operands.copy()
    with prepared_operands(one) as prepared:
        launch = one.launch(case, operands)
        launch()
    return accuracy.faults + prove_again(one, proof, launch, operands, prepared)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("count", [2, 3])
def test_split_devices_is_right_in_every_direction(count: int, groups: int, direction: str) -> None:
    case = replace(CASE, groups=groups, direction=direction)
    assert faults_of(SplitDevices(("cpu",) * count), case) == ()


def test_groups_are_spread_evenly_and_in_order_and_no_device_is_idle() -> None:
    operands = normal_operands(replace(CASE, groups=2), seed=0, device="cpu")

    def counts(devices: int, groups: int) -> list[int]:
        one = SplitDevices(("cpu",) * devices)
        shares = one._shares(replace(CASE, groups=groups), operands.weight, None)
        assert torch.equal(torch.cat([share.weight for share in shares]), operands.weight)
        return [share.groups for share in shares]

    assert counts(2, 2) == [1, 1]
    assert counts(3, 4) == [2, 1, 1]
    assert counts(3, 2) == [1, 1]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_weights_are_on_their_devices_before_the_first_launch(
    monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    """Only activations travel, and in the end the gradients of weights."""
    sent: list[int] = []
    to = torch.Tensor.to

    def watched(tensor: Tensor, *where: Any) -> Tensor:
        sent.append(tensor.dim() * tensor.shape[0])
        return to(tensor, *where)

    case = replace(CASE, batch=1, direction=direction)
    one = SplitDevices(("cpu", "cpu"))
    launch = one.launch(case, normal_operands(case, seed=0, device="cpu"))
    monkeypatch.setattr(torch.Tensor, "to", watched)
    launch()
    activation, half_a_weight, half_a_bias = 4, 4 * 6, 6
    gradients = [half_a_weight] * 2 + [half_a_bias] * 2
    assert (
        sent
        == {
            "fprop": [activation] * 4,
            "dgrad": [activation],
            "wgrad": gradients,
            "training": [activation] * 5 + gradients,
        }[direction]
    )


@pytest.mark.parametrize(
    ("devices", "groups", "device", "reason"),
    [
        ((), 2, "cpu", "groups are split over CUDA devices"),
        ((), 2, "cuda", "needs 2 devices, there is 1"),
        (("cpu",), 2, "cpu", "needs 2 devices, there is 1"),
        (("cpu", "cpu"), 2, "cuda", "begins on cpu, not on cuda"),
        (("cpu", "cpu"), 1, "cpu", "with groups=1 this would be native once more"),
        (("cpu", "cpu"), 2, "cpu", None),
        (("cuda:0", "cuda:1"), 2, "cuda", None),
    ],
)
def test_split_devices_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
    devices: tuple[str, ...],
    groups: int,
    device: str,
    reason: str | None,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    case = replace(CASE, groups=groups)
    assert SplitDevices(devices).why_unsupported(case, device) == reason


def test_all_cuda_devices_are_taken_the_one_under_test_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    found = SplitDevices()._devices_from(torch.device("cuda", 1))
    assert [one.index for one in found] == [1, 0, 2]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("streams", [1, 3, 8])
def test_split_streams_is_right_in_every_direction(
    cuda: FakeCuda, streams: int, direction: str
) -> None:
    assert faults_of(SplitStreams(streams), replace(CASE, direction=direction)) == ()


def test_groups_take_turns_on_streams_that_wait_and_are_waited_for(
    cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[FakeStream] = []
    convolve, concatenate = torch.nn.functional.conv2d, torch.cat

    def convolve_here(*operands: Any) -> Tensor:
        assert cuda.current.has_waited_for(cuda.outside)
        cuda.current.done += 1
        used.append(cuda.current)
        return convolve(*operands)

    def concatenate_here(*operands: Any, **options: Any) -> Tensor:
        assert cuda.current is cuda.outside
        assert all(cuda.outside.has_waited_for(stream) for stream in used)
        return concatenate(*operands, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", convolve_here)
    monkeypatch.setattr(torch, "cat", concatenate_here)
    operands = normal_operands(CASE, seed=0, device="cpu")
    launch = SplitStreams(3).launch(CASE, operands)
    cuda.outside.done += 1
    launch()
    first, second, third, fourth = used
    assert first is fourth
    assert len({first, second, third, cuda.outside}) == 4
    launch()
    assert used[:4] == used[4:]
    assert operands.bias is not None
    given = {one.data_ptr() for one in (operands.x, operands.weight, operands.bias)}
    assert all(given <= cuda.lent[stream] for stream in (first, second, third))
    assert len(cuda.lent[cuda.outside]) >= 4  # what the groups left on streams of their own


@pytest.mark.parametrize(
    ("groups", "device", "reason"),
    [
        (2, "cpu", "streams need a CUDA device"),
        (1, "cuda", "with groups=1 this would be split_concat once more"),
        (2, "cuda:1", None),
    ],
)
def test_split_streams_needs_cuda_and_groups(groups: int, device: str, reason: str | None) -> None:
    assert SplitStreams().why_unsupported(replace(CASE, groups=groups), device) == reason


def test_other_numbers_of_streams_have_other_names() -> None:
    assert [SplitStreams().name, SplitStreams(2).name] == ["split_streams", "split_streams_2"]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("inner", [Native(), NativeChannelsLast(), BlockDiagonal(), SplitStreams()])
def test_a_captured_implementation_is_right_and_reads_its_operands_anew(
    cuda: FakeCuda, inner: Implementation, direction: str
) -> None:
    """Also where it has prepared copies of them."""
    assert faults_of(CudaGraph(inner), replace(CASE, direction=direction)) == ()
    assert cuda.captures


class Stuck(CudaGraph):
    """Hands out what was captured without replaying it."""

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        launch: Any = super().launch_prepared(case, ready)
        return lambda: launch.__self__.results


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_results_that_are_not_replayed_are_found_out(direction: str) -> None:
    case = replace(CASE, direction=direction)
    proof = Proof.of(case, device="cpu", seed=0)
    one, operands = Stuck(Native()), proof.operands.copy()
    with prepared_operands(one) as prepared:
        launch = one.launch(case, operands)
        launch()
    assert prove_again(one, proof, launch, operands, prepared)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_everything_autograd_follows_is_enqueued_on_the_stream_that_captures(
    cuda: FakeCuda, direction: str
) -> None:
    streams: set[FakeStream] = set()

    class Watching(Native):
        def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            streams.add(cuda.current)
            return super().forward(case, x, weight, bias)

    case = replace(CASE, direction=direction)
    cuda.outside.done += 1
    launch = CudaGraph(Watching()).launch(case, normal_operands(case, seed=0, device="cpu"))
    (stream,) = streams
    assert stream is not cuda.outside
    assert stream.has_waited_for(cuda.outside)
    assert cuda.outside.has_waited_for(stream)
    assert cuda.current is cuda.outside
    launch()
    assert streams == {stream}  # a replay runs nothing of it
    assert len(cuda.captures) == 1


@pytest.mark.usefixtures("cuda")
def test_launches_with_operands_of_their_own_take_turns_in_a_graph() -> None:
    """The first ones warm up."""
    called: list[int] = []
    operands = [torch.full((1,), float(number)) for number in range(3)]

    def launch_of(number: int) -> Launch:
        def launch() -> tuple[Tensor, ...]:
            called.append(number)
            return (operands[number] * 2,)

        return launch

    captured = capture([launch_of(number) for number in range(3)], calls=5, device=CPU)
    assert called[-5:] == [0, 1, 2, 0, 1]
    assert {*called[:-5]} == {0, 1, 2}
    operands[1].fill_(7.0)
    (result,) = captured.replay()
    assert result.item() == 14.0
    assert len(called) == 9 + 5


SPOILT = "CUDA error: operation failed due to a previous error during capture"
"""What torch says when a capture cannot be ended."""


@pytest.mark.parametrize(
    ("error", "told", "outcome"),
    [
        (RuntimeError("CUDA error: not permitted when stream is capturing\nand so on"),
         "cannot be captured in a CUDA graph: CUDA not permitted when stream is capturing",
         "failed"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
         "cannot be captured in a CUDA graph: cuDNN CUDNN_STATUS_EXECUTION_FAILED", "failed"),
        (torch.OutOfMemoryError("CUDA out of memory"), "CUDA out of memory", "out_of_memory"),
        (ValueError("odd"), "odd", "failed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_failed_capture_says_why_and_leaves_the_device_usable(
    cuda: FakeCuda, error: Exception, told: str, outcome: str, *, is_lost: bool
) -> None:
    def launch() -> tuple[Tensor, ...]:
        if cuda.captures:
            raise error
        return (torch.ones(1),)

    cuda.why_not = RuntimeError(SPOILT) if is_lost else None
    with pytest.raises(type(error), match=re.escape(told)) as raised, capture_stream(CPU):
        capture([launch], calls=1, device=CPU)
    assert str(raised.value) == told
    assert outcome_of(raised.value) == outcome
    assert cuda.current is cuda.outside
    if is_lost or isinstance(error, RuntimeError):
        assert cuda.abandoned == [(0, (0, 1))]
    cuda.why_not = None
    cuda.captures.clear()
    assert isinstance(capture([lambda: (torch.ones(1),)], calls=1, device=CPU), Captured)


def test_a_device_that_is_lost_while_capturing_is_said_to_be(
    cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    def synchronize(_: object = None) -> None:
        message = "CUDA error: an illegal memory access was encountered"
        raise RuntimeError(message)

    cuda.why_not = RuntimeError(SPOILT)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    with pytest.raises(RuntimeError, match="illegal memory access") as raised:
        capture([lambda: (torch.ones(1),)], calls=1, device=CPU)
    assert outcome_of(raised.value) == "crashed"


def test_a_combinator_is_in_everything_else_as_its_inner_one() -> None:
    inner = BlockDiagonal()
    for one in (CudaGraph(inner), Combinator(inner)):
        assert one.operations == inner.operations
        assert one.executed_flops(CASE) == inner.executed_flops(CASE)
        assert one.roundings(CASE, "grad_input", "cpu") == inner.roundings(
            CASE, "grad_input", "cpu"
        )
        whole = replace(CASE, groups=1)
        assert one.why_unsupported(whole, "cuda") == inner.why_unsupported(whole, "cuda")
    assert CudaGraph(inner).why_unsupported(CASE, "cpu") == "CUDA graphs need a CUDA device"


def test_an_implementation_with_launches_of_its_own_cannot_be_combined() -> None:
    class Own(Native):
        def launch(self, case: Case, operands: Operands) -> Launch:
            return super().launch(case, operands)

    with pytest.raises(TypeError, match="native overrides launch; to be combined it has"):
        CudaGraph(Own())


def test_what_is_a_graph_or_on_several_devices_is_not_captured_for_the_view_of_graphs() -> None:
    assert CudaGraph(Native()).why_not_captured == "it is a graph already"
    assert SplitDevices().why_not_captured
    assert Combinator(SplitDevices()).why_not_captured == SplitDevices().why_not_captured
    assert SplitStreams().why_not_captured is None


def test_the_table_has_the_ways_of_a_gpu() -> None:
    by_name = {one.name: one for one in BUILT_IN}
    for name in ("split_streams", "cuda_graph_native", "cuda_graph_split_concat",
                 "cuda_graph_split_streams"):  # fmt: skip
        assert not by_name[name].on_request
    assert by_name["split_devices"].on_request
