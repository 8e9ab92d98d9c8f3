from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gconvbench.cases import Case
from gconvbench.errors import ExitCode, UsageError


def refusal(**fields: Any) -> str:
    with pytest.raises(UsageError) as caught:
        Case(**fields)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)


def test_groups_that_do_not_divide_are_refused_with_the_divisors() -> None:
    assert refusal(in_channels=128, out_channels=96, groups=3) == (
        "in_channels (128) must be a multiple of groups (3); "
        "groups that divide both channel counts begin 1, 2, 4, 8, 16, 32"
    )


def test_only_the_first_divisors_are_listed() -> None:
    assert refusal(in_channels=720, out_channels=720, groups=7).endswith("1, 2, 3, 4, 5, 6, 8, 9")


def test_output_channels_must_be_divisible_too() -> None:
    assert refusal(in_channels=6, out_channels=9, groups=2).startswith("out_channels (9)")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"groups": 0}, "groups (0) must be between 1 and 2147483647"),
        ({"batch": -1}, "batch (-1) must be between 1"),
        ({"height": 2**31}, "height (2147483648) must be between 1"),
        ({"kernel_size": (3, 0)}, "kernel_size (0) must be between 1"),
        ({"stride": (0, 1)}, "stride (0) must be between 1"),
        ({"dilation": (1, 0)}, "dilation (0) must be between 1"),
        ({"padding": (0, -1)}, "padding (-1) must be between 0"),
    ],
)
def test_a_size_out_of_bounds_is_refused_with_its_bounds(
    fields: dict[str, Any], message: str
) -> None:
    assert refusal(**fields).startswith(message)


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"operation": "conv_shufle"}, "operation 'conv_shufle' is not known; did you mean 'conv_"),
        ({"direction": "forward"}, "direction 'forward' is not known"),
        ({"dtype": "float31"}, "did you mean 'float32'?"),
        ({"math_mode": "tf23"}, "did you mean 'tf32'?"),
        ({"memory_format": "channel_last"}, "did you mean 'channels_last'?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(fields: dict[str, Any], hint: str) -> None:
    assert hint in refusal(**fields)


@pytest.mark.parametrize(
    ("fields", "reach", "padded"),
    [
        ({"height": 4, "kernel_size": (5, 1)}, 5, 4),
        ({"width": 4, "kernel_size": (1, 3), "dilation": (1, 3), "padding": (0, 1)}, 7, 6),
    ],
)
def test_a_window_wider_than_the_padded_input_is_refused(
    fields: dict[str, Any], reach: int, padded: int
) -> None:
    message = refusal(**fields)
    assert f"reaches over {reach} pixels" in message
    assert message.endswith(f"has only {padded}")


def test_a_window_as_wide_as_the_padded_input_is_possible() -> None:
    case = Case(height=4, width=1, kernel_size=(6, 1), padding=(1, 0))
    assert case.output_size == (1, 1)


def test_tf32_is_a_mode_of_float32_only() -> None:
    assert Case(math_mode="tf32").math_mode == "tf32"
    assert "not to float16" in refusal(math_mode="tf32", dtype="float16")


def test_shapes_follow_the_layout_of_conv2d() -> None:
    case = Case(
        groups=2, batch=5, in_channels=4, out_channels=6, height=11, width=9,
        kernel_size=(3, 2), stride=(2, 3), padding=(1, 0), dilation=(2, 1),
    )  # fmt: skip
    assert case.input_shape == (5, 4, 11, 9)
    assert case.weight_shape == (6, 2, 3, 2)
    assert case.reach == (5, 2)
    assert case.output_shape == (5, 6, 5, 3)
    assert (case.group_in_channels, case.group_out_channels) == (2, 3)


BEFORE_LAYERS = Case(
    operation="conv_shuffle_depthwise", groups=2, batch=3, in_channels=4, out_channels=6, height=7,
    width=5, stride=(2, 2), padding=(1, 1), dilation=(1, 1), bias=True, dtype="bfloat16",
    memory_format="channels_last", direction="wgrad",
)  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "shuffles", "layers"),
    [
        ("conv", False, []),
        ("conv_shuffle", True, []),
        ("conv_shuffle_dense", True, [(1, (1, 1), (0, 0))]),
        ("conv_shuffle_depthwise", True, [(6, (3, 3), (1, 1)), (1, (1, 1), (0, 0))]),
    ],
)
def test_what_follows_a_shuffle_is_named_by_the_operation(
    operation: str, *, shuffles: bool, layers: list[tuple[int, tuple[int, int], tuple[int, int]]]
) -> None:
    case = replace(BEFORE_LAYERS, operation=operation)
    found = [(layer.groups, layer.kernel_size, layer.padding) for layer in case.following]
    assert found == layers
    assert case.shuffles == shuffles


def test_layers_behind_a_shuffle_keep_its_output_s_shape_and_all_that_is_no_geometry() -> None:
    layers = BEFORE_LAYERS.following
    assert [layer.weight_shape for layer in layers] == [(6, 1, 3, 3), (6, 6, 1, 1)]
    for layer in layers:
        assert layer.input_shape == layer.output_shape == BEFORE_LAYERS.output_shape == (3, 6, 4, 3)
        assert (layer.stride, layer.dilation, layer.bias) == ((1, 1), (1, 1), False)
        assert (layer.dtype, layer.direction) == ("bfloat16", "wgrad")
        assert layer.memory_format == "channels_last"
        assert (layer.operation, layer.following) == ("conv", ())


def test_a_depthwise_layer_fits_behind_a_single_pixel() -> None:
    case = Case(operation="conv_shuffle_depthwise", groups=2, in_channels=2, out_channels=2,
                height=1, width=1, kernel_size=(1, 1))  # fmt: skip
    assert [layer.output_size for layer in case.following] == [(1, 1), (1, 1)]
