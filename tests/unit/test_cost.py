"""Costs against every multiplication of a case, enumerated one by one."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec.structs import replace

from gconvbench.cases import DIRECTIONS, Case, flops, min_bytes, parameters, reduction_length

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES: dict[str, dict[str, Any]] = {
    "grouped": {"kernel_size": (3, 2), "padding": (1, 0)},
    "ungrouped": {"groups": 1, "in_channels": 3, "out_channels": 2},
    "depthwise": {"groups": 4, "out_channels": 8, "padding": (1, 1)},
    "stride wider than kernel": {"kernel_size": (2, 1), "stride": (3, 4)},
    "pointwise with stride": {"kernel_size": (1, 1), "stride": (2, 2)},
    "remainder at the border": {"kernel_size": (2, 2), "stride": (2, 5), "height": 10},
    "dilation": {"kernel_size": (3, 2), "dilation": (2, 3), "padding": (2, 0)},
    "stride equals dilation": {"stride": (2, 2), "dilation": (2, 2), "width": 13},
    "stride and dilation share a factor": {
        "groups": 1, "in_channels": 2, "out_channels": 3,
        "kernel_size": (1, 5), "stride": (1, 4), "dilation": (1, 6), "width": 50,
    },
    "windows on nothing but padding": {"kernel_size": (2, 2), "padding": (3, 2), "stride": (2, 1)},
}  # fmt: skip


class Product(NamedTuple):
    """One multiplication: which output it is part of, and which input and weight it takes."""

    output: tuple[int, ...]
    input: tuple[int, ...]
    weight: tuple[int, ...]


def shape(name: str) -> Case:
    base = {"groups": 2, "batch": 2, "in_channels": 4, "out_channels": 6, "height": 9, "width": 12}
    return Case(**(base | SHAPES[name]))


def starts(size: int, padding: int, stride: int, reach: int) -> list[int]:
    found, at = [], -padding
    while at + reach <= size + padding:
        found.append(at)
        at += stride
    return found


def enumerate_products(case: Case) -> Iterator[Product]:
    down = starts(case.height, case.padding[0], case.stride[0], case.reach[0])
    across = starts(case.width, case.padding[1], case.stride[1], case.reach[1])
    inputs, outputs = case.in_channels // case.groups, case.out_channels // case.groups
    for n in range(case.batch):
        for k in range(case.out_channels):
            for p, top in enumerate(down):
                for q, left in enumerate(across):
                    for c in range(inputs):
                        for r in range(case.kernel_size[0]):
                            for s in range(case.kernel_size[1]):
                                y, x = top + r * case.dilation[0], left + s * case.dilation[1]
                                channel = (k // outputs) * inputs + c
                                yield Product((n, k, p, q), (n, channel, y, x), (k, c, r, s))


@functools.cache
def products_of(name: str) -> tuple[Product, ...]:
    return tuple(enumerate_products(shape(name)))


def is_pixel(case: Case, position: tuple[int, ...]) -> bool:
    return 0 <= position[2] < case.height and 0 <= position[3] < case.width


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_costs_are_those_of_every_product_counted(name: str, bias: bool, direction: str) -> None:  # noqa: FBT001
    case = replace(shape(name), bias=bias, direction=direction, dtype="float64")
    products = products_of(name)
    outputs, weights = {one.output for one in products}, {one.weight for one in products}
    read = {one.input for one in products if is_pixel(case, one.input)}
    pixels = case.batch * case.in_channels * case.height * case.width
    biases = case.out_channels if bias else 0
    moved = {
        "fprop": len(read) + len(weights) + biases + len(outputs),
        "dgrad": len(outputs) + len(weights) + pixels,
        "wgrad": len(read) + len(outputs) + len(weights) + biases,
    }
    passes = list(moved) if direction == "training" else [direction]
    assert flops(case) == 2 * len(products) * len(passes)
    assert min_bytes(case) == 8 * sum(moved[one] for one in passes)
    assert parameters(case) == len(weights) + biases


@pytest.mark.parametrize("name", SHAPES)
def test_reduction_lengths_are_the_most_products_that_meet_in_one_element(name: str) -> None:
    case, products = shape(name), products_of(name)
    pixels = Counter(one.input for one in products if is_pixel(case, one.input))
    outputs = {one.output for one in products}
    longest = {
        "output": max(Counter(one.output for one in products).values()),
        "grad_input": max(pixels.values()),
        "grad_weight": max(Counter(one.weight for one in products).values()),
        "grad_bias": max(Counter(output[1] for output in outputs).values()),
    }
    assert {tensor: reduction_length(case, tensor) for tensor in longest} == longest


@pytest.mark.parametrize(
    ("dtype", "size"), [("float64", 8), ("float32", 4), ("float16", 2), ("bfloat16", 2)]
)
def test_bytes_follow_the_storage_type(dtype: str, size: int) -> None:
    one = Case(in_channels=1, out_channels=1, height=1, width=1, kernel_size=(1, 1), dtype=dtype)
    assert min_bytes(one) == 3 * size


def test_layers_behind_a_shuffle_are_counted_and_not_trained() -> None:
    plain = Case(
        operation="conv_shuffle", groups=2, in_channels=4, out_channels=6, height=5, width=5,
        kernel_size=(1, 1),
    )  # fmt: skip
    dense = replace(plain, operation="conv_shuffle_dense")
    both = replace(plain, operation="conv_shuffle_depthwise")
    assert [layer.weight_shape for layer in both.following] == [(6, 1, 3, 3), (6, 6, 1, 1)]
    assert both.following[0].output_shape == both.output_shape == (1, 6, 5, 5)
    assert parameters(dense) - parameters(plain) == 36
    assert parameters(both) - parameters(plain) == 54 + 36
    assert flops(dense) - flops(plain) == 2 * 25 * 36
    assert flops(both) - flops(plain) == 2 * 25 * (54 + 36)
    assert min_bytes(both) - min_bytes(plain) == 4 * (54 + 36)
    trained = replace(dense, direction="training")
    plainly = replace(plain, direction="training")
    assert flops(trained) - flops(plainly) == 2 * 2 * 25 * 36


BEFORE_LAYERS = Case(
    groups=2, batch=3, in_channels=4, out_channels=6, height=7, width=5, stride=(2, 2),
    padding=(1, 1),
)  # fmt: skip
"""36 output pixels in 6 channels; every input pixel is touched.

The grouped layer alone: 2 * 36 * 6 * (2 * 9) = 7776 operations, 6 * 2 * 9 = 108 weights. A
depthwise layer behind it: 2 * 36 * 6 * 9 = 3888 and 54. A dense one: 2 * 36 * 6 * 6 = 2592 and 36.
"""


@pytest.mark.parametrize(
    ("operation", "direction", "operations", "weights"),
    [
        ("conv_shuffle", "fprop", 7776, 108),
        ("conv_shuffle", "training", 3 * 7776, 108),
        ("conv_shuffle_dense", "fprop", 7776 + 2592, 108 + 36),
        ("conv_shuffle_dense", "dgrad", 7776 + 2592, 108 + 36),
        ("conv_shuffle_dense", "wgrad", 7776 + 2592, 108 + 36),
        ("conv_shuffle_dense", "training", 3 * 7776 + 2 * 2592, 108 + 36),
        ("conv_shuffle_depthwise", "fprop", 7776 + 3888 + 2592, 108 + 54 + 36),
        ("conv_shuffle_depthwise", "dgrad", 7776 + 3888 + 2592, 108 + 54 + 36),
        ("conv_shuffle_depthwise", "wgrad", 7776 + 3888 + 2592, 108 + 54 + 36),
        ("conv_shuffle_depthwise", "training", 3 * 7776 + 2 * (3888 + 2592), 108 + 54 + 36),
    ],
)
def test_layers_behind_a_shuffle_add_their_work_and_weights(
    operation: str, direction: str, operations: int, weights: int
) -> None:
    case = replace(BEFORE_LAYERS, operation=operation, direction=direction)
    assert flops(case) == operations
    assert parameters(case) == weights
    assert parameters(replace(case, bias=True)) == weights + 6
    passes = 3 if direction == "training" else 1
    inputs, outputs = 3 * 4 * 7 * 5, 36 * 6
    assert min_bytes(case) == 4 * passes * (inputs + weights + outputs)


def test_layers_behind_a_shuffle_leave_the_reduction_lengths_of_the_grouped_one() -> None:
    case = replace(BEFORE_LAYERS, operation="conv_shuffle_depthwise")
    lengths = [reduction_length(case, one) for one in ("output", "grad_input", "grad_weight")]
    assert lengths == [2 * 9, 3 * 4, 36]
