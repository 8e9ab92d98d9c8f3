"""How many groups a weight may have, from what precedes it in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gconvbench.errors import UsageError
from gconvbench.explaining.assumptions import Named, assume_groups, convolution_names

if TYPE_CHECKING:
    from gconvbench.records import Assumed


def assumed(
    *tensors: tuple[str, tuple[int, ...]], norms: bool = True, **given: int
) -> dict[str, Assumed]:
    named = [Named(f"{name}.weight", shape) for name, shape in tensors]
    return assume_groups(named, given, norms_precede=norms)


def groups(*tensors: tuple[str, tuple[int, ...]], norms: bool = True) -> list[int]:
    return [one.groups for one in assumed(*tensors, norms=norms).values()]


def test_the_first_convolution_is_assumed_to_have_one_group() -> None:
    found = assumed(("stem", (64, 3, 7, 7)))["stem.weight"]

    assert (found.groups, found.kind) == (1, "first")
    assert found.possible[:3] == (1, 2, 4)


def test_groups_are_the_channels_before_over_those_of_the_weight() -> None:
    assert groups(
        ("a", (96, 3, 5, 5)), ("b", (192, 48, 3, 3)), ("c", (256, 192, 3, 3)),
        ("d", (256, 1, 3, 3)),
    ) == [1, 2, 1, 256]  # fmt: skip


def test_a_norm_between_layers_says_how_many_channels_enter_where_the_order_is_the_models() -> None:
    layers = (("a", (8, 3, 3, 3)), ("norm", (16,)), ("b", (16, 4, 1, 1)))

    assert groups(*layers) == [1, 4]
    assert groups(*layers, norms=False) == [1, 2]


def test_biases_and_linear_layers_do_not_count() -> None:
    named = [
        Named("a.weight", (8, 3, 3, 3)),
        Named("a.bias", (99,)),
        Named("fc.weight", (7, 8)),
        Named("steps", ()),
        Named("b.weight", (8, 4, 1, 1)),
    ]
    assert assume_groups(named, {}, norms_precede=True)["b.weight"].groups == 2


@pytest.mark.parametrize("branch", ["downsample.0", "shortcut", "skip", "conv_proj"])
def test_a_branch_takes_what_entered_its_block(branch: str) -> None:
    found = assumed(
        ("conv1", (64, 3, 7, 7)),
        ("layer1.0.conv1", (128, 64, 1, 1)),
        ("layer1.0.conv2", (256, 4, 3, 3)),
        (f"layer1.0.{branch}", (256, 64, 1, 1)),
        ("layer1.1.conv1", (128, 256, 1, 1)),
    )
    one = found[f"layer1.0.{branch}.weight"]

    assert (one.groups, one.kind) == (1, "branch")
    assert "64 channels come from conv1" in one.why
    assert [one.groups for one in found.values()] == [1, 1, 32, 1, 1]


@pytest.mark.parametrize(
    ("before", "shape"),
    [(10, (8, 4, 1, 1)), (2, (8, 4, 1, 1)), (12, (8, 4, 1, 1)), (6, (9, 3, 1, 1))],
)
def test_what_does_not_fit_is_called_impossible_with_what_else_there_is(
    before: int, shape: tuple[int, ...]
) -> None:
    one = assumed(("a", (before, 3, 3, 3)), ("b", shape))["b.weight"]

    assert (one.groups, one.kind) == (1, "impossible")
    assert all(shape[0] % g == 0 for g in one.possible)
    assert f"{before} channels come from a, which does not fit" in one.why


def test_given_groups_are_taken_with_and_without_the_suffix() -> None:
    layers = [Named("a.weight", (8, 3, 3, 3)), Named("b.weight", (8, 4, 1, 1))]
    for name in ("b", "b.weight"):
        one = assume_groups(layers, {name: 8}, norms_precede=True)["b.weight"]
        assert (one.groups, one.kind) == (8, "given")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"bb": 2}, "'bb': the file has no such convolution; did you mean 'ab'"),
        ({"ab": 3}, r"groups of ab.weight \(3\) must divide its 8 outputs; possible: 1, 2, 4, 8"),
    ],
)
def test_given_groups_that_cannot_be_are_refused(given: dict[str, int], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        assume_groups([Named("ab.weight", (8, 3, 3, 3))], given, norms_precede=True)


def test_weights_with_an_empty_side_are_no_convolutions() -> None:
    assert convolution_names([Named("a", (0, 3, 3, 3)), Named("b", (1, 1, 1, 1))]) == ["b"]


@pytest.mark.parametrize("name", ["up1", "decoder.up.0", "deconv2", "head.transposed"])
def test_a_name_that_transposed_convolutions_have_is_a_doubt(name: str) -> None:
    found = assumed(("a", (128, 3, 3, 3)), (name, (128, 64, 2, 2)), ("supper", (64, 128, 1, 1)))

    assert found[f"{name}.weight"].why.endswith("; by its name it may be transposed")
    assert "may be transposed" not in found["supper.weight"].why
