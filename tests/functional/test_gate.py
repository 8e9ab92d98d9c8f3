"""`gconvbench gate` and `compare` as people type them: what ends them, and with which exit code.

What a gate says of times is tested by scripted processes in `tests/unit/test_confront.py`, and once
for real by the workflow of `tests/functional/test_ci.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from gconvbench.records import encode_line
from gconvbench.store import list_runs, load_run
from tests.fakes import make_record, store_run
from tests.functional.conftest import ROOT
from tests.functional.repository import Repository
from tests.histories import store_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gconvbench.records import Header

ONE_JOB = ("-a", "groups=2", "-a", "channels=4", "-a", "size=6", "--implementation", "ours")


def gconvbench(
    folder: Path, *arguments: str, installed: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    with started(folder, *arguments, installed=installed) as process:
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def started(folder: Path, *arguments: str, installed: Path = ROOT) -> subprocess.Popen[str]:
    path = f"{ROOT}{os.pathsep}{installed}"
    variables = {"PYTHONPATH": path, "TMPDIR": str(folder), "GCONVBENCH_LOCKS": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "gconvbench", *arguments],
        cwd=folder, env=os.environ | variables, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "theirs")


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A branch with a commit of its own."""
    found = Repository(tmp_path_factory.mktemp("gate") / "theirs")
    found.commit("as it was")
    found.git("checkout", "--quiet", "-b", "topic")
    found.commit("as it is")
    return found.folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--baseline nosuch", "baseline commit 'nosuch' is not known; allowed: main, topic"),
        ("--baseline main --baseline-set threads=2", "exclude each other"),
        ("--baseline topic", "both sides are commit"),
        ("--baseline-set threads=2 --contender-set threads=2", "both sides are 'threads=2'; say"),
        ("--baseline-implementation ours --contender-implementation ours", "both sides are 'ours'"),
        ("--baseline-set threds=1", "did you mean 'threads'?"),
        ("--contender-implementation ours", "belong together"),
        ("--fail-on speed", "fail_on 'speed' is not known"),
        ("--budget soon", "budget 'soon' is no duration"),
        ("--pairs 1", "value '1' for '--pairs': Input should be greater than or equal to 2"),
        ("--config none.toml", "'none.toml' cannot be read"),
        ("--accepted none.toml", "file of accepted changes 'none.toml'"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(branch: Path, arguments: str, words: str) -> None:
    done = gconvbench(branch, "gate", "--device", "cpu", *ONE_JOB, *arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr.splitlines()[-1]


def test_unknown_keys_of_the_configuration_are_refused_by_name(repository: Repository) -> None:
    repository.commit("as it was")
    (repository.folder / "pyproject.toml").write_text("[tool.gconvbench.gate]\npears = 3\n")
    done = gconvbench(repository.folder, "gate")
    assert done.returncode == 2
    assert "key 'pears' is not known; did you mean 'pairs'?" in done.stderr


def test_a_file_of_accepted_changes_outside_the_repository_is_refused(
    branch: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "accepted.toml"
    outside.write_text("")
    done = gconvbench(
        branch, "gate", "--device", "cpu", *ONE_JOB, "--accepted", str(outside)
    )  # fmt: skip
    assert done.returncode == 2
    assert "lies outside the repository" in done.stderr.splitlines()[-1]


def test_below_its_configuration_a_gate_does_not_measure_something_else(
    repository: Repository,
) -> None:
    options = repository.folder / "pyproject.toml"
    options.write_text('[tool.gconvbench.gate]\nbaseline = "nosuch"\n')
    repository.commit("as it was")
    below = gconvbench(repository.folder / "src", "gate")
    assert below.returncode == 2
    assert "the gate's configuration is in ../pyproject.toml, not here; begin" in below.stderr
    named = gconvbench(repository.folder / "src", "gate", "--config", "../pyproject.toml")
    assert "'nosuch' is not known" in named.stderr


def test_without_a_baseline_nothing_passes(repository: Repository) -> None:
    repository.commit("the very first")
    done = gconvbench(repository.folder, "gate", "--device", "cpu", *ONE_JOB)
    assert done.returncode == 5
    assert "no baseline" in done.stdout.lower()


def test_the_side_of_another_gate_is_no_stored_baseline(branch: Path) -> None:
    """It may be the one that failed."""
    store_run(branch / "results", [make_record()], gate_side="contender")
    sides = ("--baseline", "latest", "--results", "results")
    done = gconvbench(branch, "gate", "--device", "cpu", *ONE_JOB, *sides)
    assert done.returncode == 5
    assert "no stored runs but those of gates" in " ".join(done.stdout.split())


def test_a_branch_whose_name_only_starts_like_a_stored_run_is_a_branch(branch: Path) -> None:
    done = gconvbench(branch, "gate", "--device", "cpu", *ONE_JOB, "--baseline", "latest-stable")
    assert done.returncode == 2
    assert "baseline commit 'latest-stable' is not known" in done.stderr


def test_a_baseline_that_does_not_build_is_uncertain(branch: Path) -> None:
    done = gconvbench(branch, "gate", "--device", "cpu", *ONE_JOB, "--build", "echo why; exit 7")
    assert done.returncode == 3
    assert "why" in done.stdout
    assert "7" in done.stdout


def test_a_gate_that_is_stopped_says_so_and_leaves_no_checkout(branch: Path) -> None:
    with started(branch, "gate", "--device", "cpu", *ONE_JOB, "--pairs", "1000") as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "measuring 1 job" in line)
        process.terminate()
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (143, "")
    assert "stopped before a verdict" in stderr
    trees = subprocess.run(
        ["git", "worktree", "list"],  # noqa: S607 (whatever git there is)
        cwd=branch, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(trees.stdout.splitlines()) == 1


def test_code_that_cannot_be_imported_has_failed_and_is_not_accepted(
    repository: Repository,
) -> None:
    repository.commit("as it was")
    (repository.folder / "src" / "ours_package.py").write_text("def broken(:\n")
    installed = repository.folder / "src"
    done = gconvbench(
        repository.folder, "gate", "--device", "cpu", *ONE_JOB, installed=installed
    )  # fmt: skip
    assert done.returncode == 5
    assert "1 of 1 job failed" in " ".join(done.stdout.split())
    assert "SyntaxError" in done.stdout
    accepted = gconvbench(repository.folder, "accept", "--reason", "why not")
    assert accepted.returncode == 2
    assert "what fails is failed, which cannot be accepted" in accepted.stderr


def test_what_the_configuration_no_longer_names_is_missing(repository: Repository) -> None:
    """In the folder of the command; `tests/unit/test_gate_earlier.py` has the other cases."""
    file = repository.folder / "bench" / "pyproject.toml"
    file.parent.mkdir()
    options = '[tool.gconvbench.gate]\naxes = ["groups=2", "channels=4", "size=6"]\n'
    file.write_text(options + 'implementation = "ours,native"\nold_key = 3\n')
    repository.commit("as it was")
    file.write_text(options + 'implementation = "ours"\n')
    done = gconvbench(
        file.parent, "gate", "--device", "cpu", "--pairs", "2",
        installed=repository.folder / "src",
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    told = " ".join(done.stdout.split())
    assert "1 of 2 jobs is missing: native" in told
    assert "key 'old_key' is not known" in told


def test_what_cannot_be_written_costs_neither_the_verdict_nor_its_code(branch: Path) -> None:
    done = gconvbench(
        branch, "gate", "--device", "cpu", *ONE_JOB, "--build", "exit 7",
        "--output", "/proc/nowhere",
    )  # fmt: skip
    assert done.returncode == 3
    assert "could not be built" in done.stdout.lower() or "status 7" in done.stdout
    assert "/proc/nowhere cannot be written" in done.stderr


def test_what_cannot_be_written_is_no_pass_and_says_so_everywhere(two_runs: Path) -> None:
    done = gconvbench(
        two_runs, "compare", "latest~1", "latest", "--json", "--output", "/proc/nowhere"
    )
    assert done.returncode == json.loads(done.stdout)["exit_code"] == 5
    assert "/proc/nowhere cannot be written" in done.stderr


def test_files_do_not_say_that_it_passed_where_another_could_not_be_written(two_runs: Path) -> None:
    (two_runs / "found" / "junit.xml").mkdir(parents=True)
    done = gconvbench(two_runs, "compare", "latest~1", "latest", "--output", "found")
    assert done.returncode == 5
    assert json.loads((two_runs / "found" / "comparison.json").read_text())["exit_code"] == 5
    assert "exit code 5" in (two_runs / "found" / "comparison.md").read_text()


def test_a_gate_without_a_verdict_leaves_no_earlier_one_to_accept(branch: Path) -> None:
    earlier = branch / "gconvbench-gate" / "comparison.json"
    earlier.parent.mkdir(exist_ok=True)
    earlier.write_text("of an earlier gate")
    refused = gconvbench(branch, "gate", "--device", "cpu", *ONE_JOB, "--baseline", "nosuch")
    assert (refused.returncode, earlier.exists()) == (2, False)
    earlier.write_text("of an earlier gate")
    died = gconvbench(branch, "gate", "--device", "cpu", *ONE_JOB, "--baseline-python", "/bin/true")
    assert (died.returncode, earlier.exists()) == (5, False)


def test_a_reader_that_leaves_does_not_change_the_exit_code(branch: Path) -> None:
    command = [sys.executable, "-m", "gconvbench", "gate", "--device", "cpu", *ONE_JOB]
    with subprocess.Popen(
        [*command, "--build", "exit 7"], cwd=branch, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(branch)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 3


def test_a_setting_under_which_results_are_wrong_is_found_before_any_time_counts(
    repository: Repository,
) -> None:
    repository.commit("as it was")
    file = repository.folder / "src" / "ours_package.py"
    file.write_text(
        file.read_text().replace("import torch\n", "import os\nimport torch\n").replace(
            "        return conv2d(", '        return float(os.environ["SCALE"]) * conv2d('
        )
    )  # fmt: skip
    sides = ("--baseline-set", "SCALE=1", "--contender-set", "SCALE=1.5")
    done = gconvbench(
        repository.folder, "gate", *sides, "--device", "cpu", "--pairs", "2", *ONE_JOB,
        installed=file.parent,
    )  # fmt: skip
    assert done.returncode == 6, done.stderr
    assert done.stdout.startswith("1 of 1 job is wrong: ours\ng2mb1ic4")
    assert "output has error 0.5" in done.stdout
    assert "would have been found cannot be told" in " ".join(done.stdout.split())


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    """Two stored runs of the same nine jobs, in which nothing changed."""
    store_history(tmp_path / "results", 2)
    return tmp_path


def rewrite(folder: Path, change: Callable[[Header], Header], *, leave_out: str = "none") -> None:
    """Change the newer run."""
    path = list_runs(folder / "results")[-1]
    run = load_run(path)
    kept = [one for one in run.records if leave_out not in one.job.implementation]
    lines = [encode_line(change(run.header)), *map(encode_line, kept)]
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def test_two_stored_runs_alike_are_unchanged(two_runs: Path) -> None:
    done = gconvbench(two_runs, "compare", "latest~1", "latest")
    assert done.returncode == 0, done.stderr
    assert "9 unchanged" in done.stdout


def test_a_stored_slowdown_is_only_uncertain(tmp_path: Path) -> None:
    store_history(tmp_path / "results", 2, lambda index, _: 1.5 if index else 1.0)
    done = gconvbench(tmp_path, "compare", "latest~1", "latest")
    assert done.returncode == 3
    assert "stored data can only screen" in done.stdout


def test_two_stored_runs_of_jobs_that_take_seconds_are_compared(tmp_path: Path) -> None:
    store_history(tmp_path / "results", 2, lambda _index, _record: 1e5)
    done = gconvbench(tmp_path, "compare", "latest~1", "latest")
    assert done.returncode == 0, done.stderr
    assert "9 unchanged" in done.stdout


def test_a_stored_run_in_which_all_crashed_is_told_so(tmp_path: Path) -> None:
    store_run(tmp_path / "results", [make_record()], run="20250101T000000Z-aaa")
    crashed = make_record(outcome="crashed")
    store_run(tmp_path / "results", [crashed], run="20250102T000000Z-bbb")
    done = gconvbench(tmp_path, "compare", "latest~1", "latest")
    assert done.returncode == 5, done.stderr
    assert "1 of 1 job crashed" in done.stdout


def test_what_the_newer_run_has_no_more_is_missing(two_runs: Path) -> None:
    rewrite(two_runs, lambda header: header, leave_out="split")
    done = gconvbench(two_runs, "compare", "latest~1", "latest")
    assert done.returncode == 5
    assert "missing" in done.stdout


def test_another_machine_is_not_comparable(two_runs: Path) -> None:
    def elsewhere(header: Header) -> Header:
        identity = header.environment.identity | {"device_name": "another"}
        return replace(header, environment=replace(header.environment, identity=identity))

    rewrite(two_runs, elsewhere)
    done = gconvbench(two_runs, "compare", "latest~1", "latest")
    assert done.returncode == 4
    assert "device_name is" in done.stdout


def test_a_run_that_is_none_is_refused(two_runs: Path) -> None:
    done = gconvbench(two_runs, "compare", "nosuch", "latest")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'nosuch'" in done.stderr
