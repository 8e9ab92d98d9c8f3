"""The workflow of docs/ci: it is one, its shell steps run, and what its page says is so."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.repository import Repository

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "docs" / "ci" / "gconvbench.yml"
PAGE = ROOT / "docs" / "ci" / "README.md"
IGNORED = re.findall(r"`([\w-]+/)`", PAGE.read_text().partition("Let git ignore")[2].split(".")[0])
OPTIONS = """
[tool.gconvbench.gate]
axes = ["groups=2", "channels=8", "size=8"]
implementation = "ours"
device = "cpu"
"""


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]
    return found


def test_the_workflow_is_one() -> None:
    checked = ["--builtin-schema", "vendor.github-workflows", str(WORKFLOW)]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *checked],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_workflow_with_a_fault_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOW.read_text().replace("runs-on:", "runs_on:"))
    checked = ["--builtin-schema", "vendor.github-workflows", str(broken)]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *checked], capture_output=True, check=False
    )
    assert done.returncode == 1


@pytest.mark.parametrize("step", [one for one in steps() if "run" in one], ids=lambda s: s["name"])
def test_the_shell_of_each_step_is_sound(step: dict[str, Any]) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), "--shell=bash", "--severity=style", "-"],
        input=step["run"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


class Runner:
    """Runs the workflow's shell steps as a runner does: in order, until one fails."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository = repository
        self.summary = folder / "summary.md"
        self.summary.touch()
        self.printed = ""
        self.tools = folder / "tools"
        self.tools.mkdir()
        # there is no package index here: what pip would install is here
        self.tool("python3", f'[ "$1 $2 $3" = "-m pip install" ] || exec {sys.executable} "$@"')
        self.environment = os.environ | {
            "PATH": os.pathsep.join(
                [str(self.tools), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
            "GCONVBENCH_LOCKS": str(folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GCONVBENCH": "gconvbench",
            "PAIRS": "3",
            "BEFORE": "",
            "GIVEN": "",
        }

    def tool(self, name: str, line: str) -> None:
        """Put a command before those that are installed."""
        file = self.tools / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)

    @property
    def passed(self) -> Path:
        """Names the last commit whose gate passed."""
        return self.repository.folder / "gconvbench-passed" / "commit"

    def run(self, *, is_push: bool = False) -> dict[str, int]:
        """The exit code of each step that ran."""
        self.environment["ON_MAIN"] = "true" if is_push else "false"
        codes: dict[str, int] = {}
        for step in steps():
            has_failed = any(codes.values())
            condition = step.get("if", "success()")
            if "run" not in step or (has_failed and "!cancelled()" not in condition):
                continue
            if "'pull_request'" in condition and not is_push:
                continue
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],  # noqa: S607
                cwd=self.repository.folder, env=self.environment, check=False,
                capture_output=True, text=True, timeout=250,
            )  # fmt: skip
            codes[step["name"]] = done.returncode
            self.printed += done.stdout + done.stderr
        return codes


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    repository = Repository(tmp_path / "theirs")
    (repository.folder / "pyproject.toml").write_text(OPTIONS)
    (repository.folder / ".gitignore").write_text("\n".join(IGNORED))
    repository.commit("as it was")
    repository.git("checkout", "--quiet", "-b", "topic")
    return Runner(repository, tmp_path)


def test_a_planted_slowdown_fails_is_told_and_can_be_accepted(runner: Runner) -> None:
    repository = runner.repository
    repository.commit("everything three times", work=2)
    assert runner.run() == {"Install": 0, "Did it get slower?": 1}, runner.printed
    summary = runner.summary.read_text()
    assert "1 of 1 job is slower: ours g2mb1ic8" in summary
    assert "exit code 1" in summary
    assert "::error title=" in runner.printed
    folder = repository.folder / "gconvbench-gate"
    assert {file.name for file in folder.iterdir()} == {
        "comparison.json", "comparison.md", "junit.xml",
    }  # fmt: skip
    found = json.loads((folder / "comparison.json").read_text())
    assert found["exit_code"] == 1
    subprocess.run(
        [sys.executable, "-m", "gconvbench", "accept", "--reason", "exactness costs"],
        cwd=repository.folder, env=runner.environment, check=True,
    )  # fmt: skip
    assert "exactness costs" in (repository.folder / "gconvbench-accepted.toml").read_text()


def test_a_push_is_compared_with_what_was_there_and_the_history_is_told(runner: Runner) -> None:
    before = runner.repository.commit("what was there")
    runner.repository.commit("nothing")
    runner.environment |= {"BEFORE": before, "PAIRS": "2"}
    codes = runner.run(is_push=True)
    assert codes["Did it get slower?"] in {0, 3}, runner.printed  # 3: too noisy a machine
    assert codes["How it came to this"] == 0
    assert f"baseline is commit {before[:10]}" in runner.printed
    summary = runner.summary.read_text()
    assert "1 series too short to judge" in summary
    assert "1 run left out: baselines of gates" in summary
    head = runner.repository.git("rev-parse", "HEAD")
    passed = {0: head, 3: before}[codes["Did it get slower?"]]
    assert runner.passed.read_text().strip() == passed


class Pushes:
    """Pushes to main whose gates end as they are told to."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.head = runner.repository.git("rev-parse", "HEAD")

    def push(self, code: int, *, given: str = "", commit: bool = True) -> str:
        """One more commit, whose gate ends with this code; returns the baseline it had."""
        runner, before = self.runner, self.head
        if commit:
            self.head = runner.repository.commit(f"after {before}")
        runner.tool("gconvbench", f'[ "$1" = history ] || {{ echo "$@"; exit {code}; }}')
        runner.environment |= {"BEFORE": "" if given else before, "GIVEN": given}
        runner.printed = ""
        assert runner.run(is_push=True)["Did it get slower?"] == code, runner.printed
        words = next(
            line for line in runner.printed.splitlines() if line.startswith("gate")
        ).split()
        return words[words.index("--baseline") + 1] if "--baseline" in words else ""


def test_a_push_is_compared_with_the_last_commit_that_passed(runner: Runner) -> None:
    """A slowdown of main fails until it is mended or accepted, and nothing adds up unseen."""
    pushes = Pushes(runner)
    first = pushes.head
    assert pushes.push(1) == first  # nothing has passed yet, and the next one did not slow it down
    assert pushes.push(1) == first
    assert pushes.push(3) == first
    assert pushes.push(0) == first
    mended = pushes.head
    assert pushes.push(0) == mended
    assert pushes.push(5) == (passed := runner.passed.read_text().strip())
    assert pushes.push(0) == passed
    again = pushes.head
    assert pushes.push(0, commit=False) != again  # run again by hand: never with itself
    assert runner.passed.read_text().strip() == again


def test_where_main_was_set_back_or_a_person_says_so_the_baseline_is_another(
    runner: Runner,
) -> None:
    pushes = Pushes(runner)
    first = pushes.head
    assert pushes.push(0) == first
    elsewhere = runner.repository.git("commit-tree", "-m", "elsewhere", "HEAD^{tree}")
    runner.passed.write_text(elsewhere)
    before = pushes.head
    assert pushes.push(5) == before
    assert pushes.push(5) == before  # it cannot be built any more, say
    assert pushes.push(0, given=first) == first
    assert runner.passed.read_text().strip() == pushes.head


def test_a_commit_that_a_person_mistypes_is_refused(runner: Runner) -> None:
    runner.environment["GIVEN"] = "nosuch"
    assert runner.run(is_push=True)["Did it get slower?"] == 128
    assert "baseline" not in runner.printed


def test_main_itself_is_no_baseline_whatever_it_is_called(runner: Runner) -> None:
    runner.environment["GIVEN"] = "main"
    assert runner.run(is_push=True)["Did it get slower?"] == 2
    assert "::error::the baseline main is what is to be compared" in runner.printed
    assert not runner.passed.exists()


def test_without_saying_what_to_install_the_workflow_stops(runner: Runner) -> None:
    runner.environment["GCONVBENCH"] = yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["env"][
        "GCONVBENCH"
    ]
    assert runner.run(is_push=True)["Install"] != 0
    assert "says what to install" in runner.printed


def test_a_pull_request_and_a_new_branch_have_the_usual_baseline(runner: Runner) -> None:
    runner.tool("gconvbench", 'echo "$@"')
    for before, is_push in (("", False), (40 * "0", True)):
        runner.environment["BEFORE"] = before
        runner.printed = ""
        assert runner.run(is_push=is_push)["Did it get slower?"] == 0
        assert runner.printed.startswith("gate --pairs")
        assert runner.passed.exists() is is_push


def test_the_page_names_options_that_exist() -> None:
    text = PAGE.read_text() + WORKFLOW.read_text()
    for command in ("gate", "accept", "history"):
        asked = subprocess.run(
            [sys.executable, "-m", "gconvbench", command, "--help"],
            capture_output=True, text=True, check=True,
            env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        for line in re.findall(rf"gconvbench {command}[^|`\n]*", text):
            for option in re.findall(r"--[a-z-]+", line):
                assert option in asked.stdout, (command, option)


def test_the_page_shows_the_exit_codes_of_the_one_table() -> None:
    from gconvbench.errors import ExitCode  # noqa: PLC0415

    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)}
    assert codes == {int(code) for code in ExitCode if code < ExitCode.FAULT}


def test_the_tools_of_these_tests_are_there() -> None:
    assert shutil.which("shellcheck", path=str(Path(sys.executable).parent))
