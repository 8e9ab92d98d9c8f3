"""What the README shows of a stored run is what `show` prints of it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from tests.functional.conftest import ROOT

if TYPE_CHECKING:
    from tests.functional.conftest import Command


def test_the_readme_s_results_are_those_of_a_stored_run(gconvbench: Command) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```\n\$ gconvbench show (\S+)\n(.*?)```", text, re.DOTALL)
    assert blocks
    for run, block in blocks:
        shown = gconvbench("show", run, "--results", str(ROOT / "results"))
        assert shown.code == 0, shown.err
        for part in re.split(r"^\.\.\.\n", block, flags=re.MULTILINE):
            assert part in shown.out


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
