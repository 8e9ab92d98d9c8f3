"""What README and docs show of stored runs is what `show` prints of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Command


@pytest.mark.parametrize("page", ["README.md", "docs/accuracy.md"])
def test_the_results_of_a_page_are_those_of_stored_runs(gconvbench: Command, page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"```\n\$ gconvbench show ([^\n]+)\n(.*?)```", text, re.DOTALL)
    assert blocks
    for arguments, block in blocks:
        shown = gconvbench("show", *arguments.split(), "--results", str(ROOT / "results"))
        assert shown.code == 0, shown.err
        for part in re.split(r"^\.\.\.\n", block, flags=re.MULTILINE):
            assert part in shown.out


def test_what_explain_says_in_the_readme_it_says_here(gconvbench: Command) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    ((arguments, block),) = re.findall(
        r"```\n\$ gconvbench explain ([^\n]+)\n(.*?)```", text, re.DOTALL
    )
    said = gconvbench("explain", *arguments.split())
    assert said.code == 0, said.err
    parts = [part for part in re.split(r"^\.\.\.\n", block, flags=re.MULTILINE) if part]
    assert len(parts) == 3
    for part in parts:
        assert part in said.out


def test_what_asv_and_pytest_benchmark_show_is_what_the_page_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "peers.md").read_text("utf-8")
    (block,) = re.findall(r"```\n(\$ asv show .*?)```", text, re.DOTALL)
    samples = re.findall(r"^\$ ([^\n]+)\n(.*?)(?=^\$ |\Z)", block, re.DOTALL | re.MULTILINE)
    assert [command.split()[0] for command, _ in samples] == ["asv", "pytest-benchmark"]
    for command, sample in samples:
        program, *words = command.split()
        done = subprocess.run(
            [sys.executable, "-m", program.replace("-", "_"), *words],
            cwd=ROOT, env=os.environ | {"HOME": str(tmp_path), "COLUMNS": "100"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        for part in re.split(r"^\.\.\.\n", sample, flags=re.MULTILINE):
            assert part in done.stdout


def test_what_is_stored_for_other_tools_names_no_one() -> None:
    for folder in ("asv", "pytest-benchmark"):
        paths = list((ROOT / "results" / folder).rglob("*.json"))
        assert paths
        for path in paths:
            assert not re.search(r"/(home|root|tmp|work)/|hostname", path.read_text("utf-8"))


def test_every_run_in_the_repository_is_whole_and_names_no_one(gconvbench: Command) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "results/runs"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    paths = [ROOT / name for name in tracked]
    assert paths
    for path in paths:
        shown = gconvbench("show", str(path))
        assert shown.code == 0
        assert "interrupted" not in shown.out
        assert "checksum" not in shown.out
        assert not re.search(r"/(home|root|tmp)/|hostname", path.read_text("utf-8"))
