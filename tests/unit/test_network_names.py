"""Networks by name, out of the shipped sweeps and of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gconvbench import workloads
from gconvbench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_forum_network_is_whole_and_as_grouped_as_it_is() -> None:
    network = workloads.network("forum")

    assert network.is_whole
    assert [one.name for one in network.layers] == [
        "conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8",
    ]  # fmt: skip
    assert [one.name for one in network.grouped] == ["conv2", "conv4", "conv5"]
    assert network.example.name == "conv2"
    assert all(one.case.direction == "fprop" for one in network.layers)


def test_networks_of_the_table_are_their_grouped_layers_on_one_image() -> None:
    network = workloads.network("mobilenet_v2")

    assert not network.is_whole
    assert {one.case.batch for one in network.layers} == {1}
    assert network.example == network.grouped[0]  # all are depthwise


def test_a_sweep_file_of_a_network_is_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'network = "mine"\n[[block]]\nname = "a"\ngroups = [1, 4]\nchannels = 8\nsize = 9\n'
    )
    network = workloads.network(str(path))

    assert network.name == "mine"
    assert [(one.name, one.case.groups) for one in network.layers] == [("a", 4)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("resnext", "model 'resnext' is not known; did you mean 'resnext"),
        ("", "model '' is not known; allowed: forum, alexnet"),
        ("nowhere.toml", "sweep file 'nowhere.toml' cannot be read"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        workloads.network(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[block]]\ngroups = 2\n", "has no key network"),
        ('network = "x"\n[[block]]\nname = "a"\ngroups = 1\n', "has no layer with groups"),
        ('network = "x"\n[[block]]\ngroups = 2\n', "has no layer with groups"),
    ],
)
def test_a_sweep_that_is_no_grouped_network_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match=reason):
        workloads.network(str(path))
