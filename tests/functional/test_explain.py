"""`gconvbench explain` in real processes, and `gconvbench.explain` in a real notebook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
import torch
from safetensors.torch import save_file

from gconvbench.cases import Case, case_id
from tests.functional.conftest import SMALL, WITHOUT_PLUGIN
from tests.functional.test_notebook import execute
from tests.unit.test_checkpoint import Hostile, make_weights

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Command

TINY = Case(groups=2, in_channels=4, out_channels=4, height=6, width=6, padding=(1, 1))


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_forum_network_answers_the_question(gconvbench: Command) -> None:
    outcome = gconvbench("explain", "--model", "forum", "--device", "cpu")
    said = words(outcome.out)

    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    assert max(map(len, outcome.out.splitlines())) <= 80
    for words_ in (
        "is half of the information lost, and what does it cost?",
        "Conv2d(6, 6, 3, padding=1, groups=2, bias=False) on 1x6x24x24, float32",
        "Each output sees 3 of the 6 inputs, for half of the weights and half of the work.",
        "forum/conv2: Conv2d(96, 192, 3, padding=1, groups=2) on 1x96x50x17, float32",
        "Nothing is lost to the groups: every input channel reaches outputs.",
        "shape (192, 48, 3, 3), as a state dict shows it",
        "both are bit-equal to the exact result",
        "with a channel shuffle between them all 96",
        "one launch does both groups",
        "conv4 4 256x128x3x3 1/2",
        "4,868,056 parameters against 5,467,096 with one group everywhere (0.890)",
    ):
        assert words_ in said


def test_without_options_the_questions_own_layer_is_explained(gconvbench: Command) -> None:
    outcome = gconvbench("explain", "--device", "cpu")

    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("Conv2d(6, 6, 3, padding=1, groups=2, bias=False)")
    assert "██████······" in outcome.out


def test_a_case_by_its_id_and_layers_by_axes_are_explained(gconvbench: Command) -> None:
    by_id = gconvbench("explain", "--case", case_id(TINY), "--device", "cpu")
    by_axes = gconvbench("explain", *SMALL, "-a", "groups=1,2,4", "-a", "device=cpu")

    assert by_id.code == by_axes.code == 0, by_id.err + by_axes.err
    assert by_id.out.splitlines()[0] in by_axes.out.splitlines()
    assert by_axes.out.count("Nothing is lost to the groups") == 2
    assert by_axes.out.count("An ordinary convolution") == 1


def test_documents_say_what_was_seen_one_per_line(gconvbench: Command) -> None:
    outcome = gconvbench("explain", "--model", "forum", "--device", "cpu", "--json")
    example, conv2, *_ = outcome.lines

    assert outcome.code == 0, outcome.err
    assert len(outcome.lines) == 4
    assert {line["kind"] for line in outcome.lines} == {"explanation"}
    assert example["connections"]["rows"] == ["0-2"] * 3 + ["3-5"] * 3
    assert (conv2["name"], conv2["equality"]["native"]) == ("conv2", {"output": "equal"})


def test_times_stand_with_groups_and_without(gconvbench: Command) -> None:
    options = ("--case", case_id(TINY), "--device", "cpu", "--time", "--rounds", "2")
    outcome = gconvbench("explain", *options, "--json", **WITHOUT_PLUGIN)
    (document,) = outcome.lines

    assert outcome.code == 0, outcome.err
    assert document["times"]["grouped_s"] > 0
    assert document["times"]["ungrouped_s"] > 0
    assert document["times"]["rounds"] == 2
    assert document["times"]["advice"].startswith("use ")
    assert "measuring 2 groups against 1 in 2 round(s)" in outcome.err
    assert not gconvbench.results.exists()
    assert not [path for path in gconvbench.folder.glob("gconvbench-*") if path.is_dir()]


@pytest.mark.parametrize("form", ["torch", "safetensors"])
def test_a_file_is_explained_with_what_was_assumed(gconvbench: Command, form: str) -> None:
    path = gconvbench.folder / "net.bin"
    if form == "torch":
        torch.save({"state_dict": make_weights()}, path)
    else:
        save_file(make_weights(), path)
    outcome = gconvbench("explain", "--state-dict", "net.bin", "--device", "cpu")
    said = words(outcome.out)

    assert outcome.code == 0, outcome.err
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert f"net.bin ({form}" in said
    assert "3 convolutions, 2 of them grouped as far as one can tell" in said
    assert "conv2: groups 2 assumed, as 6 channels come from conv1; else 1, 4" in said
    assert "A weight (K, C/g, R, S) does not tell g." in said


def test_known_groups_are_used(gconvbench: Command) -> None:
    torch.save(make_weights(), gconvbench.folder / "net.pt")
    options = ("--state-dict", "net.pt", "--groups", "conv2=4", "--device", "cpu", "--json")
    outcome = gconvbench("explain", *options)
    layer = outcome.lines[1]

    assert outcome.code == 0, outcome.err
    assert (layer["kind"], layer["assumed"]["groups"]) == ("layer", 4)
    assert layer["explanation"]["connections"]["rows"] == ["0-2", "3-5", "6-8", "9-11"]


def test_a_hostile_file_is_refused_and_not_run(gconvbench: Command) -> None:
    trace = gconvbench.folder / "trace"
    torch.save({"w": Hostile(f"touch {trace}")}, gconvbench.folder / "net.pt")
    outcome = gconvbench("explain", "--state-dict", "net.pt", "--device", "cpu")

    assert outcome.code == 2
    assert "which would have to run code of the file; save torch.save(model.state_dict()" in (
        outcome.err
    )
    assert not trace.exists()


def test_a_damaged_file_is_refused(gconvbench: Command) -> None:
    for name in ("net.pt", "net.safetensors"):
        (gconvbench.folder / name).write_bytes(b"PK\x03\x04 but no more of it")
        outcome = gconvbench("explain", "--state-dict", name, "--device", "cpu")

        assert outcome.code == 2
        assert "readable" in outcome.err
        assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--model", "resnext"], "model 'resnext' is not known; did you mean 'resnext"),
        (["--case", "g2"], "case id 'g2': field 'ic' is missing"),
        (["-a", "groups=3", "-a", "channels=4"], "no possible case is left"),
        (["--model", "forum", "--case", "x"], "--model and --case and -a each name layers"),
        (["--state-dict", "x", "--model", "forum"], "--state-dict and --model each name layers"),
        (["--state-dict", "missing.pt"], "'missing.pt' cannot be read: No such file"),
        (["--groups", "a=2"], "--groups is about a file's weights"),
        (["--state-dict", "x", "--groups", "a"], "groups 'a' must be a weight's name and a number"),
        (["--state-dict", "x", "--groups", "a=0"], "groups 'a=0' must be"),
        (
            ["--state-dict", "x", "--groups", "a=2", "--groups", "a=4"],
            "groups of 'a' are given twice",
        ),
        (["--state-dict", "x", "--time"], "--time needs an input's size"),
        (["--device", "tpu"], "device 'tpu' is not known"),
        (["-a", "math_mode=tf32", "-a", "device=cpu"], "math_mode tf32 does not exist on cpu"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    gconvbench: Command, options: list[str], reason: str
) -> None:
    outcome = gconvbench("explain", *options, CUDA_VISIBLE_DEVICES="")

    assert outcome.code == 2
    assert reason in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_a_convolution_that_is_wrong_here_ends_with_6(gconvbench: Command) -> None:
    """A torch whose convolution swaps the groups, as a broken library would."""
    (gconvbench.folder / "sitecustomize.py").write_text(
        """
import sys

if "gconvbench.worker" in sys.orig_argv:
    import torch.nn.functional as F

    right = F.conv2d

    def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        shifted = x.roll(x.shape[1] // groups, dims=1) if groups > 1 else x
        return right(shifted, weight, bias, stride, padding, dilation, groups)

    F.conv2d = conv2d
"""
    )
    path = f"{gconvbench.folder}:{gconvbench.environment['PYTHONPATH']}"
    outcome = gconvbench("explain", "--case", case_id(TINY), "--device", "cpu", PYTHONPATH=path)
    said = words(outcome.out)

    assert outcome.code == 6, outcome.err
    assert "This is not a grouped convolution: 4 outputs see inputs of another group" in said
    assert "native: different; split: equal" in said
    assert "Nothing is lost to the groups" not in said


def test_help_comes_without_torch(gconvbench: Command) -> None:
    blocker = gconvbench.folder / "no_torch"
    blocker.mkdir()
    for name in ("torch", "numpy", "pandas", "safetensors"):
        (blocker / f"{name}.py").write_text("raise ImportError('not installed here')\n")
    path = f"{blocker}:{gconvbench.environment['PYTHONPATH']}"

    assert gconvbench("explain", "--help", PYTHONPATH=path).code == 0
    wrong = gconvbench("explain", "--model", "nothing", PYTHONPATH=path)
    assert "model 'nothing' is not known" in wrong.err


def test_a_notebook_shows_it_with_its_picture(tmp_path: Path) -> None:
    code = (
        "import torch, gconvbench\n"
        "layer = torch.nn.Conv2d(6, 6, 3, 1, 1, groups=2, bias=False)\n"
        "found = gconvbench.explain(layer, input_shape=(1, 6, 24, 24))\n"
        "found"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])  # type: ignore[no-untyped-call]
    source = tmp_path / "source" / "explain.ipynb"
    source.parent.mkdir()
    nbformat.write(book, source)  # type: ignore[no-untyped-call]

    done: Any = execute(source, tmp_path)

    (output,) = done.cells[0].outputs
    assert "Nothing is lost to the groups" in output.data["text/plain"]
    assert '<svg role="img"' in output.data["text/html"]
    assert json.dumps(output.data["text/plain"]).isprintable()
