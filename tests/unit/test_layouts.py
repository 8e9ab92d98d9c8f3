"""Operands that lie otherwise in memory: what they are, and what is said of implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch

from gconvbench.accuracy import Proof, layouts, proof, prove
from gconvbench.accuracy.layouts import LAYOUTS, check_layouts
from gconvbench.cases import DIRECTIONS, MEMORY_FORMATS, OPERATIONS, Case
from gconvbench.implementations.native import Native
from gconvbench.operands import normal_operands
from gconvbench.records import RIGHT

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

CASE = Case(groups=2, batch=2, in_channels=6, out_channels=4, height=6, width=5, bias=True)
ALL = [*LAYOUTS, "expanded", "batch 0"]


@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_has_the_same_values_and_other_strides(layout: str, memory_format: str) -> None:
    case = msgspec.structs.replace(CASE, memory_format=memory_format)
    plain = normal_operands(case, seed=0, device="cpu").named()
    changed = layouts._laid_out(normal_operands(case, seed=0, device="cpu"), LAYOUTS[layout])
    assert {*plain} == {"x", "weight", "bias", "grad_output"}
    for name, after in changed.named().items():
        assert torch.equal(after, plain[name])
        assert after.dtype == plain[name].dtype
        assert after.stride() != plain[name].stride(), name


def test_the_layers_behind_a_shuffle_are_laid_out_too() -> None:
    case = msgspec.structs.replace(CASE, operation="conv_shuffle_depthwise")
    plain = normal_operands(case, seed=0, device="cpu")
    changed = layouts._laid_out(plain, LAYOUTS["step 2"])
    for before, after in zip(plain.following, changed.following, strict=True):
        assert torch.equal(after, before)
        assert after.stride() != before.stride()


@pytest.mark.parametrize("layout", ["sliced", "step 2"])
def test_a_part_of_something_larger_has_gaps(layout: str) -> None:
    tensor = torch.randn(2, 6, 5, 4)
    part = LAYOUTS[layout](tensor)
    assert part.untyped_storage().nbytes() > tensor.nbytes
    assert not part.is_contiguous()


def test_the_other_memory_format_is_the_one_that_the_operand_has_not() -> None:
    plain = torch.randn(2, 6, 5, 4)
    nhwc = LAYOUTS["other memory format"](plain)
    assert nhwc.is_contiguous(memory_format=torch.channels_last)
    assert LAYOUTS["other memory format"](nhwc).is_contiguous()


def test_expanded_images_are_one_image_with_a_stride_of_zero() -> None:
    plain = normal_operands(CASE, seed=0, device="cpu")
    expanded = layouts._expanded(plain)
    for name in ("x", "grad_output"):
        before, after = plain.named()[name], expanded.named()[name]
        assert after.shape == before.shape
        assert after.stride(0) == 0
        assert torch.equal(after[1], before[0])
    assert torch.equal(expanded.weight, plain.weight)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_native_is_right_on_every_layout(operation: str, direction: str) -> None:
    case = msgspec.structs.replace(CASE, operation=operation, direction=direction)
    found = check_layouts(Native(), Proof.of(case, device="cpu", seed=0))
    assert found == dict.fromkeys(ALL, RIGHT)


class Choosy(Native):
    """Native, but for input on which `concerns` says yes."""

    name = "choosy"

    def concerns(self, x: Tensor) -> bool:
        raise NotImplementedError

    def spoil(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        return self.spoil(y) if self.concerns(x) else y


class WrongOnSlices(Choosy):
    """One per cent too large where the input is not contiguous in either memory format."""

    def concerns(self, x: Tensor) -> bool:
        is_nhwc = x.is_contiguous(memory_format=torch.channels_last)
        return not x.is_contiguous() and not is_nhwc

    def spoil(self, y: Tensor) -> Tensor:
        return y * 1.01


class NotANumberOnExpanded(Choosy):
    """As if it wrote where the input of stride 0 lies."""

    def concerns(self, x: Tensor) -> bool:
        return 0 in x.stride()

    def spoil(self, y: Tensor) -> Tensor:
        return y * torch.nan


class RaisingOnChannelsLast(Choosy):
    """As `Tensor.view` does."""

    def concerns(self, x: Tensor) -> bool:
        return not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)

    def spoil(self, y: Tensor) -> Tensor:
        message = "view size is not compatible\nwith strides"
        raise RuntimeError(message)


class RaisingOnNothing(Choosy):
    """Divides by the number of images."""

    def concerns(self, x: Tensor) -> bool:
        return len(x) == 0

    def spoil(self, y: Tensor) -> Tensor:
        raise ZeroDivisionError


class WrongShapeOnSlices(WrongOnSlices):
    """Forgets a row."""

    def spoil(self, y: Tensor) -> Tensor:
        return y[:, :, 1:]


def test_one_that_raises_on_a_layout_is_labelled_and_still_right() -> None:
    accuracy = prove(RaisingOnChannelsLast(), Proof.of(CASE, device="cpu", seed=0), thorough=True)
    expected = dict.fromkeys(ALL, RIGHT)
    assert accuracy.layouts == expected | {
        "other memory format": "raises RuntimeError: view size is not compatible"
    }
    assert not accuracy.faults


def test_one_that_is_wrong_on_a_layout_is_wrong() -> None:
    accuracy = prove(WrongOnSlices(), Proof.of(CASE, device="cpu", seed=0), thorough=True)
    wrong = [name for name, label in accuracy.layouts.items() if label.startswith("wrong")]
    assert wrong == ["sliced", "step 2", "transposed", "expanded"]
    assert accuracy.faults[0].startswith("on sliced operands wrong: output is off by 0.0")
    assert len(accuracy.faults) == 4


@pytest.mark.parametrize(
    ("implementation", "layout", "label"),
    [
        (NotANumberOnExpanded(), "expanded", "wrong: output is off by inf, limit "),
        (WrongShapeOnSlices(), "sliced", "wrong: output has shape (2, 4, 3, 3)"),
        (RaisingOnNothing(), "batch 0", "raises ZeroDivisionError: "),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_happened_is_said(implementation: Choosy, layout: str, label: str) -> None:
    found = check_layouts(implementation, Proof.of(CASE, device="cpu", seed=0))
    assert found.pop(layout).startswith(label)
    if not isinstance(implementation, WrongShapeOnSlices):
        assert set(found.values()) == {RIGHT}


def test_a_long_message_is_cut_to_a_line() -> None:
    class Talkative(RaisingOnNothing):
        def spoil(self, y: Tensor) -> Tensor:
            raise ValueError("x" * 500 + "\n" + "y" * 500)

    label = check_layouts(Talkative(), Proof.of(CASE, device="cpu", seed=0))["batch 0"]
    assert label.startswith("raises ValueError: xxx")
    assert len(label) == 120


class OfNothing(Native):
    """Native, except for what it returns of no image."""

    name = "of_nothing"

    def __init__(self, index: int, result: Any) -> None:
        self._index, self._result = index, result

    def launch(self, case: Case, operands: Operands) -> Launch:
        launch = super().launch(case, operands)
        if len(operands.x):
            return launch

        def of_nothing() -> tuple[Tensor, ...]:
            results = list(launch())
            results[self._index] = self._result
            return tuple(results)

        return of_nothing


@pytest.mark.parametrize(
    ("index", "result", "label"),
    [
        (
            0,
            torch.zeros(1, 4, 4, 3),
            "wrong: output has shape (1, 4, 4, 3) instead of (0, 4, 4, 3)",
        ),
        (1, torch.zeros(0, 6, 6), "wrong: grad_input has shape (0, 6, 6) instead of (0, 6, 6, 5)"),
        (2, torch.full((4, 3, 3, 3), 1e-9), "wrong: grad_weight is not zero"),
        (2, torch.full((4, 3, 3, 3), torch.nan), "wrong: grad_weight is not zero"),
        (3, torch.ones(4), "wrong: grad_bias is not zero"),
        (3, torch.zeros(4), RIGHT),
    ],
)
def test_of_no_image_results_are_empty_and_gradients_zero(
    index: int, result: Tensor, label: str
) -> None:
    case = msgspec.structs.replace(CASE, direction="training")
    found = check_layouts(OfNothing(index, result), Proof.of(case, device="cpu", seed=0))
    assert found["batch 0"] == label


def test_layouts_are_looked_at_only_where_that_was_asked_for() -> None:
    assert prove(WrongOnSlices(), Proof.of(CASE, device="cpu", seed=0)).layouts == {}


def test_layouts_of_one_that_takes_long_to_prepare_are_not_looked_at() -> None:
    class Slow(WrongOnSlices):
        is_compiled = True

    accuracy = prove(Slow(), Proof.of(CASE, device="cpu", seed=0), thorough=True)
    assert accuracy.layouts == {"all": "not checked: each layout would be compiled anew"}
    assert not accuracy.faults


def test_a_large_problem_is_cut_down_for_its_layouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_PROBE_FLOPS", 2000)
    of_case = Proof.of(CASE, device="cpu", seed=0)
    accuracy = prove(WrongOnSlices(), of_case, thorough=True)
    assert (
        accuracy.probe == "g2mb1ic6ih4iw5oc4kh3kw3sh1sw1ph0pw0:conv:float32:contiguous:fprop:bias"
    )
    assert accuracy.layouts["step 2"].startswith("wrong: output is off by 0.0")


def test_a_single_image_is_expanded_to_two() -> None:
    """Expanded to one it would be the plain operand."""
    seen = []

    class Watching(Native):
        def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            seen.append((x.shape[0], x.stride(0)))
            return super().forward(case, x, weight, bias)

    case = msgspec.structs.replace(CASE, batch=1, direction="fprop")
    assert check_layouts(Watching(), Proof.of(case, device="cpu", seed=0))["expanded"] == RIGHT
    assert (2, 0) in seen


class WiderOnStrides(Native):
    """Answers strided input in double precision."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        return y if x.is_contiguous() else y.double()


def test_another_dtype_on_a_layout_is_wrong() -> None:
    case = msgspec.structs.replace(CASE, direction="fprop")
    accuracy = prove(WiderOnStrides(), Proof.of(case, device="cpu", seed=0), thorough=True)
    assert accuracy.layouts["sliced"].startswith("wrong: output has dtype torch.float64")
    assert any("on sliced operands wrong" in fault for fault in accuracy.faults)
