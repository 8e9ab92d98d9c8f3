"""What is seen of a layer by launching it, and what is said where it is computed wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.cases import Case, case_id, parse_case
from gconvbench.errors import UsageError
from gconvbench.explaining import Explainer, Place, explain_layer, explainer, poison
from gconvbench.explaining.two_layers import two_layers_of
from gconvbench.implementations.block_diagonal import BlockDiagonal
from gconvbench.implementations.native import Native
from gconvbench.protocol import ExplainLayer, Ready, Refused, SetUp
from gconvbench.records import Environment, Explanation, Span, channels_of, ranges_text
from gconvbench.report.explanation import LayerExplained, is_wrong
from gconvbench.settings import preserved_settings
from tests.fakes import make_header

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Place("cpu", "a processor", "box", 0)
TWO = Case(groups=2, in_channels=6, out_channels=6, height=5, width=5, padding=(1, 1))
BY_HAND = ("0-2", "0-2", "0-2", "3-5", "3-5", "3-5")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class LosesChannel(Native):
    """Looks at channel 0 twice and never at channel 1."""

    def forward(self, case: Case, x: Any, weight: Any, bias: Any) -> Any:
        order = [0, 0, *range(2, case.in_channels)]
        return super().forward(case, x[:, order], weight, bias)


class SwapsGroups(Native):
    """Gives each group's filters the other group's inputs."""

    def forward(self, case: Case, x: Any, weight: Any, bias: Any) -> Any:
        return super().forward(case, x.roll(case.group_in_channels, dims=1), weight, bias)


def text(found: Explanation) -> str:
    return " ".join(repr(LayerExplained(found)).split())


def test_every_channel_is_poisoned_and_shows_what_it_reaches() -> None:
    found = explain_layer(TWO, HERE).connections

    assert found.rows == BY_HAND
    assert found.is_own_size
    assert found.probe == case_id(TWO)


@pytest.mark.parametrize(
    ("case", "sees"),
    [
        (replace(TWO, groups=1), ["0-5"] * 6),
        (replace(TWO, groups=6), ["0", "1", "2", "3", "4", "5"]),
        (replace(TWO, groups=3, out_channels=3), ["0-1", "2-3", "4-5"]),
        (replace(TWO, out_channels=2, batch=3, direction="training"), ["0-2", "3-5"]),
        (replace(TWO, dtype="bfloat16", memory_format="channels_last"), list(BY_HAND)),
        (replace(TWO, stride=(3, 2), dilation=(2, 1), padding=(4, 0)), list(BY_HAND)),
    ],
)
def test_any_layer_shows_its_blocks(case: Case, sees: Sequence[str]) -> None:
    assert explain_layer(case, HERE).connections.numbers == tuple(sees)


def test_what_takes_too_long_at_its_own_size_is_seen_on_a_smaller_one_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(poison, "_OWN_SIZE_FLOPS", 1)
    monkeypatch.setattr(poison, "IMAGES", 4)  # 6 channels: the second launch has fewer
    found = explain_layer(replace(TWO, height=40), HERE)

    assert found.connections.rows == BY_HAND
    assert not found.connections.is_own_size
    assert parse_case(found.connections.probe).input_shape == (1, 6, 3, 3)
    assert "on 3x3 pixels instead of its own size" in text(found)


def test_what_takes_too_long_at_any_size_is_not_seen_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(poison, "_MOST_FLOPS", 1)
    found = explain_layer(TWO, HERE)

    assert found.connections.rows == ()
    assert found.two_layers is None
    assert not is_wrong(found)
    assert "What reaches what was not seen: to poison 6 channels takes" in text(found)


def test_a_layer_whose_windows_lie_on_padding_is_seen_without_it() -> None:
    lonely = Case(
        groups=2, in_channels=4, out_channels=4, height=1, width=1, kernel_size=(2, 2),
        dilation=(3, 3), padding=(2, 2),
    )  # fmt: skip
    found = explain_layer(lonely, HERE)

    assert not is_wrong(found)
    assert found.connections.rows == ("0-1", "0-1", "2-3", "2-3")


def test_a_right_layer_is_called_right() -> None:
    found = explain_layer(TWO, HERE)

    assert not is_wrong(found)
    assert "Nothing is lost to the groups: every input channel reaches outputs" in text(found)
    assert (
        "An output sees its own group's 3 (output 0: inputs 0-2); the other 3 it cannot see"
        in text(found)
    )
    assert found.equality is not None
    assert found.equality.native == found.equality.split == {"output": "equal"}
    assert found.equality.largest_difference is not None
    assert found.equality.largest_difference < 1e-5


def test_a_lost_channel_is_found_and_said() -> None:
    found = explain_layer(TWO, HERE, native=LosesChannel())

    assert is_wrong(found)
    assert "Information is lost: 1 of 6 inputs reach no output; outputs see 2 to 3" in text(found)
    assert "1 inputs reach none, and 3 of 6 outputs do not see exactly" in text(found)
    assert "Nothing is lost to the groups" not in text(found)
    assert "every input reaches some" not in text(found)
    assert "the proof finds the native result wrong" in text(found)


def test_swapped_groups_are_found_although_every_count_is_right() -> None:
    found = explain_layer(TWO, HERE, native=SwapsGroups())

    assert is_wrong(found)
    assert "This is not a grouped convolution: 6 outputs see inputs of another group" in text(found)
    assert "native: different; split: equal" in text(found)
    assert "Nothing is lost to the groups" not in text(found)


def test_a_kernel_that_multiplies_other_groups_by_zero_lets_nan_through_and_nothing_else() -> None:
    found = explain_layer(TWO, HERE, native=BlockDiagonal())

    assert found.connections.rows == ("0-5",) * 6
    assert found.connections.finite == BY_HAND
    assert not is_wrong(found)
    assert "6 of 6 outputs NaN: not exactly its group, since the kernel multiplies" in text(found)
    assert "A one among zeros reaches 3: every input reaches some" in text(found)
    assert "Each output sees 3 of the 6 inputs" in text(found)


@pytest.mark.parametrize(
    ("channels", "groups", "without", "shuffled"),
    [
        (8, 2, (4, 4), (8, 8)),
        (16, 4, (4, 4), (16, 16)),
        (12, 4, (3, 3), (9, 9)),  # 3 a group, and so 3 of 4 groups
        (4, 4, (1, 1), (1, 1)),
    ],
)
def test_a_shuffle_mixes_all_groups_where_there_are_channels_enough(
    channels: int, groups: int, without: tuple[int, int], shuffled: tuple[int, int]
) -> None:
    case = replace(TWO, groups=groups, in_channels=channels, out_channels=channels)
    found = two_layers_of(Native(), case, seed=0, device="cpu")

    assert found is not None
    assert found.without == Span(fewest=without[0], most=without[1])
    assert found.shuffled == Span(fewest=shuffled[0], most=shuffled[1])


def test_unequal_shares_behind_a_shuffle_are_a_span() -> None:
    case = replace(TWO, groups=3, in_channels=6, out_channels=6)
    found = two_layers_of(Native(), case, seed=0, device="cpu")

    assert found is not None
    assert found.shuffled == Span(fewest=4, most=4)
    assert "it cannot mix all, as 6 channels between them are fewer than 3 x 3" in text(
        explain_layer(case, HERE)
    )


@pytest.mark.parametrize(
    ("error", "was_tried"),
    [(UsageError("no such thing"), False), (RuntimeError("out of\nluck"), True)],
)
def test_what_fails_is_told_from_wrong_use(
    monkeypatch: pytest.MonkeyPatch, *, error: Exception, was_tried: bool
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(explainer, "explain_layer", fail)
    environment = Environment(identity={}, under_test={}, soft={})
    method = make_header().method
    mine = Explainer(SetUp("cpu", method), Ready(environment, "box", ()))
    with preserved_settings("cpu"):
        answer = mine.answer(ExplainLayer(case_id(TWO)))

    assert isinstance(answer, Refused)
    assert answer.was_tried == was_tried
    assert "\n" not in answer.reason


def test_launches_are_counted_for_native_and_for_splitting() -> None:
    found = explain_layer(replace(TWO, groups=3), HERE)

    assert found.native.operators is not None
    assert found.split is not None
    assert found.split.operators is not None
    native = {one.name: one.count for one in found.native.operators}
    split = {one.name: one.count for one in found.split.operators}
    assert [count for name, count in native.items() if "conv" in name] == [1]
    assert [count for name, count in split.items() if "conv" in name] == [3]
    assert split["aten::cat"] == 1
    assert "one launch does all 3 groups" in text(found)


def test_of_an_ordinary_convolution_nothing_is_said_about_groups() -> None:
    found = explain_layer(replace(TWO, groups=1), HERE)

    assert (found.equality, found.split, found.two_layers) == (None, None, None)
    assert "An ordinary convolution, without groups: every output sees all 6 inputs" in text(found)
    for word in ("shuffle", "two devices", "splitting", "██"):
        assert word not in text(found)


def test_of_a_shuffled_operation_the_convolution_is_explained_and_said_to_be() -> None:
    asked = replace(TWO, operation="conv_shuffle")
    found = explain_layer(asked, HERE)

    assert (found.case, found.asked) == (case_id(TWO), case_id(asked))
    assert "conv_shuffle: its convolution is explained" in text(found)


def test_results_of_every_direction_are_compared() -> None:
    found = explain_layer(replace(TWO, direction="training", bias=True), HERE)

    assert found.equality is not None
    assert set(found.equality.native) == {"output", "grad_input", "grad_weight", "grad_bias"}


def test_a_given_weight_is_the_one_that_is_launched() -> None:
    weight = torch.full((6, 3, 3, 3), torch.nan)
    found = explain_layer(TWO, HERE, weight=weight)

    assert found.connections.note == "results are not finite without any poison, either"
    assert found.equality is not None
    assert found.equality.largest_difference is None
    assert "results are not finite" in text(found)


@pytest.mark.parametrize("channels", [[], [0], [0, 1], [1, 2, 3, 7, 9, 10]])
def test_channels_survive_as_ranges(channels: list[int]) -> None:
    assert channels_of(ranges_text(channels)) == channels
    assert ranges_text([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
