"""Files of weights: what is read of them, and that nothing in them is run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gconvbench.errors import UsageError
from gconvbench.explaining import Place
from gconvbench.explaining.checkpoint import read_checkpoint
from gconvbench.explaining.file import explain_file
from gconvbench.report.explanation import is_wrong

if TYPE_CHECKING:
    from pathlib import Path

HERE = Place("cpu", "a processor", "box", 0)


def make_weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"conv1": (6, 3, 3, 3), "conv2": (4, 3, 1, 1), "conv10": (4, 1, 3, 3)}
    return {
        f"{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }


class Hostile:
    """Unpickles into a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_state_dict_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(make_weights() | {"epoch": 3}, path)
    found = read_checkpoint(str(path))

    assert list(found.tensors) == ["conv1.weight", "conv2.weight", "conv10.weight"]
    assert (found.form, found.nested, found.ignored) == ("torch", "", 1)
    assert found.in_model_order


def test_the_older_form_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(make_weights(), path, _use_new_zipfile_serialization=False)

    assert len(read_checkpoint(str(path)).tensors) == 3


@pytest.mark.parametrize("key", ["state_dict", "model", "whatever"])
def test_weights_are_found_where_training_programs_put_them(tmp_path: Path, key: str) -> None:
    path = tmp_path / "net.pt"
    wrapped = {f"module.{name}": one for name, one in make_weights().items()}
    torch.save({"optimizer": {"lr": 0.1}, "epoch": 3, key: wrapped}, path)
    found = read_checkpoint(str(path))

    assert found.nested == key
    assert "conv1.weight" in found.tensors


@pytest.mark.parametrize("name", ["net.safetensors", "net.bin"])
def test_safetensors_are_known_by_name_or_content_and_sorted_by_number(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    stem = {"stem.weight": torch.ones(2, 1, 1, 1)}
    save_file(make_weights() | stem, path)
    found = read_checkpoint(str(path))

    assert found.form == "safetensors"
    assert list(found.tensors) == ["stem.weight", "conv1.weight", "conv2.weight", "conv10.weight"]
    assert not found.in_model_order


def test_a_hostile_file_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "net.pt", tmp_path / "trace"
    torch.save({"conv1.weight": Hostile(f"touch {trace}")}, path)

    with pytest.raises(UsageError, match=r"holds an object of \w+.system, which would have to run"):
        read_checkpoint(str(path))
    path.write_bytes(pickle.dumps({"conv1.weight": Hostile(f"touch {trace}")}))
    with pytest.raises(UsageError, match="is no readable checkpoint"):
        read_checkpoint(str(path))
    assert not trace.exists()


def test_a_pickled_module_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(nn.Conv2d(2, 2, 1), path)

    with pytest.raises(UsageError, match=r"Conv2d.*torch.save\(model.state_dict\(\), FILE\)"):
        read_checkpoint(str(path))


def save_list(path: Path) -> None:
    torch.save([1, 2], path)


def save_half(path: Path) -> None:
    torch.save(make_weights(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def save_script(path: Path) -> None:
    """In a process of its own: what it warns of is not ours."""
    program = f"import torch; torch.jit.save(torch.jit.script(torch.nn.ReLU()), {str(path)!r})"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


@pytest.mark.parametrize(
    ("save", "reason"),
    [
        (lambda path: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.touch(), "is no readable checkpoint"),
        (lambda path: path.write_text("hello\n" * 9), "is no readable checkpoint"),
        (lambda path: path.write_bytes(bytes(range(256)) * 9), "is no readable checkpoint"),
        (save_half, "is no readable checkpoint .*it may be damaged"),
        (save_list, "holds list and no tensors by name"),
        (save_script, "is a TorchScript archive, which brings code"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, save: Any, reason: str) -> None:
    path = tmp_path / "net.pt"
    save(path)

    with pytest.raises(UsageError, match=reason) as caught:
        read_checkpoint(str(path))
    assert "\n" not in str(caught.value)


def test_a_damaged_safetensors_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(make_weights(), path)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(UsageError, match="is no readable safetensors file") as caught:
        read_checkpoint(str(path))
    assert "\n" not in str(caught.value)


def test_tensors_that_are_not_dense_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(make_weights() | {"sparse": torch.eye(3).to_sparse()}, path)

    assert read_checkpoint(str(path)).ignored == 1


def test_grouped_layers_are_computed_with_their_own_weights(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(make_weights(), path)
    file = explain_file(str(path), {}, HERE)
    seen = [one.explanation for one in file.layers]

    assert [one.assumed.groups for one in file.layers] == [1, 2, 4]
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1].connections.rows == ("0-2", "0-2", "3-5", "3-5")
    assert not any(one and is_wrong(one) for one in seen)


def test_weights_that_cannot_be_computed_are_named_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(
        {
            "a.weight": torch.ones(4, 3, 1, 1),
            "b.weight": torch.full((4, 2, 1, 1), torch.inf),
            "c.weight": torch.ones(4, 2, 1, 1, dtype=torch.int8),
        },
        path,
    )
    file = explain_file(str(path), {}, HERE)

    assert [one.note for one in file.layers] == [
        "",
        "some of its weights are not finite",
        "dtype int8 is not computed; allowed: float64, float32, float16, bfloat16",
    ]


def test_a_file_without_convolutions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"fc.weight": torch.ones(2, 3)}, path)

    with pytest.raises(UsageError, match="has 1 tensors and none of 4 dimensions"):
        explain_file(str(path), {}, HERE)


def test_a_part_whose_checksum_does_not_hold_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"conv.weight": torch.ones(8, 8, 3, 3)}, path)
    data = bytearray(path.read_bytes())
    place = data.index(torch.ones(4).numpy().tobytes()) + 100
    data[place] ^= 1
    path.write_bytes(data)

    with pytest.raises(UsageError, match=r"the checksum of '.*/data/0' does not hold"):
        read_checkpoint(str(path))


def test_tensors_without_numbers_are_ignored_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(make_weights() | {"shape.weight": torch.empty(4, 2, 3, 3, device="meta")}, path)
    found = read_checkpoint(str(path))

    assert "shape.weight" not in found.tensors
    assert found.ignored == 1


def test_a_window_of_hundreds_of_pixels_is_launched_once(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    weights = {"a.weight": torch.ones(4, 3, 1, 1), "b.weight": torch.ones(4, 2, 200, 200)}
    torch.save(weights, path)
    wide = explain_file(str(path), {}, HERE).layers[1]

    assert wide.explanation is not None
    assert "ih200iw200" in wide.explanation.case
    assert "ph0pw0" in wide.explanation.case
    assert not is_wrong(wide.explanation)
