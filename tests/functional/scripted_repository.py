"""A temporary git repository whose implementations take scripted times, each commit its own.

What a launch takes is in the implementation's module, so that it belongs to the commit and to no
machine: the module puts a clock of its own into the engine that loads it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.functional.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PLANTED", "ScriptedRepository"]

PLANTED = {"ours groups 4": 1.2}
"""A slowdown by 20 % in half of the cases of one of two implementations."""

_MODULE = '''
import os
import random

from torch.nn.functional import conv2d

from gconvbench import engine, views
from gconvbench.implementations import Implementation

FACTORS = {factors!r}
NOISE = random.Random(os.getpid())
running = []


class Clock:
    """Answers with the script; a launch says of what."""

    tick_s = 1e-9

    def begin(self, launch, launch_s):
        return 1

    def chunk(self, launch, launches):
        launch()
        name, groups = running[-1] if running else ("native", 1)
        factor = FACTORS.get(f"{{name}} groups {{groups}}", 1.0)
        return (1e-3 / groups * factor * NOISE.gauss(1.0, 0.003),)

    def labels(self):
        return ()

    def facts(self):
        return None


def anchors(samples):
    """Work beside the code under test is scripted, too."""
    noisy = lambda: tuple(1e-3 * NOISE.gauss(1.0, 0.003) for _ in range(samples))
    return {{f"anchor_{{i}}": noisy() for i in range(8)}}


views.clocks_of = lambda device, modes, longest_s: {{mode: Clock() for mode in modes}}
engine.anchor_samples = anchors


class Scripted(Implementation):
    idea = "{idea}"

    def forward(self, case, x, weight, bias):
        running[:] = [(self.name, case.groups)]
        return conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)


class Ours(Scripted):
    name = "ours"


class Other(Scripted):
    name = "other"
'''
_BENCHMARKS = """
from gconvbench.adapters.asv_suite import Suite


class Layer(Suite):
    axes = ("groups=2,3,4", "channels=8", "batch=1,2", "size=6")
    implementations = ("ours", "other")
"""
_TESTS = """
import pytest


@pytest.mark.parametrize("implementation", ["ours", "other"])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("groups", {groups})
def test_layer(gconv_benchmark, groups, batch, implementation):
    gconv_benchmark(f"g{{groups}}mb{{batch}}ic8ih6oc8kh3ph1", implementation=implementation)
"""
_CONFIGURATION = {
    "version": 1,
    "project": "ours",
    "repo": ".",
    "branches": ["main"],
    "plugins": [".gconvbench.adapters.asv"],
    "environment_type": "gconvbench",
    "benchmark_dir": "benchmarks",
    "env_dir": ".asv/env",
    "results_dir": "results/asv",
    "html_dir": ".asv/html",
}


class ScriptedRepository(Repository):
    """Commits of two implementations, `ours` and `other`, with suites for asv and for pytest."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        entries = "\n".join(f"{kind.lower()} = ours_package:{kind}" for kind in ("Ours", "Other"))
        info = folder / "src" / "ours-1.0.dist-info" / "entry_points.txt"
        info.write_text(f"[gconvbench.implementations]\n{entries}\n")
        (folder / ".gitignore").write_text(".asv/\n__pycache__/\n.benchmarks/\nresults/\n")
        (folder / "asv.conf.json").write_text(json.dumps(_CONFIGURATION))
        (folder / "benchmarks").mkdir()
        (folder / "benchmarks" / "__init__.py").touch()
        (folder / "benchmarks" / "layers.py").write_text(_BENCHMARKS)
        self.write_tests(groups=(2, 4))

    def write_tests(self, *, groups: tuple[int, ...]) -> None:
        """The suite for pytest, over these groups."""
        (self.folder / "test_layers.py").write_text(_TESTS.format(groups=list(groups)))

    def script(self, idea: str, factors: Mapping[str, float] | None = None) -> str:
        """Commit implementations that take so many times what they took at first."""
        text = _MODULE.format(idea=idea, factors=dict(factors or {}))
        (self.folder / "src" / "ours_package.py").write_text(text)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", idea)
        return self.git("rev-parse", "HEAD")
