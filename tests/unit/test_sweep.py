from __future__ import annotations

import pytest

from gconvbench.cases import AXES, Case, Sweep, case_id, parse_axis, parse_sweep
from gconvbench.errors import UsageError

NETWORK = """
description = "two layers"
network = "net"
device = ["cpu", "cuda"]
[[block]]
name = "conv1"
count = 4
groups = [1, 2]
channels = 32
[[block]]
channels = 32
groups = "1..4:x2"
"""


def test_blocks_are_products_and_the_sweep_their_union() -> None:
    sweep = parse_sweep(NETWORK, "mine")
    expansion = sweep.expand()
    found = [(one.case.groups, one.name, one.count) for one in expansion.cases]
    assert found == [(1, "net/conv1", 4), (2, "net/conv1", 4), (4, "", 1)]
    assert not expansion.excluded
    assert (sweep.name, sweep.description) == ("mine", "two layers")
    assert sweep.devices == ("cpu", "cuda")


def test_a_product_varies_the_last_axis_fastest_even_where_the_first_is_replaced() -> None:
    sweep = parse_sweep("[[block]]\ngroups = [1, 2]\nbatch = [1, 3]", "s")
    for one in (sweep, sweep.override(AXES["groups"], (1, 2))):
        found = [(named.case.groups, named.case.batch) for named in one.expand().cases]
        assert found == [(1, 1), (1, 3), (2, 1), (2, 3)]


def test_without_blocks_a_sweep_is_the_default_case_with_same_padding() -> None:
    assert [one.case for one in Sweep().expand().cases] == [Case(padding=(1, 1))]


def test_impossible_combinations_are_kept_with_their_reason() -> None:
    text = '[[block]]\nname = "b"\ngroups = [1, 3]\nchannels = 64\nkernel_size = "3x5"'
    expansion = parse_sweep(text, "s").expand()
    assert len(expansion.cases) == 1
    assert expansion.excluded[0].combination == "b groups=3 channels=64 kernel_size=3x5"
    assert "multiple of groups (3)" in expansion.excluded[0].reason


def test_named_exclusions_need_every_field_to_match() -> None:
    text = """
        [[block]]
        groups = [1, 2]
        kernel_size = [1, 3]
        [[exclude]]
        reason = "known to be slow"
        groups = [2, 4]
        kernel_size = 1
    """
    expansion = parse_sweep(text, "s").expand()
    assert [(e.combination, e.reason) for e in expansion.excluded] == [
        (case_id(Case(groups=2, kernel_size=(1, 1))), "known to be slow")
    ]
    assert len(expansion.cases) == 3


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("groups=8", {(8, 32, 32)}),
        ("channels=64", {(1, 64, 64), (2, 64, 64), (4, 64, 64)}),
        ("in_channels=64", {(1, 64, 64), (2, 64, 64), (4, 64, 64)}),
        ("channels_per_group=8", {(1, 8, 8), (2, 16, 16), (4, 32, 32)}),
    ],
)
def test_an_override_replaces_whatever_set_the_same_fields(
    override: str, expected: set[tuple[int, int, int]]
) -> None:
    cases = parse_sweep(NETWORK, "s").override(*parse_axis(override)).expand().cases
    assert {(c.case.groups, c.case.in_channels, c.case.out_channels) for c in cases} == expected


def test_an_override_leaves_names_and_counts() -> None:
    sweep = parse_sweep(NETWORK, "s").override(AXES["dtype"], ("float16",))
    assert [(one.name, one.count) for one in sweep.blocks] == [("conv1", 4), ("", 1)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("groups = ", "is not TOML"),
        ("blok = 1", "key 'blok' is not known; did you mean 'block'?"),
        ("block = 3", "key 'block' must be written as [[block]] tables"),
        ("[[block]]\ngrups = 1", "axis 'grups' is not known; did you mean 'groups'?"),
        ("[[block]]\ngroups = 0", "groups (0) must be at least 1"),
        ("[[block]]\ngroups = 1.5", "groups '1.5' is not allowed"),
        ("[[block]]\ndevice = 1", "device belongs to the whole sweep"),
        ("[[block]]\ncount = 0", "count (0) must be a whole number from 1"),
        ("[[block]]\nsize = 3\nwidth = 3", "axes 'size' and 'width' set the same fields"),
        ("[[exclude]]\ngroups = 1", "an [[exclude]] table needs a reason"),
        ('[[exclude]]\nreason = "r"\nsize = 1', "not the composed axis 'size'"),
    ],
)
def test_a_refused_sweep_is_named_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sweep(text, "mine")
    assert str(caught.value).startswith("sweep 'mine'")
    assert reason in str(caught.value)


def test_a_sweep_too_large_to_run_is_refused_before_it_is_expanded() -> None:
    sweep = parse_sweep('[[block]]\nbatch = "1..9000"\nsize = "1..9000"', "s")
    with pytest.raises(UsageError, match="81000000 combinations, at most 100000"):
        sweep.expand()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[block]]\nkernel = 1\nkernel_size = 3", "'kernel_size' is given twice"),
        ("[[block]]\ngroups = []", "groups has no value"),
        ("[[block]]\ncount = true", "count (True) must be a whole number"),
        ("[[block]]\ndevice = 'cpu'", "device belongs to the whole sweep"),
        ('[[exclude]]\nreason = "x"\npadding = "same"', "takes padding as numbers, not 'same'"),
        ("[[block]]\ngroups = " + "9" * 5000, "is not TOML"),
    ],
)
def test_a_mistake_that_would_go_unnoticed_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sweep(text, "mine")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
