"""`export` and `import`: what asv and pytest-benchmark themselves say of the files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from gconvbench.cases import Case, case_id
from gconvbench.records import Environment
from gconvbench.store import RunWriter, load_run
from tests.fakes import SMALL, SMALL_ID, make_header, make_plan, make_record, make_timing

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import Record
    from tests.functional.conftest import Command, Outcome

OTHER = Case(groups=1, in_channels=4, out_channels=6, height=9, width=8, padding=(1, 1))
OTHER_ID = case_id(OTHER)
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
CONFIG = {
    "version": 1, "project": "p", "repo": ".", "branches": ["main"], "benchmark_dir": "benchmarks",
    "results_dir": "results/asv", "html_dir": "html",
}  # fmt: skip


def tool(command: Command, *arguments: str) -> Outcome:
    """Run asv or pytest-benchmark where the command runs."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        arguments, cwd=command.folder, env=environment, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    return type(command("--help"))(done.returncode, done.stdout, done.stderr)


def asv(command: Command, *arguments: str) -> Outcome:
    return tool(command, sys.executable, "-m", "asv", *arguments)


def pytest_benchmark(command: Command, *arguments: str) -> Outcome:
    return tool(
        command, sys.executable, "-m", "pytest_benchmark", "--storage=file://saved", *arguments
    )


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*GIT, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def records(factor: float) -> list[Record]:
    """Two cases in two ways and rounds; native of one of them `factor` times as long."""
    found = []
    for number in (1, 2):
        for case, name, time_s in (
            (SMALL_ID, "native", 1e-3 * factor),
            (SMALL_ID, "split_concat", 2e-3),
            (OTHER_ID, "native", 3e-3),
            (OTHER_ID, "split_concat", 4e-3),
        ):
            samples_s = [time_s * (1 + 0.001 * ((7 * n + number) % 10)) for n in range(20)]
            timing = make_timing(*samples_s)
            found.append(make_record(name, case=case, number=number, timings=(timing,)))
    return found


@pytest.fixture
def commits(gconvbench: Command) -> list[str]:
    """A repository with two commits, and a stored run of each; the second is 20 % slower."""
    folder = gconvbench.folder
    git(folder, "init", "-q", "-b", "main")
    (folder / "asv.conf.json").write_text(json.dumps(CONFIG))
    (folder / ".gitignore").write_text("results\nhtml\nsaved\n.asv\n")
    commits = []
    for number, factor in enumerate((1.0, 1.2)):
        (folder / "code.txt").write_text(str(number))
        git(folder, "add", "code.txt", "asv.conf.json", ".gitignore")
        git(folder, "commit", "-q", "-m", f"change {number}")
        commits.append(git(folder, "rev-parse", "HEAD"))
        store(gconvbench.results, f"2025010{number + 1}T000000Z-{commits[-1][:7]}", commits[-1],
              records(factor))  # fmt: skip
    return commits


def store(results: Path, name: str, commit: str, found: list[Record]) -> None:
    environment = Environment(
        identity={"device_type": "cpu", "device_name": "Epyc", "architecture": "x86_64",
                  "cores": 2, "memory_gib": 24, "threads": 1},
        under_test={"torch": "2.9.0", "cuda": "none", "cudnn": "none", "commit": commit,
                    "commit_dirty": False},
        soft={"os": "Linux", "python": "3.11.7"},
    )  # fmt: skip
    header = make_header(make_plan([OTHER], rounds=2), run=name, environment=environment)
    plan = msgspec.structs.replace(
        header.plan, cases=tuple(make_plan([c]).cases[0] for c in (SMALL, OTHER))
    )
    writer = RunWriter.create(results, msgspec.structs.replace(header, plan=plan))
    writer.extend(found)
    writer.finish()


def test_asv_shows_compares_and_publishes_what_was_exported(
    gconvbench: Command, commits: list[str]
) -> None:
    for run in ("latest~1", "latest"):
        outcome = gconvbench("export", "asv", run)
        assert outcome.code == 0, outcome.err
        assert outcome.err.startswith("gconvbench: written to results/asv/box-cpu/")
    shown = asv(gconvbench, "show", commits[0])
    assert shown.code == 0, shown.err
    assert "run.conv.fprop.track_time_hot [box-cpu/gconvbench-py3.11-torch2.9.0]" in shown.out
    assert "1.00±0ms" in shown.out
    compared = asv(gconvbench, "compare", "--only-changed", commits[0], commits[1])
    changed = [line for line in compared.out.splitlines() if "track_time" in line]
    assert len(changed) == 1, compared.out + compared.err
    assert SMALL_ID in changed[0]
    assert "'native'" in changed[0]
    assert "1.2" in changed[0]
    history = gconvbench("history", "--asv", "results/asv")
    assert history.code == 0, history.err
    published = asv(gconvbench, "publish", "--no-pull")
    assert published.code == 0, published.out + published.err
    index = json.loads((gconvbench.folder / "html" / "index.json").read_text())
    assert "run.conv.fprop.track_time_hot" in index["benchmarks"]
    assert len(index["revision_to_hash"]) >= 2


def test_what_went_to_asv_comes_back_with_every_sample(
    gconvbench: Command, commits: list[str]
) -> None:
    gconvbench("export", "asv", "latest")
    outcome = gconvbench("import", "asv", "results/asv", "--results", "other")
    assert outcome.code == 0, outcome.err
    again = gconvbench("import", "asv", "results/asv", "--results", "other")
    assert (again.code, again.err) == (0, "gconvbench: 1 run(s) were there already\n")
    (path,) = (gconvbench.folder / "other").glob("runs/*/*.jsonl")
    assert path.stem.endswith(commits[1][:7])
    found = {one.job: one.timings[0] for one in load_run(path).records}
    for job, timing in found.items():
        both = [r.timings[0].samples_s for r in records(1.2) if r.job == job]
        assert timing.samples_s == sum(both, ())
    for arguments in (("show",), ("history",), ("show", "--csv"), ("show", "--accuracy")):
        outcome = gconvbench(*arguments, "--results", "other")
        assert outcome.code == 0, outcome.err


def test_pytest_benchmark_lists_and_compares_what_was_exported(
    gconvbench: Command, commits: list[str]
) -> None:
    for number, run in enumerate(("latest~1", "latest"), start=1):
        path = f"saved/box-cpu/000{number}_run.json"
        assert gconvbench("export", "pytest-benchmark", run, "-o", path).code == 0
    listed = pytest_benchmark(gconvbench, "list")
    assert listed.out.split() == [
        str(gconvbench.folder / f"saved/box-cpu/000{number}_run.json") for number in (1, 2)
    ]
    compared = pytest_benchmark(gconvbench, "compare", "0001", "0002", "--columns=median")
    assert compared.code == 0, compared.err
    rows = [line.split() for line in compared.out.splitlines() if line.startswith("native-hot")]
    assert {row[1] for row in rows} == {"(0001_run)", "(0002_run)"}
    assert f"benchmark '{SMALL_ID}': 4 tests" in compared.out
    back = gconvbench("import", "pytest-benchmark", "saved/box-cpu/0002_run.json",
                      "--results", "other")  # fmt: skip
    assert back.code == 0, back.err
    first, second = gconvbench("show", "--json"), gconvbench("show", "--json", "--results", "other")
    assert first.lines[:-1] == second.lines[:-1]


def test_files_of_others_are_stored_and_shown(gconvbench: Command) -> None:
    (gconvbench.folder / "test_a.py").write_text("def test_a(benchmark):\n    benchmark(sum, [])\n")
    ran = tool(
        gconvbench, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_a.py",
        "--benchmark-json=a.json", "--benchmark-max-time=0.01", "--benchmark-disable-gc",
    )  # fmt: skip
    assert ran.code == 0, ran.out + ran.err
    stored = gconvbench("import", "pytest-benchmark", "a.json")
    assert stored.code == 0, stored.err
    for arguments in (("show",), ("show", "--csv"), ("show", "--json"), ("show", "--accuracy"),
                      ("history",), ("export", "csv"), ("run", "--resume", "latest")):  # fmt: skip
        outcome = gconvbench(*arguments)
        assert outcome.code == 0, outcome.err
    assert "test_a.py::test_a" in gconvbench("show").out
    verbatim = gconvbench("export", "pytest-benchmark").out
    assert verbatim == (gconvbench.folder / "a.json").read_text()


def test_csv_is_that_of_show(gconvbench: Command, commits: list[str]) -> None:
    assert gconvbench("export", "csv").out == gconvbench("show", "--csv").out


def test_the_list_for_github_action_benchmark_is_json(
    gconvbench: Command, commits: list[str]
) -> None:
    outcome = gconvbench("export", "github-action-benchmark")
    entries = json.loads(outcome.out)
    assert [entry["unit"] for entry in entries] == ["µs"] * 4
    assert entries[0]["value"] == pytest.approx(1.2e3, rel=0.01)


WRONG_USE = {
    "no such run": (("export", "asv", "nope"), 2, "run 'nope' is not known"),
    "a folder in the way": (("export", "csv", "-o", "results"), 5, "Is a directory"),
    "no such folder": (("import", "asv", "nowhere"), 2, "does not exist"),
    "nothing of asv": (("import", "asv", "results"), 2, "holds no result that asv can read"),
    "no such file": (("import", "pytest-benchmark", "nope.json"), 2, "No such file"),
    "a folder": (("import", "pytest-benchmark", "results"), 2, "Is a directory"),
    "no JSON": (("import", "pytest-benchmark", "asv.conf.json", ".gitignore"), 2, "none of pytest"),
    "deep": (("import", "pytest-benchmark", "deep.json"), 2, "none of pytest-benchmark"),
    "no tool": (("export", "excel"), 2, "No such command 'excel'"),
}


@pytest.mark.parametrize("arguments", WRONG_USE.values(), ids=WRONG_USE)
@pytest.mark.usefixtures("commits")
def test_wrong_use_gets_a_line(
    gconvbench: Command, arguments: tuple[tuple[str, ...], int, str]
) -> None:
    (gconvbench.folder / "deep.json").write_text("[" * 100_000)
    words, code, said = arguments
    outcome = gconvbench(*words)
    assert outcome.code == code
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1, outcome.err


def test_help_and_exports_of_others_need_no_torch(gconvbench: Command, commits: list[str]) -> None:
    blocker = gconvbench.folder / "blocker"
    blocker.mkdir()
    for name in ("torch", "pandas", "asv"):
        (blocker / f"{name}.py").write_text("raise ImportError('not installed here')\n")
    without = {"PYTHONPATH": f"{blocker}:{gconvbench.environment['PYTHONPATH']}"}
    for arguments in (
        ("export", "--help"),
        ("import", "asv", "--help"),
        ("export", "pytest-benchmark"),
        ("export", "github-action-benchmark"),
    ):
        outcome = gconvbench(*arguments, **without)
        assert outcome.code == 0, outcome.err
