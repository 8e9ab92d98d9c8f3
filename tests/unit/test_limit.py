"""Limits for norms over few elements and for single ones: no false alarm, and no hole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch

from gconvbench.accuracy import Proof, Rows, error_limit, prove, result_limit
from gconvbench.cases import Case, parse_case
from gconvbench.implementations import BUILT_IN, why_unsupported
from gconvbench.implementations.native import Native
from tests.faults import Touched

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

FEW_ELEMENTS = [
    "g1024mb4ic1024ih7iw7oc1024kh1kw1sh1sw1ph0pw0:conv:float16:contiguous:wgrad",
    "g512mb8ic512ih14iw14oc512kh3kw3sh1sw1ph2pw2dh1dw1:conv:float16:contiguous:wgrad:bias",
    "g512mb1ic512ih7iw7oc512kh7kw7sh1sw1ph0pw0:conv:float16:contiguous:fprop:bias",
    "g1024mb4ic1024ih7iw7oc1024kh1kw1sh1sw1ph0pw0:conv:bfloat16:contiguous:training:bias",
    "g512mb2ic512ih9iw9oc512kh3kw1sh1sw1ph0pw0:conv:bfloat16:contiguous:training:bias",
    "g3mb2ic3ih4iw6oc3kh1kw7sh2sw1ph1pw7:conv_shuffle_depthwise:bfloat16:channels_last:training:bias",
]
"""Groups of one to a dozen elements in some result, where several roundings may add up."""


FAST = {
    "native", "im2col_bmm", "pointwise_bmm", "tap_accumulate", "depthwise_mac",
    "native_view_shuffle", "folded_shuffle",
}  # fmt: skip
"""All but those that take long to split or to fill up a thousand groups."""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("text", FEW_ELEMENTS)
def test_right_ones_are_right_where_groups_have_few_elements(text: str, seed: int) -> None:
    case = parse_case(text)
    proof = Proof.of(case, device="cpu", seed=seed)
    for one in BUILT_IN:
        if one.name in FAST and why_unsupported(one, case, "cpu") is None:
            assert not prove(one, proof).faults, one.name


@pytest.mark.parametrize("elements", [1, 3, 9, 100, 10_000])
def test_the_norm_of_random_numbers_strays_no_farther_than_is_allowed(elements: int) -> None:
    """Not even that of products of three, as a rounding error is."""
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(3, 10_000, elements, generator=generator)
    surprise = Rows(10_000, elements).surprise
    for one in (normal[0], normal.prod(dim=0)):
        norms = one.norm(dim=1) / math.sqrt(elements)
        assert norms.max() < 1 + 2 * surprise
    assert norms.max() > 1 + surprise / 20  # nor is very much more allowed


def test_many_elements_have_the_limit_of_very_many() -> None:
    case = Case(dtype="bfloat16", bias=True)
    for roundings in (1, 2):
        plain, many, few = (
            error_limit(case, "output", device="cpu", roundings=roundings, rows=rows)
            for rows in (None, Rows(32, 10_000), Rows(1024, 1))
        )
        assert plain == many
        assert (few > plain * 1.05) == (roundings > 1)


def test_where_a_gpu_may_transform_operands_only_few_elements_get_more_room() -> None:
    """What cuDNN's kernels after Winograd need; see docs/accuracy.md."""
    window, point = Case(kernel_size=(3, 3), direction="wgrad"), Case(direction="wgrad", bias=True)
    few, many = Rows(1000, 1), Rows(1, 10_000)
    for case, tensor, rows, is_wider in (
        (window, "grad_weight", few, True),
        (window, "grad_weight", many, False),
        (window, "grad_bias", few, False),
        (msgspec.structs.replace(point, kernel_size=(1, 1)), "grad_weight", few, False),
    ):
        cpu, cuda = (
            error_limit(case, tensor, device=device, roundings=1, rows=rows)
            for device in ("cpu", "cuda:0")
        )
        assert (cuda > 2 * cpu) == is_wider
        assert is_wider or cuda == cpu


class Declaring(Native):
    """Native, with a number of roundings of its own."""

    name = "declaring"

    def __init__(self, roundings: float) -> None:
        self._roundings = roundings

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        return self._roundings  # type: ignore[return-value]


@pytest.mark.parametrize("roundings", [0, -1, 20, 1e12, math.inf, math.nan])
def test_nobody_sets_a_limit_of_their_own(roundings: float) -> None:
    case = Case(groups=2, in_channels=4, out_channels=4)
    with pytest.raises(ValueError, match="1 to 19 are possible"):
        result_limit(case, "output", Declaring(roundings), device="cpu")
    assert result_limit(case, "output", Declaring(19), device="cpu") > 0


def median(result: Tensor) -> int:
    """Where an element is that is neither large nor small."""
    return int(result.abs().flatten().median(dim=0).indices)


def drop(result: Tensor) -> None:
    result.view(-1)[median(result)] = 0


def double(result: Tensor) -> None:
    result.view(-1)[median(result)] *= 2


def of_fractions(change: Callable[[Tensor], None]) -> Callable[[Tensor], None]:
    """The same change, but not to whole numbers, where the exact check would find it."""
    return lambda result: None if torch.equal(result, result.round()) else change(result)


@pytest.mark.parametrize("change", [drop, double])
@pytest.mark.parametrize("direction", ["fprop", "dgrad", "training"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_single_wrong_element_is_found(
    dtype: str, direction: str, change: Callable[[Tensor], None]
) -> None:
    """In half precision by itself: the norm of its group hardly shows it."""
    case = Case(groups=4, batch=4, in_channels=32, out_channels=32, height=64, width=64,
                padding=(1, 1), dtype=dtype, direction=direction)  # fmt: skip
    proof = Proof.of(case, device="cpu", seed=0)
    assert not prove(Native(), proof).faults
    touched = Touched(of_fractions(change), index=1 if direction == "training" else 0)
    faults = prove(touched, proof).faults
    assert faults
    if dtype == "bfloat16":
        assert " in one element, limit 0." in faults[0]
