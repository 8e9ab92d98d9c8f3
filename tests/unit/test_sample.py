"""Results computed at a few places against the reference that computes all of them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.accuracy import Proof, expected, prove, reference_results, sample
from gconvbench.accuracy.sample import draw_places, places_per_group, result_shape, values_at
from gconvbench.cases import DTYPES, Case
from gconvbench.implementations.native import Native
from gconvbench.operands import normal_operands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

SAMPLED = ("output", "grad_input", "grad_weight")
SHAPES: dict[str, dict[str, Any]] = {
    "grouped": {"groups": 3, "in_channels": 6, "out_channels": 12, "padding": (1, 1)},
    "one group": {"groups": 1, "in_channels": 3, "out_channels": 4, "padding": (1, 0)},
    "depthwise": {"groups": 8, "in_channels": 8, "out_channels": 16},
    "strided": {"groups": 2, "in_channels": 4, "out_channels": 6, "stride": (2, 3), "bias": True},
    "dilated": {"groups": 2, "in_channels": 6, "out_channels": 4, "dilation": (2, 1)},
    "stride and dilation": {"groups": 2, "in_channels": 4, "out_channels": 8, "stride": (2, 3),
                            "dilation": (3, 2), "padding": (3, 2)},
    "pointwise": {"groups": 4, "in_channels": 8, "out_channels": 8, "kernel_size": (1, 1),
                  "stride": (2, 2)},
    "uneven": {"groups": 2, "in_channels": 4, "out_channels": 6, "kernel_size": (4, 1),
               "stride": (1, 2), "padding": (2, 3), "bias": True},
    "windows on nothing but padding": {"groups": 2, "in_channels": 2, "out_channels": 4,
                                       "kernel_size": (2, 2), "padding": (3, 2)},
    "one pixel": {"groups": 2, "in_channels": 4, "out_channels": 4, "height": 1, "width": 1,
                  "kernel_size": (1, 1)},
}  # fmt: skip


def case_of(shape: str, **changes: Any) -> Case:
    base: dict[str, Any] = {"batch": 2, "height": 8, "width": 7, "direction": "training"}
    return Case(**(base | SHAPES[shape] | changes))


def every_place(case: Case, name: str) -> Tensor:
    """`(1, elements, 4)`: all indices of a result, in the order of its elements."""
    sides = [torch.arange(side) for side in result_shape(case, name)]
    return torch.cartesian_prod(*sides).unsqueeze(0)


@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [*((shape, "float32") for shape in SHAPES), *(("uneven", t) for t in DTYPES)],
)
def test_each_element_computed_alone_is_that_of_the_whole(
    shape: str, dtype: str, operation: str
) -> None:
    case = case_of(shape, dtype=dtype, operation=operation)
    operands = normal_operands(case, seed=0, device="cpu")
    whole = reference_results(case, operands)
    for name in SAMPLED:
        alone = values_at(case, name, operands, every_place(case, name))
        assert alone.dtype == torch.float64
        assert torch.allclose(alone, whole[name].reshape(1, -1), rtol=0, atol=1e-12), name


def test_the_memory_format_of_the_operands_changes_nothing() -> None:
    plain, nhwc = (case_of("strided", memory_format=one) for one in ("contiguous", "channels_last"))
    operands = normal_operands(plain, seed=0, device="cpu")
    last = operands.mapped(
        lambda t: t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t
    )
    for name in SAMPLED:
        places = draw_places(plain, name, seed=0)
        values = values_at(plain, name, operands, places)
        assert torch.equal(values_at(nhwc, name, last, places), values)


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of("uneven")
    operands = normal_operands(case, seed=0, device="cpu")
    places = {name: draw_places(case, name, seed=0) for name in SAMPLED}
    whole = {name: values_at(case, name, operands, places[name]) for name in SAMPLED}
    monkeypatch.setattr(sample, "BLOCK_BYTES", 1000)
    for name in SAMPLED:
        assert torch.equal(values_at(case, name, operands, places[name]), whole[name])


def own_group(case: Case, name: str, places: Tensor) -> Tensor:
    """Which group each place belongs to, by the definition of groups and of the shuffle."""
    if name == "grad_weight":
        return places[..., 0] // case.group_out_channels
    channel = places[..., 1]
    if name == "grad_input":
        return channel // case.group_in_channels
    return channel % case.groups if case.shuffles else channel // case.group_out_channels


@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("shape", SHAPES)
def test_places_are_within_bounds_and_in_the_row_of_their_own_group(
    shape: str, name: str, operation: str
) -> None:
    case = case_of(shape, operation=operation)
    places = draw_places(case, name, seed=0)
    of_group = math.prod(result_shape(case, name)) // case.groups
    assert places.shape == (case.groups, min(of_group, 2048 // case.groups), 4)
    assert (places >= 0).all()
    assert (places < torch.tensor(result_shape(case, name))).all()
    rows = torch.arange(case.groups).unsqueeze(1).expand(places.shape[:2])
    assert torch.equal(own_group(case, name, places), rows)


@pytest.mark.parametrize("operation", ["conv", "conv_shuffle"])
@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_corners_of_each_group_are_among_its_places(
    shape: str, name: str, operation: str
) -> None:
    """In its first and last channel, where a group has twice as many elements as corners."""
    case = case_of(shape, operation=operation)
    if places_per_group(case, name) < 16:
        return
    sides = result_shape(case, name)
    ends = [{0, sides[2] - 1}, {0, sides[3] - 1}]
    dimension = 0 if name == "grad_weight" else 1
    places = draw_places(case, name, seed=0)
    for group, row in enumerate(places):
        every = torch.arange(sides[dimension])
        index = torch.zeros(len(every), 4, dtype=torch.long)
        index[:, dimension] = every
        members = every[own_group(case, name, index) == group]
        channels = {int(members.min()), int(members.max())}
        found = {(int(p[dimension]), int(p[2]), int(p[3])) for p in row}
        assert {*itertools.product(channels, *ends)} <= found


def test_places_are_spread_over_the_whole_of_a_group() -> None:
    """A thousand draws in each group leave out none of its channels, images, rows and columns."""
    case = Case(groups=2, batch=2, in_channels=64, out_channels=64, height=8, width=8,
                padding=(1, 1), direction="training")  # fmt: skip
    for name in SAMPLED:
        places = draw_places(case, name, seed=0).flatten(0, 1)
        for dimension, side in enumerate(result_shape(case, name)):
            assert set(places[:, dimension].tolist()) == set(range(side))


def test_places_depend_on_the_seed_and_the_case_alone() -> None:
    case = case_of("grouped")
    one, same, other = (draw_places(case, "output", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("groups", "length", "count"),
    [
        (1, 1, 2048),  # the most
        (64, 1, 32),
        (32, 1 << 16, 32),  # 2^26 products in all
        (4, 1 << 21, 16),
        (1, 1 << 28, 16),  # the fewest
        (512, 1, 1),  # no more than there are in a group
    ],
)
def test_fewer_places_are_drawn_where_each_is_a_long_sum(
    groups: int, length: int, count: int
) -> None:
    case = Case(
        groups=groups, batch=length, in_channels=512, out_channels=512, height=1, width=1,
        kernel_size=(1, 1), direction="wgrad",
    )  # fmt: skip
    assert draw_places(case, "grad_weight", seed=0).shape == (groups, count, 4)


LONG = Case(
    groups=2, batch=10, in_channels=16, out_channels=16, height=250, width=400, padding=(1, 1),
    direction="wgrad", bias=True,
)  # fmt: skip
"""Every weight's gradient is a sum of a million products."""


class OneGroupOff(Native):
    """The gradient is 0.1 % too large for the weights of the last group."""

    name = "one_group_off"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        kept, off = super().forward(case, x, weight, bias).chunk(2, dim=1)
        return torch.cat([kept, 1.001 * off], dim=1)


def test_a_long_sum_is_judged_without_the_whole_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []

    def note(case: Case, operands: Operands, names: Sequence[str]) -> dict[str, Tensor]:
        computed.extend(names)
        return reference_results(case, operands, names)

    monkeypatch.setattr(expected, "reference_results", note)
    monkeypatch.setattr(expected, "witness", lambda *_: {})
    monkeypatch.setattr(sample, "_MOST_PRODUCTS", 1 << 23)
    proof = Proof.of(LONG, device="cpu", seed=0)
    right, wrong = prove(Native(), proof), prove(OneGroupOff(), proof)
    weight, bias = right.tensors
    assert {*computed} == {"grad_bias"}
    assert not right.faults
    assert (weight.tensor, weight.reduction_length, weight.exact) == ("grad_weight", 10**6, "equal")
    assert (weight.compared, bias.compared) == (2 * 16, 16)
    assert (weight.precision, bias.precision) == ("ieee", "ieee")
    assert wrong.faults[0].startswith("grad_weight has error ")
    assert wrong.tensors[0].group_error == pytest.approx(1e-3, rel=0.3)
    assert "grad_weight differs from the exact result on integers" in wrong.faults


class CentreTapOff(Native):
    """Wrong where no corner of a filter is."""

    name = "centre_tap_off"

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)

        def launch() -> tuple[Tensor, ...]:
            (grad_weight,) = (result.clone() for result in right())
            grad_weight[..., 1, 1] *= 1.5
            return (grad_weight,)

        return launch


def test_the_fewest_places_are_not_all_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "witness", lambda *_: {})
    case = Case(
        groups=256, in_channels=2048, out_channels=2048, height=14, width=14, padding=(1, 1),
        direction="wgrad",
    )  # fmt: skip
    proof = Proof.of(case, device="cpu", seed=0)
    assert proof.expected["grad_weight"].places is not None
    assert prove(CentreTapOff(), proof).faults
