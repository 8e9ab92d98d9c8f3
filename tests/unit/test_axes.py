from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gconvbench.cases import AXES, Case, parse_axis
from gconvbench.cases.axes import axis_named, parse_values, settings
from gconvbench.errors import UsageError

if TYPE_CHECKING:
    from gconvbench.cases import Value


@pytest.mark.parametrize(
    ("text", "axis", "values"),
    [
        ("groups=4", "groups", (4,)),
        ("groups=1,2, 4", "groups", (1, 2, 4)),
        ("channels=64..512:x2", "channels", (64, 128, 256, 512)),
        ("channels=64..500:x2", "channels", (64, 128, 256)),
        ("groups=1..30:x3", "groups", (1, 3, 9, 27)),
        ("groups=1..3", "groups", (1, 2, 3)),
        ("batch=1..9:+2", "batch", (1, 3, 5, 7, 9)),
        ("batch=5..5:x2", "batch", (5,)),
        ("groups=8,1..4:x2,2", "groups", (8, 1, 2, 4)),
        ("kernel=3", "kernel_size", ((3, 3),)),
        ("kernel_size=25x7,1..2", "kernel_size", ((25, 7), (1, 1), (2, 2))),
        ("padding=0,1x2,same", "padding", ((0, 0), (1, 2), "same")),
        ("bias=true,OFF", "bias", (True, False)),
        ("dtype=float32,bfloat16", "dtype", ("float32", "bfloat16")),
    ],
)
def test_lists_ranges_and_pairs_are_read(text: str, axis: str, values: tuple[Value, ...]) -> None:
    assert parse_axis(text) == (AXES[axis], values)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("groups", "must be written name=values"),
        ("groups=", "must be written name=values"),
        ("grups=1", "axis 'grups' is not known; did you mean 'groups'?"),
        ("groups=0", "groups (0) must be at least 1"),
        ("groups=-3..2", "groups (-3) must be at least 1"),
        ("kernel=3x0", "kernel_size (3x0) must be at least 1"),
        ("groups=two", "groups 'two' is not allowed; allowed: whole numbers from 1"),
        ("groups=1,,2", "groups '' is not allowed"),
        ("groups=1.5", "groups '1.5' is not allowed"),
        ("kernel=1x2x3", "kernel_size '1x2x3' is not allowed"),
        ("padding=sane", "or same"),
        ("bias=maybe", "bias 'maybe' is not allowed; allowed: true, false"),
        ("dtype=flot32", "did you mean 'float32'?"),
        ("groups=8..4", "never ends or is empty"),
        ("groups=1..4:x1", "never ends or is empty"),
        ("groups=1..4:+0", "never ends or is empty"),
        ("padding=0..4:x2", "never ends or is empty"),
        ("groups=1..99999", "over 10000 values"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_axis(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("axis", "raw", "values"),
    [
        ("groups", 2, (2,)),
        ("groups", [1, "2..4:x2", 8], (1, 2, 4, 8)),
        ("bias", [True, False], (True, False)),
        ("stride", "2x1", ((2, 1),)),
    ],
)
def test_toml_values_are_read_like_text(axis: str, raw: object, values: tuple[Value, ...]) -> None:
    assert parse_values(axis_named(axis), raw) == values


def test_composed_axes_set_several_fields() -> None:
    assert settings({"size": 7, "channels": 32, "padding": (0, 0)}) == {
        "height": 7, "width": 7, "in_channels": 32, "out_channels": 32, "padding": (0, 0),
    }  # fmt: skip


def test_channels_per_group_grow_with_groups() -> None:
    found = settings({"groups": 8, "channels_per_group": 4})
    assert (found["in_channels"], found["out_channels"]) == (32, 32)


def test_output_channels_are_the_input_channels_unless_given() -> None:
    assert settings({"in_channels": 48})["out_channels"] == 48
    assert settings({"in_channels": 48, "out_channels": 96})["out_channels"] == 96


@pytest.mark.parametrize("kernel", [(1, 1), (3, 5), (7, 3)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
def test_same_padding_keeps_the_size(kernel: tuple[int, int], dilation: tuple[int, int]) -> None:
    case = Case(**settings({"kernel_size": kernel, "dilation": dilation, "size": 28}))
    assert case.output_size == (28, 28)


def test_same_padding_of_an_even_window_is_refused_unless_dilated_evenly() -> None:
    with pytest.raises(UsageError, match=r"kernel_size 4x3 with dilation 1x1 has not"):
        settings({"kernel_size": (4, 3)})
    assert settings({"kernel_size": (4, 3), "dilation": (2, 1)})["padding"] == (3, 1)
