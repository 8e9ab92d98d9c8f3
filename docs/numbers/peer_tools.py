"""Drives each tool by its own command, in folders of its own."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import import_s, python_path, run, sweep
from convolutions import CONVOLUTIONS

from gconvbench.cases import case_id, parse_case
from gconvbench.stats import median_half_width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Measuring", "by_asv", "by_gconvbench", "by_pytest", "by_suite", "by_torch"]

HERE = Path(__file__).parent
FILES = HERE / "peer_files"


class Measuring(NamedTuple):
    """What one tool did, once.

    Attributes:
        set_up_s: until it could measure; one import of torch.
        proof_s: accuracy; None where a tool does not ask.
        measuring_s: everything else, until the command had ended.
        half_widths: of the interval of the median, as a share of it, by convolution.
        missed: how many convolutions did not reach the interval that was asked for; None where
            none was.
    """

    set_up_s: float
    proof_s: float | None
    measuring_s: float
    half_widths: dict[str, float]
    missed: int | None = None


def by_gconvbench(names: Sequence[str], folder: Path) -> Measuring:
    """One round of `native`."""
    ids = {case_id(parse_case(CONVOLUTIONS[name].case)): name for name in names}
    (folder / "ids.txt").write_text("\n".join(ids))
    options = ("--cases", "ids.txt", "--implementation", "native", "--rounds", "1")
    done = sweep(folder, *options)
    records = done.stored.records
    proof_s = sum(record.proof_s or 0.0 for record in records)
    half_widths = {ids[r.job.case]: relative_half_width(r.timings[0].samples_s) for r in records}
    measuring_s = done.wall_s - done.header_s - proof_s
    missed = sum(not record.timings[0].target_reached for record in records)
    return Measuring(done.header_s, proof_s, measuring_s, half_widths, missed)


def by_asv(names: Sequence[str], folder: Path) -> Measuring:
    """`asv run` in an existing environment; `--record-samples` only stores what it takes anyway."""
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "__init__.py").touch()
    shutil.copy(FILES / "asv_convolutions.py", folder / "benchmarks" / "convolution.py")
    settings = {
        "version": 1,
        "project": "convolutions",
        "repo": ".",
        "branches": ["main"],
        "environment_type": "existing",
    }
    (folder / "asv.conf.json").write_text(json.dumps(settings))
    commit = _committed(folder)
    more = {"HOME": str(folder), "ASV_PYTHONPATH": str(HERE), "COMBINATIONS": str(len(names))}
    asv = [sys.executable, "-m", "asv"]
    run([*asv, "machine", "--yes", "--machine", "x"], folder, more=more)
    options = ["--python=same", "--machine", "x", "--set-commit-hash", commit, "--record-samples"]
    wall_s, _ = run([*asv, "run", *options], folder, more=more)
    half_widths = _of_asv(folder / "results", "convolution.Convolutions.time_forward", names)
    return _without_import(wall_s, folder, half_widths)


def by_suite(names: Sequence[str], folder: Path) -> Measuring:
    """`asv run` with our environment and a `Suite`: two rounds, and all of its four benchmarks."""
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "__init__.py").touch()
    cases = tuple(CONVOLUTIONS[name].case for name in names)
    text = f"{_SUITE}    cases = {cases!r}\n"
    (folder / "benchmarks" / "convolution.py").write_text(text)
    settings = {
        "version": 1,
        "project": "convolutions",
        "repo": ".",
        "branches": ["main"],
        "plugins": [".gconvbench.adapters.asv"],
        "environment_type": "gconvbench",
        "env_dir": ".asv",
    }
    (folder / "asv.conf.json").write_text(json.dumps(settings))
    _committed(folder)
    more = {"HOME": str(folder), "GCONVBENCH_LOCKS": str(folder)}
    wall_s, _ = run([sys.executable, "-m", "asv", "run", "--record-samples"], folder, more=more)
    half_widths = _of_asv(folder / "results", "convolution.Convolutions.track_time", names)
    return _without_import(wall_s, folder, half_widths)


_SUITE = """from gconvbench.adapters.asv_suite import Suite


class Convolutions(Suite):
"""


def _of_asv(results: Path, benchmark: str, names: Sequence[str]) -> dict[str, float]:
    """The half-widths of the one result file that there is."""
    (path,) = results.glob("*/*-*py*.json")
    stored = json.loads(path.read_text())
    columns = dict(zip(stored["result_columns"], stored["results"][benchmark], strict=False))
    return dict(zip(names, map(relative_half_width, columns["samples"]), strict=True))


def by_pytest(names: Sequence[str], folder: Path) -> Measuring:
    """`pytest --benchmark-only`."""
    shutil.copy(FILES / "pytest_convolutions.py", folder / "test_convolutions.py")
    more = {"PYTHONPATH": python_path(HERE), "COMBINATIONS": str(len(names))}
    options = ["--benchmark-only", "--benchmark-json", "out.json", "-q", "--rootdir", "."]
    wall_s, _ = run([sys.executable, "-m", "pytest", *options], folder, more=more)
    benchmarks = json.loads((folder / "out.json").read_text())["benchmarks"]
    half_widths = {b["param"]: relative_half_width(b["stats"]["data"]) for b in benchmarks}
    return _without_import(wall_s, folder, half_widths)


def by_torch(targets: dict[str, float], folder: Path) -> Measuring:
    """`blocked_autorange` to each target; only the calls that reached it count."""
    command = [sys.executable, str(FILES / "torch_convolutions.py")]
    _, out = run(command, folder, more={"PYTHONPATH": python_path(HERE)}, given=json.dumps(targets))
    found: dict[str, tuple[float, float, bool]] = json.loads(out)
    measuring_s = sum(taken_s for taken_s, _, _ in found.values())
    half_widths = {name: half_width for name, (_, half_width, _) in found.items()}
    missed = sum(not reached for _, _, reached in found.values())
    return Measuring(import_s(folder), None, measuring_s, half_widths, missed)


def relative_half_width(samples_s: Sequence[float]) -> float:
    """Of the order-statistic 95 % interval of the median; infinite below ten samples."""
    half_width_s = median_half_width(sorted(samples_s))
    return float("inf") if half_width_s is None else half_width_s / statistics.median(samples_s)


def _without_import(wall_s: float, folder: Path, half_widths: dict[str, float]) -> Measuring:
    set_up_s = import_s(folder)
    return Measuring(set_up_s, None, wall_s - set_up_s, half_widths)


def _committed(folder: Path) -> str:
    """The folder as a repository of one commit, by its hash."""
    git: Callable[..., tuple[float, str]] = lambda *words: run(["git", *words], folder)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    git(*who, "commit", "--quiet", "--message", "convolutions")
    return git("rev-parse", "HEAD")[1].strip()
