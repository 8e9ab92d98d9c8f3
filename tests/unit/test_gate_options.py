"""What a repository says of its gate, and what the command line says instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gconvbench.errors import UsageError
from gconvbench.gate_options import GateOptions, read_gate_options

EVERYTHING = """\
baseline = "main"
build = "make"
code_paths = ["python"]
pairs = 5
minimum_effect = 0.03
budget = "10m"
fail_on = ["accuracy", "new"]
acceptances = "ci/accepted.toml"
sweep = ["forum", "my.toml"]
cases = ["ids.txt"]
case = ["g1mb1ic4ih6oc4kh3"]
axes = ["groups=1,2"]
implementation = "native,split_*"
device = "cpu"
threads = 2
pin = "2,3"
seed = 7
timeout = 30
minimum_effects = {"*:training*" = 0.05}
"""
VALUES = GateOptions(
    baseline="main",
    build="make",
    code_paths=("python",),
    pairs=5,
    minimum_effect=0.03,
    budget="10m",
    fail_on=("accuracy", "new"),
    acceptances="ci/accepted.toml",
    sweep=("forum", "my.toml"),
    cases=("ids.txt",),
    case=("g1mb1ic4ih6oc4kh3",),
    axes=("groups=1,2",),
    implementation="native,split_*",
    device="cpu",
    threads=2,
    pin="2,3",
    seed=7,
    timeout=30.0,
    minimum_effects={"*:training*": 0.05},
)


def read(folder: Path, text: str, name: str = "gate.toml") -> GateOptions:
    (folder / name).write_text(text)
    return read_gate_options(folder / name, folder)


@pytest.mark.parametrize(
    ("name", "table"),
    [("gate.toml", ""), ("gate.toml", "[gate]\n"),
     ("pyproject.toml", "[project]\nname = 'x'\n[tool.gconvbench.gate]\n")],
)  # fmt: skip
def test_every_key_is_read_from_every_place(tmp_path: Path, name: str, table: str) -> None:
    assert read(tmp_path, table + EVERYTHING, name) == VALUES
    assert set(msgspec.structs.asdict(VALUES)) == {
        line.split(" = ")[0] for line in EVERYTHING.splitlines()
    }


def test_without_a_file_or_table_there_are_the_usual_options(tmp_path: Path) -> None:
    assert read_gate_options(None, tmp_path) == GateOptions()
    for text in ("", "[tool.other]\n", "[tool.gconvbench]\n", "[tool.gconvbench.gate]\n"):
        (tmp_path / "pyproject.toml").write_text(text)
        assert read_gate_options(None, tmp_path) == GateOptions()


def test_pyproject_is_found_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.gconvbench.gate]\npairs = 9\n")
    assert read_gate_options(None, tmp_path).pairs == 9
    (tmp_path / "other.toml").write_text("pairs = 4\n")
    assert read_gate_options(tmp_path / "other.toml", tmp_path).pairs == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pears = 3", "key 'pears' is not known; did you mean 'pairs'?"),
        ("[gate]\npears = 3", ", [gate]: key 'pears' is not known; did you mean 'pairs'?"),
        ("[gate]\n[gait]", "key 'gait' is not known; did you mean 'gate'?"),
        ("gate = 1", ", [gate] (1) must be a table"),
        ("pairs = 1", "pairs (1) must be a whole number from 2 to 1000"),
        ('pairs = "3"', "pairs ('3') must be a whole number from 2 to 1000"),
        ("pairs = true", "pairs (True) must be a whole number from 2 to 1000"),
        ("minimum_effect = 2", "minimum_effect (2) must be a share between 0 and 1, such as 0.02"),
        ("minimum_effect = nan", "minimum_effect (nan) must be a share between 0 and 1"),
        ('minimum_effects = {"*" = 0}', "minimum_effects ({'*': 0}) must be a table of globs"),
        ('sweep = "forum"', "sweep ('forum') must be a list of texts, such as ['a', 'b']"),
        ("baseline = 1", "baseline (1) must be text in quotes"),
        ("seed = -1", "seed (-1) must be a whole number from 0"),
        ("threads = 0", "threads (0) must be a whole number from 1 to 1024"),
        ("timeout = 0", "timeout (0) must be seconds from 0.1"),
        ('acceptances = ""', "acceptances ('') must be a path in quotes"),
        ('implementation = ""', "implementation ('') must be names with commas"),
        ('fail_on = ["acuracy"]', "fail_on 'acuracy' is not known; did you mean 'accuracy'?"),
        ("pairs = ", "is not TOML: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text)
    message = str(refused.value)
    assert message.startswith(repr(str(tmp_path / "gate.toml")))
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.gconvbench.gat]", "[tool.gconvbench]: key 'gat' is not known; did you mean 'gate'"),
        ("[tool]\ngconvbench = 1", "[tool.gconvbench] must be a table"),
        ("[tool.gconvbench]\ngate = 1", "[tool.gconvbench.gate] (1) must be a table"),
        ("[tool.gconvbench.gate]\npears = 1", "[tool.gconvbench.gate]: key 'pears' is not known"),
    ],
)
def test_what_is_wrong_in_pyproject_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text, "pyproject.toml")
    assert words in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml' cannot be read: No such file"):
        read_gate_options(tmp_path / "nowhere.toml", tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"latin\.toml' is not UTF-8 text"):
        read_gate_options(tmp_path / "latin.toml", tmp_path)


@pytest.mark.parametrize(
    ("case", "implementation", "expected"),
    [
        ("g1:conv:fprop", "native", 0.02),
        ("g1:conv:training", "native", 0.05),
        ("g32:conv:training", "native", 0.01),
        ("g32:conv:training", "split", 0.05),
        ("G1:conv:TRAINING", "native", 0.02),
    ],
)
def test_the_last_glob_that_matches_decides(
    case: str, implementation: str, expected: float
) -> None:
    effects = {"*:training": 0.05, "g32* native": 0.01}
    options = GateOptions(minimum_effects=effects)
    assert options.minimum_effect_for(case, implementation) == expected


def test_the_order_of_the_file_is_that_of_the_globs(tmp_path: Path) -> None:
    text = '[gate.minimum_effects]\n"z*" = 0.1\n"*" = 0.2\n"a*" = 0.3\n'
    options = read(tmp_path, text)
    assert [options.minimum_effect_for(case, "x") for case in ("z", "b", "a")] == [0.2, 0.2, 0.3]


def test_code_is_looked_for_in_the_usual_places(tmp_path: Path) -> None:
    assert GateOptions().code_paths_in(tmp_path) == (tmp_path,)
    (tmp_path / "src").mkdir()
    assert GateOptions().code_paths_in(tmp_path) == (tmp_path, tmp_path / "src")
    assert GateOptions(code_paths=("a",)).code_paths_in(tmp_path) == (tmp_path / "a",)


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({}, {}),
        ({"pairs": None, "sweep": [], "case": (), "device": None}, {}),
        ({"pairs": 10, "seed": 0}, {"pairs": 10, "seed": 0}),
        ({"fail_on": ["memory"]}, {"fail_on": ("memory",)}),
        ({"acceptances": Path("x.toml")}, {"acceptances": "x.toml"}),
        ({"axes": ["groups=4"]}, {"axes": ("groups=4",)}),
        ({"case": ["g2"]}, {"case": ("g2",), "sweep": (), "cases": (), "axes": ()}),
        ({"cases": [Path("a")], "axes": ["groups=4"]},
         {"case": (), "sweep": (), "cases": ("a",), "axes": ("groups=4",)}),
        ({"sweep": ["quick"]}, {"case": (), "sweep": ("quick",), "cases": (), "axes": ()}),
    ],
)  # fmt: skip
def test_the_command_line_wins(given: dict[str, object], changed: dict[str, Any]) -> None:
    assert VALUES.overridden(given) == msgspec.structs.replace(VALUES, **changed)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pairs": 0}, "command line: pairs (0) must be a whole number from 2 to 1000"),
        ({"minimum_effect": 1.5}, "command line: minimum_effect (1.5) must be a share"),
        ({"fail_on": ["memry"]}, "command line: fail_on 'memry' is not known; did you mean"),
    ],
)
def test_the_command_line_is_checked_too(given: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        VALUES.overridden(given)
    assert str(refused.value).startswith(words)
