"""A temporary git repository with an implementation of its own, installed by an entry point."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Repository"]

_MODULE = """
import torch
from torch.nn.functional import conv2d

from gconvbench.implementations import Implementation


class Ours(Implementation):
    name = "ours"
    idea = "{idea}"

    def forward(self, case, x, weight, bias):
        for _ in range({work}):
            conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
        return conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
"""


class Repository:
    """Commits of a package `ours_package` whose work per launch grows or stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "nobody@example.org")
        self.git("config", "user.name", "nobody")
        info = folder / "src" / "ours-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[gconvbench.implementations]\nours = ours_package:Ours\n"
        )

    def commit(self, idea: str, *, work: int = 0) -> str:
        """Write the implementation and commit it; returns the commit."""
        self.write(idea, work=work)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", idea)
        return self.git("rev-parse", "HEAD")

    def write(self, idea: str, *, work: int = 0) -> None:
        """Change the working tree only."""
        text = _MODULE.format(idea=idea, work=work)
        (self.folder / "src" / "ours_package.py").write_text(text)

    def clone(self, folder: Path, *options: str) -> None:
        """Clone it, as if from elsewhere."""
        self.git("clone", "-q", *options, f"file://{self.folder}", str(folder))

    def git(self, *arguments: str) -> str:
        """Run git in it."""
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 (whatever git there is)
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()
