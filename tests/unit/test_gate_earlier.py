"""What a gate asks of the baseline beside what is asked for here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from gconvbench.cases import case_id
from gconvbench.cli.gate_earlier import Earlier, select_for
from gconvbench.gate_options import PYPROJECT, GateOptions, read_gate_options

AXES = 'axes = ["groups=2", "channels=4", "size=6"]'
OURS = 'implementation = "ours"'
SWEEP = "[[block]]\ngroups = 2\nchannels = 8\nsize = 6\n"
NOW = "g2mb1ic4"


class Two(NamedTuple):
    """A working tree and a checkout of the baseline beside it."""

    here: Path
    there: Path

    def configure(self, before: str, now: str, name: str = PYPROJECT) -> None:
        for folder, text in ((self.there, before), (self.here, now)):
            file = folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"[tool.gconvbench.gate]\n{text}\n")

    def earlier(self, config: Path | None = None, **given: object) -> tuple[Earlier, list[str]]:
        """And the cases that the baseline is asked for."""
        options = read_gate_options(config, Path.cwd()).overridden(given)
        earlier = Earlier(options, config, self.here, self.there)
        cases = earlier.selection(select_for(options)).expansion.cases
        return earlier, [case_id(one.case) for one in cases]


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    found = Two(tmp_path / "here", tmp_path / "there")
    found.here.mkdir()
    found.there.mkdir()
    monkeypatch.chdir(found.here)
    return found


def test_the_same_configuration_asks_for_the_same(two: Two) -> None:
    two.configure(f"{AXES}\n{OURS}", f"{AXES}\n{OURS}")
    earlier, cases = two.earlier()
    assert (earlier.names, earlier.problems) == ("ours", [])
    assert [case.startswith(NOW) for case in cases] == [True]


def test_an_implementation_that_was_named_is_asked_for(two: Two) -> None:
    two.configure('implementation = "mine, ours,native"', OURS)
    assert two.earlier()[0].names == "ours,mine,native"


@pytest.mark.parametrize("name", ["bench/pyproject.toml", "gate.toml"])
def test_of_the_file_that_is_used_here(
    two: Two, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    two.configure(f'{AXES}\nimplementation = "ours,native"', f"{AXES}\n{OURS}", name)
    monkeypatch.chdir((two.here / name).parent)
    config = None if name.endswith(PYPROJECT) else Path(name)
    assert two.earlier(config)[0].names == "ours,native"


@pytest.mark.parametrize(
    ("before", "more"),
    [
        ('axes = ["groups=1,2", "channels=4", "size=6"]', "g1mb1ic4"),
        ('sweep = ["old.toml"]', "g2mb1ic8"),
        ('cases = ["old.txt"]', "g4mb2ic8"),
        ('case = ["g4mb2ic8ih6oc8kh3ph1"]', "g4mb2ic8"),
        ('case = ["nonsense", "g4mb2ic8ih6oc8kh3ph1"]', "g4mb2ic8"),
        ('case = ["g4mb2ic8ih6oc8kh3ph1"]\nold_key = 3', "g4mb2ic8"),
    ],
)
def test_a_case_that_was_named_is_asked_for(two: Two, before: str, more: str) -> None:
    (two.there / "old.toml").write_text(SWEEP)
    (two.there / "old.txt").write_text("g4mb2ic8ih6oc8kh3ph1\n")
    two.configure(before, AXES)
    earlier, cases = two.earlier()
    assert {case.split("ih")[0] for case in cases} == {NOW, more}
    unreadable = [word for word in ("nonsense", "old_key") if word in before]
    assert len(earlier.problems) == len(unreadable)
    assert all(word in problem for word, problem in zip(unreadable, earlier.problems, strict=True))


def test_without_names_of_cases_it_was_the_usual_sweep(two: Two) -> None:
    two.configure(OURS, f"{AXES}\n{OURS}")
    usual = select_for(GateOptions()).expansion.cases
    assert len(two.earlier()[1]) == len(usual) + 1


@pytest.mark.parametrize("text", ["[tool.other]\n", "[tool.gconvbench.gate]\n", None])
def test_where_there_was_no_gate_nothing_was_named(two: Two, text: str | None) -> None:
    two.configure("", f"{AXES}\n{OURS}")
    (two.there / PYPROJECT).unlink() if text is None else (two.there / PYPROJECT).write_text(text)
    earlier, cases = two.earlier()
    assert (earlier.names, len(cases), earlier.problems) == ("ours", 1, [])


def test_what_the_command_line_asks_for_is_all_that_is_meant(two: Two) -> None:
    two.configure('case = ["g4mb2ic8ih6oc8kh3ph1"]\nimplementation = "mine"', f"{AXES}\n{OURS}")
    earlier, cases = two.earlier(case=["g2ic16ih6oc16kh3ph1"], implementation="native")
    assert (earlier.names, len(cases)) == ("native", 1)


def test_a_sweep_file_is_read_as_the_checkout_has_it(two: Two) -> None:
    two.configure('sweep = ["ours.toml"]', 'sweep = ["ours.toml"]')
    (two.here / "ours.toml").write_text(SWEEP.replace("8", "16"))
    (two.there / "ours.toml").write_text(SWEEP)
    assert [case.split("ih")[0] for case in two.earlier()[1]] == ["g2mb1ic8"]


def test_a_broken_one_is_told_and_this_one_counts(two: Two) -> None:
    two.configure('sweep = ["ours.toml"]', 'sweep = ["ours.toml"]')
    (two.here / "ours.toml").write_text(SWEEP)
    (two.there / "ours.toml").write_text("no sweep")
    earlier, cases = two.earlier()
    assert [case.split("ih")[0] for case in cases] == ["g2mb1ic8"]
    assert "of the baseline: " in earlier.problems[0]


@pytest.mark.parametrize("text", ["no toml", "[tool.gconvbench]\ngate = 3\n"])
def test_a_configuration_that_cannot_be_read_is_told(two: Two, text: str) -> None:
    two.configure("", AXES)
    (two.there / PYPROJECT).write_text(text)
    earlier, cases = two.earlier()
    assert len(cases) == 1
    assert len(earlier.problems) == 1
