from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gconvbench import workloads
from gconvbench.cases import DIRECTIONS, flops, parameters
from gconvbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(("groups", "expected"), [(max, 4_868_056), (min, 5_467_096)])
def test_the_forum_network_has_the_parameters_that_were_posted(
    groups: Callable[..., int], expected: int
) -> None:
    layers: dict[str, dict[int, int]] = {}
    for one in workloads.load("forum").expand().cases:
        layers.setdefault(one.name, {})[one.case.groups] = parameters(one.case)
    assert len(layers) == 8
    assert sum(variants[groups(variants)] for variants in layers.values()) == expected


def test_the_forum_network_groups_three_layers_and_shares_all_but_two() -> None:
    cases = workloads.load("forum").expand().cases
    grouped = {one.name for one in cases if one.case.groups == 2}
    once = {one.name for one in cases if one.count == 1}
    assert grouped == {"forum/conv2", "forum/conv4", "forum/conv5"}
    assert once == {"forum/fc7", "forum/fc8"}
    assert {one.count for one in cases} == {1, 4}


@pytest.mark.parametrize("name", workloads.names())
def test_every_shipped_sweep_expands_and_describes_itself(name: str) -> None:
    sweep = workloads.load(name)
    expansion = sweep.expand()
    assert expansion.cases
    assert sweep.name == name
    assert 0 < len(sweep.description.splitlines()) == 1
    assert len({one.case for one in expansion.cases}) == len(expansion.cases)


@pytest.mark.parametrize("name", ["forum", "groups", "quick"])
def test_sweeps_other_than_full_leave_nothing_out(name: str) -> None:
    assert not workloads.load(name).expand().excluded


def test_quick_is_small_and_touches_the_plain_operations_and_every_direction() -> None:
    cases = [one.case for one in workloads.load("quick").expand().cases]
    assert len(cases) <= 20
    assert max(map(flops, cases)) < 2e8
    assert {case.operation for case in cases} >= {"conv", "conv_shuffle"}
    assert {case.direction for case in cases} == set(DIRECTIONS)


def test_a_sweep_file_is_loaded_under_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('description = "µ"\n[[block]]\ngroups = 2', "utf-8")
    sweep = workloads.load(str(file))
    assert (sweep.name, sweep.description, len(sweep.blocks)) == ("mine", "µ", 1)


def test_an_unknown_sweep_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'froum' is not known; did you mean 'forum'\?.*\.toml"):
        workloads.load("froum")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), (b"\xff\xfe", "it is not UTF-8 text")],
)
def test_an_unreadable_sweep_file_is_refused_with_the_reason(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "s.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        workloads.load(str(file))
