"""What is said of a layer, a network and a file, at 80 columns."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gconvbench import workloads
from gconvbench.cases import Case
from gconvbench.records import (
    Assumed,
    Connections,
    Equality,
    FileExplanation,
    FileLayer,
    Launched,
    Launches,
    LayerTimes,
    Span,
    TwoLayers,
)
from gconvbench.report.explanation import (
    LayerExplained,
    file_lines,
    is_wrong,
    layer_lines,
    layer_times,
    network_lines,
    times_plan,
)
from gconvbench.report.explanation.further import use_lines
from gconvbench.report.explanation.network import exact_word
from gconvbench.report.explanation.sentences import headline
from gconvbench.workloads.networks import _tabled
from tests.fakes import make_explanation, make_record, make_records, make_run

CASES = {
    "ordinary": Case(in_channels=3, out_channels=8),
    "halves": Case(groups=2, in_channels=96, out_channels=192, padding=(1, 1), bias=True),
    "many": Case(groups=32, in_channels=128, out_channels=256, dtype="bfloat16"),
    "too few between": Case(groups=8, in_channels=64, out_channels=16, direction="training"),
    "depthwise": Case(groups=1024, in_channels=1024, out_channels=1024, kernel_size=(7, 3)),
    "wider than any screen": Case(
        groups=3, in_channels=3**9, out_channels=3**10, batch=512, height=999, width=1234,
        stride=(2, 3), dilation=(1, 2), math_mode="tf32", memory_format="channels_last",
    ),
}  # fmt: skip
TIMES = LayerTimes(
    grouped_s=1.29e-3, grouped_half_width=0.02, ungrouped_s=1.8e-3, ungrouped_half_width=0.02,
    ratio=0.717, ratio_half_width=0.03, rounds=5, advice="use native; nothing else was measured",
)  # fmt: skip
LAYER = """
net/conv: Conv2d(6, 4, 3, padding=1, groups=2, bias=False) on 1x6x24x24, float32
Nothing is lost to the groups: every input channel reaches outputs. Each output
sees 3 of the 6 inputs, for half of the weights and half of the work.

  weight      4 filters of 3 x 3 x 3: shape (4, 3, 3, 3), as a state dict shows
              it, since each filter looks at 6/2 = 3 inputs; without groups (4,
              6, 3, 3)
  cost        108 parameters against 216 without groups (0.500); 124 kFLOP
              against 249 kFLOP (0.500); at least 22.9 KiB against 23.3 KiB
              (0.982) to read and write
  same as     splitting the channels, 2 convolutions, concatenating: they differ
              by 2.4e-07 at most, where results reach 3.2; on integers, which
              need no rounding, both are bit-equal to the exact result
  who sees    NaN put into one input channel at a time, all 6 in turn at this
              layer's size, turns 2 of 4 outputs NaN: every input reaches some.
              An output sees its own group's 3 (output 0: inputs 0-2); the other
              3 it cannot see

              inputs 0 to 5
  outputs     ██████······
  0 to 3      ██████······
              ······██████
              ······██████
              ██ sees   ·· does not see

  two layers  a second layer (1x1, 2 groups) right behind it sees 3 of the 6
              inputs; with a channel shuffle between them all 6: 4 channels
              between them are at least 2 x 2 groups
  one device  one launch does both groups: 1 operator (mkldnn_convolution),
              running 3 oneDNN kernels (convolution(jit:avx2), 2x reorder).
              Split by hand: 3 operators (2x _slow_conv2d_forward, cat)
  two devices not needed. With a group each the second would be sent 6.75 KiB of
              the input and send back 4.50 KiB of the output in each forward
              pass, for the same result; AlexNet did so in 2012, as the 3 GB of
              one card were too little
  time        native takes 1.290 ms with 2 groups against 1.80 ms with 1, 0.717
              times (± 3.0 %, 95 %), in 5 round(s) of fresh processes: here the
              groups save time
  advice      use native; nothing else was measured
"""
FILE = """
net.pt (torch): 9 tensors under 'state_dict', 2 other entries ignored; 3
convolutions, 1 of them grouped as far as one can tell. What follows was
computed with the file's own weights.

  weight                  shape    groups  differs  exact  sees
  conv1                   6x3x5x5  1 a
  conv2                   4x3x3x3  2 b     2.4e-07  yes    3 of 6
  a.very.lon…layer.�[31m  5x3x1x1  1 e
  a  nothing precedes it: one group is assumed
  b  assumed: as many channels enter as leave the convolution or normalisation
     before
  e  what precedes it does not fit its shape: one group is assumed
  differs: native from splitting, at most; exact: whether both are the exact
     result on integers (?: not checked)

  conv2: groups 2 assumed, as 6 channels come from conv1; else 1, 4, with 3
    inputs a group
  a.very.long.name.of.a.layer.�[31m: groups 1 assumed, as 4 channels come from
    conv2, which does not fit 3 per group and 5 outputs; else 5, with 3 inputs a
    group
A weight (K, C/g, R, S) does not tell g. Nor does a file tell the input's size,
stride, padding or dilation (8x8 pixels or the window are used here), nor
whether a convolution is transposed, whose weight looks alike. --groups NAME=G
says what you know.
"""


def text(case: Case, **changes: Any) -> str:
    return " ".join("\n".join(layer_lines(make_explanation(case, **changes))).split())


@pytest.mark.parametrize("name", CASES)
def test_it_fits_eighty_columns(name: str) -> None:
    if name.startswith("wider"):
        seen = Connections(rows=(), probe="p", is_own_size=False, note="it takes too long")
        lines = layer_lines(make_explanation(CASES[name], connections=seen, times=TIMES))
    else:
        lines = layer_lines(make_explanation(CASES[name], times=TIMES))
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith(" ") for line in lines)


def test_a_layer_in_a_dozen_lines() -> None:
    case = Case(groups=2, in_channels=6, out_channels=4, height=24, width=24, padding=(1, 1))
    lines = layer_lines(make_explanation(case, times=TIMES, name="net/conv"))

    assert "\n".join(lines) == LAYER.strip("\n")


def test_a_file_says_what_it_assumed_and_what_else_it_could_be() -> None:
    assert "\n".join(file_lines(make_file())) == FILE.strip("\n")


def make_file() -> FileExplanation:
    case = Case(groups=2, in_channels=6, out_channels=4)
    second = Assumed(
        groups=2, kind="previous", why="6 channels come from conv1", possible=(1, 2, 4)
    )
    why = "4 channels come from conv2, which does not fit 3 per group and 5 outputs"
    third = Assumed(groups=1, kind="impossible", why=why, possible=(1, 5))
    return FileExplanation(
        path="net.pt",
        form="torch",
        nested="state_dict",
        layers=(
            FileLayer(
                name="conv1.weight", shape=(6, 3, 5, 5), dtype="float32",
                assumed=Assumed(groups=1, kind="first", why="nothing precedes it", possible=(1,)),
            ),
            FileLayer(
                name="conv2.weight", shape=(4, 3, 3, 3), dtype="float32", assumed=second,
                explanation=make_explanation(case),
            ),
            FileLayer(
                name="a.very.long.name.of.a.layer.\x1b[31m.weight", shape=(5, 3, 1, 1),
                dtype="float32", assumed=third,
            ),
        ),
        tensors=9,
        ignored=2,
    )  # fmt: skip


def test_names_of_a_file_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in "\n".join(file_lines(make_file()))


def test_parameters_work_and_bytes_stand_with_groups_and_without() -> None:
    said = text(CASES["halves"])

    assert "192 filters of 48 x 3 x 3: shape (192, 48, 3, 3), as a state dict shows it" in said
    assert "without groups (192, 96, 3, 3)" in said
    assert "83,136 parameters against 166,080 without groups (0.501)" in said
    assert "130 MFLOP against 260 MFLOP (0.500)" in said
    assert "for half of the weights and half of the work" in said


def test_equal_and_unequal_results_make_other_words() -> None:
    right = make_explanation(CASES["halves"])
    assert right.equality is not None
    wrong = {"output": "different"}
    unchecked = {"output": "not checked: partial sums would be rounded"}
    same = replace(right.equality, largest_difference=0.0)

    assert "both are bit-equal to the exact result" in text(CASES["halves"])
    assert "results are the same, bit by bit" in text(CASES["halves"], equality=same)
    for native, split, words in (
        (wrong, wrong, "on integers both: different"),
        (wrong, unchecked, "on integers native: different; split: not checked: partial sums"),
        (unchecked, unchecked, "on integers both: not checked: partial sums would be rounded"),
    ):
        equality = replace(right.equality, native=native, split=split)
        assert words in text(CASES["halves"], equality=equality)
        assert is_wrong(replace(right, equality=equality)) == (native is wrong)


def test_faults_of_the_proof_are_said_and_make_it_wrong() -> None:
    equality = Equality(
        largest_difference=1.0, largest_magnitude=2.0, native={}, split={}, faults=("it is off",)
    )
    found = make_explanation(CASES["halves"], equality=equality)

    assert is_wrong(found)
    assert "but the proof finds the native result wrong: it is off" in text(
        CASES["halves"], equality=equality
    )


@pytest.mark.parametrize(
    ("case", "seen", "words"),
    [
        ("halves", (96, 96), "all 96: 192 channels between them are at least 2 x 2 groups"),
        ("too few between", (16, 16), "16: it cannot mix all, as 16 channels between them are"),
        ("halves", (90, 96), "with a channel shuffle between them 90 to 96 one device"),
    ],
)
def test_the_reach_of_two_layers_is_what_was_seen(
    case: str, seen: tuple[int, int], words: str
) -> None:
    two = TwoLayers(without=Span(fewest=8, most=8), shuffled=Span(fewest=seen[0], most=seen[1]))
    assert words in text(CASES[case], two_layers=two)


@pytest.mark.parametrize(
    ("operators", "words"),
    [
        (
            {"aten::conv": 1, "aten::add_": 1},
            "one launch does both groups: 2 operators (conv, add_",
        ),
        ({"aten::slow_conv2d": 2, "aten::cat": 1}, "PyTorch itself splits the groups here"),
        ({"aten::conv": 1, "aten::conv_backward": 1}, "one launch does both groups"),
        ({"aten::mm": 7}, "a launch runs 7 operators (7x mm)"),
    ],
)
def test_who_does_the_groups_is_told_from_what_ran(operators: dict[str, int], words: str) -> None:
    ran = tuple(Launched(name, count) for name, count in operators.items())
    native = Launches(operators=ran, kernels=None, note="kernels of CUDA are not seen")
    said = text(CASES["halves"], native=native)

    assert words in said
    assert "(kernels of CUDA are not seen)" in said


def test_what_a_second_device_would_be_sent_follows_from_the_shape() -> None:
    case = Case(groups=3, in_channels=6, out_channels=3, height=16, width=16, padding=(1, 1))

    assert (
        "With 2 and 1 groups the second would be sent 2.00 KiB of the input and send back 1.00 KiB"
        in text(case)
    )


def test_times_stand_with_groups_and_without_and_end_in_advice() -> None:
    said = text(CASES["halves"], times=TIMES)

    assert "native takes 1.290 ms with 2 groups against 1.80 ms with 1, 0.717 times" in said
    assert "(± 3.0 %, 95 %), in 5 round(s)" in said
    assert said.endswith("use native; nothing else was measured")


def test_times_of_a_run_are_paired_by_round() -> None:
    case = CASES["halves"]
    whole = replace(case, groups=1)
    records = [
        *make_records("native", 1e-3, 2e-3, case=case),
        *make_records("native", 2e-3, 4e-3, case=whole),
        make_record("split_concat", case=case, outcome="failed"),
    ]
    times = layer_times(make_run(records, plan=times_plan(case, ("native",), 2)), case)

    assert times.ratio == pytest.approx(0.5)
    assert times.ratio_half_width == pytest.approx(0.0, abs=1e-9)
    assert times.grouped_s == pytest.approx(1.5e-3)
    assert times.ungrouped_s == pytest.approx(3e-3)
    assert times.advice.startswith("use native")


def test_without_a_time_for_one_group_the_reason_stands_there() -> None:
    case = CASES["halves"]
    records = [
        make_record("native", case=case),
        make_record("native", case=replace(case, groups=1), outcome="out_of_memory"),
    ]
    times = layer_times(make_run(records, plan=times_plan(case, ("native",), 1)), case)

    assert times.ratio is None
    assert "native with groups 1 has no time: out_of_memory: it out_of_memory" in text(
        case, times=times
    )


def test_an_ordinary_convolution_is_timed_alone() -> None:
    case = CASES["ordinary"]
    plan = times_plan(case, ("native",), 1)
    times = layer_times(make_run([make_record("native", case=case)], plan=plan), case)

    assert len(plan.cases) == 1
    assert "native takes 1.0 ms a launch" in text(case, times=times)


def test_the_forum_totals_come_from_its_sweep() -> None:
    network = workloads.network("forum")
    found = [make_explanation(one.case, name=one.name) for one in network.grouped]
    said = " ".join("\n".join(network_lines(network, found)).split())

    assert "4,868,056 parameters against 5,467,096 with one group everywhere (0.890)" in said
    assert "3.49 GFLOP against 4.85 GFLOP (0.720)" in said
    assert "conv2 4 192x48x3x3 1/2 2.4e-07 yes 48 of 96" in said


@pytest.mark.parametrize("name", sorted(_tabled()))
def test_every_network_fits_eighty_columns(name: str) -> None:
    network = workloads.network(name)
    found = [make_explanation(one.case) for one in network.grouped]

    assert max(map(len, network_lines(network, found))) <= 80


def test_a_wrong_layer_of_a_network_is_marked() -> None:
    network = workloads.network("forum")
    found = [make_explanation(one.case) for one in network.grouped]
    seen = replace(found[0].connections, rows=("0-95",) * 192)
    found[0] = replace(found[0], connections=seen)

    assert "96 of 96, WRONG" in "\n".join(network_lines(network, found))


def test_a_file_without_groups_is_said_to_have_none() -> None:
    file = replace(make_file(), layers=make_file().layers[:1])

    assert "1 convolution, 0 of them grouped" in " ".join(file_lines(file))


def test_the_object_gives_what_it_says_as_data() -> None:
    explained = LayerExplained(make_explanation(CASES["halves"], times=TIMES))

    assert explained.case == CASES["halves"]
    assert explained.sees[0] == list(range(48))
    assert explained.answer.startswith("Nothing is lost to the groups")
    assert explained.times == TIMES
    assert not explained.is_wrong


@pytest.mark.parametrize(
    ("native", "word"),
    [
        ("equal", "yes"),
        ("different", "NO"),
        ("not checked: too few", "?"),
        ("equal when rounded: the kernel does not sum integers, as with Winograd", "rounded"),
    ],
)
def test_tables_have_a_word_for_each_verdict_on_integers(native: str, word: str) -> None:
    equality = Equality(
        largest_difference=0.0,
        largest_magnitude=1.0,
        native={"output": native, "grad_input": "equal"},
        split={"output": "equal", "grad_input": "equal"},
    )
    assert exact_word(equality) == word


@pytest.mark.parametrize(
    ("ratio", "half_width", "words"),
    [
        (0.7, 0.1, ": here the groups save time"),
        (1.4, 0.1, ": here the groups cost time"),
        (0.95, 0.1, ": no clear difference"),
        (0.7, None, " of fresh processes"),
    ],
)
def test_whether_groups_pay_is_said_as_far_as_the_interval_tells(
    ratio: float, half_width: float | None, words: str
) -> None:
    times = replace(TIMES, ratio=ratio, ratio_half_width=half_width)
    lines = use_lines(make_explanation(CASES["halves"], times=times))

    assert lines[0].text.endswith(words)


def test_what_is_passed_over_for_another_reason_is_said() -> None:
    skipping = replace(CASES["halves"], kernel_size=(1, 1), padding=(0, 0), stride=(2, 2))

    assert "stride skips pixels" in headline(make_explanation(skipping))
    assert "stride" not in headline(make_explanation(CASES["halves"]))
