"""Real gates from end to end: unchanged code must pass, 10 % more work must be found.

    python docs/numbers/gate_end_to_end.py [--gates 10] [--pairs 5] [--only unchanged]

In a temporary repository an implementation computes twelve convolutions of ten images each. Between
its first two commits nothing changes; the third computes one of the ten images twice, which is a
tenth more work. `gconvbench gate` is run as many times between the former as between the latter, by
turns, with another seed each time. Give it both cores of a quiet machine; about a minute each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import machine_line, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Gate", "Project", "gate"]

_MODULE = """
from torch.nn.functional import conv2d

from gconvbench.implementations import Implementation


class Ours(Implementation):
    name = "ours"
    idea = "a convolution, and some of it twice"

    def forward(self, case, x, weight, bias):
        rest = (bias, case.stride, case.padding, case.dilation, case.groups)
        for _ in range({again}):
            conv2d(x[: len(x) // 10], weight, *rest)
        return conv2d(x, weight, *rest)
"""
CASES = ("-a", "groups=1,2,4", "-a", "channels=32,64", "-a", "size=14,28", "-a", "batch=10")
"""Twelve of them."""


class Project:
    """A repository whose implementation does some of its work again, or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        info = folder / "ours-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[gconvbench.implementations]\nours = ours_package:Ours\n"
        )
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.email", "nobody@example.org")
        self._git("config", "user.name", "nobody")

    def commit(self, *, again: int) -> str:
        """Write it and commit; returns the commit."""
        (self.folder / "ours_package.py").write_text(_MODULE.format(again=again))
        self._git("add", "-A")
        self._git("commit", "--quiet", "--allow-empty", "-m", f"{again} images again")
        return self._git("rev-parse", "HEAD")

    def go_to(self, commit: str) -> None:
        """Make it the working tree."""
        self._git("checkout", "--quiet", "--detach", commit)

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 (whatever git there is)
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


class Gate(NamedTuple):
    """What one gate said.

    Attributes:
        exit_code: of the command.
        slower: how many of the jobs it calls slower.
        open: how many it could not decide.
        extra: case measurements after the first look, as a share of those in it.
        processes: fresh ones, of both sides.
        took_s: wall time.
        changes: of the jobs called slower, as shares.
    """

    exit_code: int
    slower: int
    open: int
    extra: float
    processes: int
    took_s: float
    changes: tuple[float, ...]


def gate(project: Project, baseline: str, *, seed: int, pairs: int, cases: Sequence[str]) -> Gate:
    """Run the command once."""
    results = project.folder.parent / "results"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gconvbench", "gate", "--baseline", baseline, "--json"),
            *(*cases, "--implementation", "ours", "--pairs", str(pairs), "--seed", str(seed)),
            *("--results", str(results), "--output", str(results / "gate")),
        ],
        cwd=project.folder,
        check=False,
        capture_output=True,
        text=True,
    )
    if not done.stdout:
        raise RuntimeError(done.stderr)
    found = json.loads(done.stdout)
    slower = [job for job in found["jobs"] if job["kind"] == "slower"]
    return Gate(
        exit_code=done.returncode,
        slower=len(slower),
        open=sum(
            job["kind"] in {"uncertain", "slower_with_suite", "not_reached"}
            for job in found["jobs"]
        ),
        extra=found["extra"],
        processes=found["baseline"]["processes"] + found["contender"]["processes"],
        took_s=found["spent_s"],
        changes=tuple(job["change"]["ratio"] - 1 for job in slower),
    )


def _row(name: str, number: int, found: Gate) -> list[str]:
    changes = sorted(found.changes)
    size = f"{changes[0]:+.1%} to {changes[-1]:+.1%}" if changes else ""
    return [
        f"{name} {number}", str(found.exit_code), str(found.slower), str(found.open),
        f"{found.extra:.2f}", str(found.processes), f"{found.took_s:.0f} s", size,
    ]  # fmt: skip


def main() -> None:
    """Print a line per gate, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gates", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--axis", action="append", help="of the cases, instead of the twelve")
    parser.add_argument("--only", default="", help="gates whose name contains this")
    given = parser.parse_args()
    cases = [word for axis in given.axis for word in ("-a", axis)] if given.axis else CASES
    print(machine_line())
    rows = [["gate", "exit", "slower", "open", "extra", "processes", "took", "changes"]]
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "project")
        commits = [project.commit(again=again) for again in (0, 0, 1)]
        found: dict[str, list[Gate]] = {"unchanged": [], "10 % more": []}
        for number in range(1, given.gates + 1):
            for name, baseline, contender in (
                ("unchanged", commits[0], commits[1]),
                ("10 % more", commits[1], commits[2]),
            ):
                if given.only not in name:
                    continue
                project.go_to(contender)
                one = gate(project, baseline, seed=number, pairs=given.pairs, cases=cases)
                found[name].append(one)
                rows.append(_row(name, number, one))
                print("  ".join(rows[-1]), flush=True)
    print_table(rows)
    for name, expected in (("unchanged", 0), ("10 % more", 1)):
        as_expected = sum(one.exit_code == expected for one in found[name])
        print(f"{name}: exit code {expected} from {as_expected} of {len(found[name])}")


if __name__ == "__main__":
    main()
