from __future__ import annotations

import csv
import itertools
import re
from importlib import resources

import pytest

from gconvbench import workloads
from gconvbench.cases import Block, Case, Sweep, parameters, parse_case
from gconvbench.errors import UsageError
from gconvbench.workloads.tables import LARGEST_PLANE, SWEEPS

PAIRS = [("layers-small", "layers"), ("zoo-small", "zoo")]


def _table(name: str) -> list[dict[str, str]]:
    text = resources.files("gconvbench.workloads").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _cases(block: Block) -> list[Case]:
    """All of a block's cases, also those that its sweep has under another name already."""
    return [named.case for named in Sweep(blocks=(block,)).expand().cases]


def _block(sweep: str, name: str) -> Block:
    (block,) = [one for one in SWEEPS[sweep]().blocks if one.name == name]
    return block


def _in_pairs(small: str, whole: str) -> list[tuple[str, Case, Case]]:
    """(block, small case, published case) by groups and dtype, which no cut may change."""
    pairs = []
    for less, more in zip(SWEEPS[small]().blocks, SWEEPS[whole]().blocks, strict=True):
        assert less.name == more.name
        published = {(case.groups, case.dtype): case for case in _cases(more)}
        if less.name == "streams_200":
            published = {(20, dtype): case for (_, dtype), case in published.items()}
        cut = {(case.groups, case.dtype): case for case in _cases(less)}
        assert cut.keys() == published.keys()
        pairs += [(less.name, cut[key], published[key]) for key in cut]
    return pairs


@pytest.mark.parametrize("name", ["layers", "layers-small"])
def test_every_layer_of_the_table_is_a_block_named_after_its_network(name: str) -> None:
    blocks = SWEEPS[name]().blocks
    expected = [
        (f"{row['model']}/{row['layer']}", int(row["count"])) for row in _table("layers.csv")
    ]
    assert len(blocks) == 325
    assert [(block.name, block.count) for block in blocks] == expected
    assert len({block.name for block in blocks}) == 325
    assert len({block.name.partition("/")[0] for block in blocks}) == 30
    assert all(block.name.count("/") == 1 for block in blocks)


@pytest.mark.parametrize("direction", ["fprop", "training"])
def test_alexnets_second_convolution_is_as_published(direction: str) -> None:
    (case,) = [
        case for case in _cases(_block("layers", "alexnet_2tower/3")) if case.direction == direction
    ]
    assert case == Case(
        groups=2,
        batch=32,
        in_channels=96,
        out_channels=256,
        height=27,
        width=27,
        kernel_size=(5, 5),
        padding=(2, 2),
        bias=True,
        direction=direction,
    )


@pytest.mark.parametrize("layer", ["conv2", "conv4", "conv5"])
def test_the_forums_layers_are_those_of_the_sweep_that_is_written_out(layer: str) -> None:
    block = _block("layers", f"forum_74700/conv.{layer}_s1")
    written = [
        named
        for named in workloads.load("forum").expand().cases
        if named.name == f"forum/{layer}" and named.case.groups == 2
    ]
    for case in _cases(block):
        (other,) = [named for named in written if named.case.direction == case.direction]
        assert case.batch == 32
        assert case.input_shape[1:] == other.case.input_shape[1:]
        assert case.output_shape[1:] == other.case.output_shape[1:]
        assert case.weight_shape == other.case.weight_shape
        assert (case.bias, block.count) == (other.case.bias, other.count)


def test_layers_are_float32_contiguous_and_run_forward_and_in_training() -> None:
    for block in SWEEPS["layers"]().blocks:
        cases = _cases(block)
        assert {case.direction for case in cases} == {"fprop", "training"}
        assert {(case.batch, case.dtype, case.memory_format) for case in cases} == {
            (32, "float32", "contiguous")
        }


@pytest.mark.parametrize(("small", "whole"), PAIRS)
def test_a_small_case_differs_in_batch_plane_and_direction_alone(small: str, whole: str) -> None:
    kept = ("out_channels", "in_channels", "kernel_size", "stride", "padding", "bias", "dtype")
    for name, case, published in _in_pairs(small, whole):
        assert (case.batch, case.direction) == (1, "training"), name
        assert case.memory_format == published.memory_format, name
        if name != "streams_200":
            assert parameters(case) == parameters(published), name
            assert [getattr(case, field) for field in kept] == [
                getattr(published, field) for field in kept
            ], name


@pytest.mark.parametrize(("small", "whole"), PAIRS)
def test_a_small_plane_is_no_larger_than_published_and_than_its_window_needs(
    small: str, whole: str
) -> None:
    for name, case, published in _in_pairs(small, whole):
        for i, (size, before) in enumerate(
            [(case.height, published.height), (case.width, published.width)]
        ):
            needed = case.reach[i] + 3 * case.stride[i] - 2 * case.padding[i]
            assert 1 <= size <= before, name
            kept = max(4 if case.reach[i] > LARGEST_PLANE else LARGEST_PLANE, needed)
            assert size == min(before, kept), name
            outputs = case.output_size[i], published.output_size[i]
            assert outputs[0] >= min(4, outputs[1]), name


def test_layers_leave_nothing_out() -> None:
    assert not SWEEPS["layers"]().expand().excluded
    assert not SWEEPS["layers-small"]().expand().excluded


@pytest.mark.parametrize("name", ["zoo", "zoo-small"])
def test_every_row_of_the_zoo_runs_or_is_left_out_by_name(name: str) -> None:
    rows = _table("zoo.csv")
    sweep = SWEEPS[name]()
    assert [block.name for block in sweep.blocks] == [row["id"] for row in rows]
    excluded = sweep.expand().excluded
    words = {
        word
        for item in excluded
        for word in re.findall(r"[\w.]+", item.combination + " " + item.reason)
    }
    left_out = {row["id"] for row in rows if row["dtype"] == "int8" or row["height"] == "1"}
    assert len(excluded) == len(left_out) == 12
    assert words & {row["id"] for row in rows} == left_out
    flat = [item.combination for item in excluded if item.reason.startswith("1-D convolutions")]
    assert ["ph0pw15:" in flat[0], "ph0pw767:" in flat[1]] == [True, True]
    refused = [item.combination for item in excluded if "'int8' is not known" in item.reason]
    assert len(flat) + len(refused) == len(excluded)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "nhwc_cliff_a",
            "g32mb100ic2048ih14iw14oc2048kh3kw3sh2sw2ph1pw1:conv:float16:channels_last:training",
        ),
        (
            "inductor_dw_1.86x",
            "g58mb128ic58ih56iw56oc58kh3kw3sh2sw2ph1pw1:conv:float32:channels_last:training",
        ),
        (
            "dw31_replk",
            "g384mb64ic384ih256iw31oc384kh31kw31sh1sw1ph15pw15:conv:float16:contiguous:fprop",
        ),
        (
            "convnext_320",
            "g192mb1ic192ih80iw80oc192kh7kw7sh1sw1ph3pw3:conv:float32:contiguous:fprop",
        ),
        (
            "pr3265_dw_1024_7_s1",
            "g1024mb64ic1024ih7iw7oc1024kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:training",
        ),
    ],
)
def test_a_reported_case_is_run_as_reported(row: str, expected: str) -> None:
    assert _cases(_block("zoo", row)) == [parse_case(expected)]


@pytest.mark.parametrize(
    ("row", "largest"),
    [
        ("titanx_1024_256", 256),
        ("titanx_1024_512", 512),
        ("titanx_1024_1024", 1024),
        ("titanx_1024_2048", 1024),
    ],
)
def test_a_list_of_groups_doubles_up_to_the_fewer_channels(row: str, largest: int) -> None:
    groups = [case.groups for case in _cases(_block("zoo", row))]
    assert groups[0] == 1
    assert groups[-1] == largest
    assert all(after == 2 * before for before, after in itertools.pairwise(groups))


def test_a_list_of_dtypes_becomes_several_cases() -> None:
    dtypes = [case.dtype for case in _cases(_block("zoo", "autocast_dw_k7"))]
    assert dtypes == ["float32", "float16", "bfloat16"]


def test_only_cases_reported_with_a_bias_have_one() -> None:
    biased = {block.name for block in SWEEPS["zoo"]().blocks if block.axes["bias"] == (True,)}
    assert biased == {"tileops_resnext", "cba_dw"}


def test_two_hundred_streams_become_twenty_of_the_same_width() -> None:
    (case,) = _cases(_block("zoo-small", "streams_200"))
    (published,) = _cases(_block("zoo", "streams_200"))
    assert (published.groups, case.groups) == (200, 20)
    assert case.group_in_channels == published.group_in_channels == 512
    assert case.group_out_channels == published.group_out_channels == 512
    assert parameters(published) == 10 * parameters(case)


def test_small_sweeps_say_what_they_cut() -> None:
    for name in ("layers-small", "zoo-small"):
        description = SWEEPS[name]().description
        assert "batch cut to 1" in description
        assert "planes" in description
        assert f"to {LARGEST_PLANE} pixels" in description
    assert "streams_200 to 20 groups" in SWEEPS["zoo-small"]().description
    assert "leaves out 10 in int8 and 2 in one dimension" in SWEEPS["zoo"]().description


def test_tables_are_sweeps_like_the_others() -> None:
    assert set(SWEEPS) < set(workloads.names())
    for name in SWEEPS:
        assert workloads.load(name) == SWEEPS[name]()
    with pytest.raises(UsageError, match=r"did you mean 'layers'"):
        workloads.load("layer")
