"""Two sides in real processes: whose code, which interpreter, which settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gconvbench.cli.gate_sides import Sides, accepted_before
from gconvbench.errors import NotMeasuredError, UsageError
from gconvbench.planning import GATE_SAMPLES, gate_method
from gconvbench.records import Job, Plan, PlannedCase
from gconvbench.runner import WorkerProcess
from gconvbench.runner.checkout import (
    NoBaselineError,
    NotBuiltError,
    checkout,
    default_baseline,
    file_at,
    is_ancestor,
    resolve,
)
from gconvbench.runner.question import QuestionSide
from gconvbench.runner.side import Side
from gconvbench.runner.slots import MeasuredSide, ask
from gconvbench.store import load_run
from tests.functional.repository import Repository

if TYPE_CHECKING:
    from gconvbench.protocol import Description

CASE = "g2mb1ic4ih6iw6oc4kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:fprop"
METHOD = gate_method("cpu")
ROOT = Path(__file__).parents[2]


def described(side: Side, name: str) -> Description:
    with WorkerProcess("cpu", METHOD, side) as worker:
        return next(one for one in worker.ready.implementations if one.name == name)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "theirs")


def test_each_side_runs_its_own_commit(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = repository.commit("the old way")
    repository.commit("the new way")
    installed = repository.folder / "src"
    monkeypatch.setenv("PYTHONPATH", str(installed))  # as an editable installation has it
    with checkout(repository.folder, old) as tree:
        before = described(Side(what="old", code=tree), "ours")
        after = described(Side(what="new", code=repository.folder), "ours")
    assert (before.idea, after.idea) == ("the old way", "the new way")
    assert before.is_under_test
    assert after.is_under_test


PROJECT = """
[project]
name = "ours"
version = "2.0"

[project.entry-points."gconvbench.implementations"]
{entries}
"""


def test_each_side_has_the_entry_points_of_its_own_project_file(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed is one of them, here as a third commit had it."""
    project = repository.folder / "pyproject.toml"
    project.write_text(PROJECT.format(entries='ours = "ours_package:Ours"'))
    old = repository.commit("the old way")
    package = repository.folder / "src" / "ours_package.py"
    package.rename(package.with_name("ours_moved.py"))
    moved = 'ours = "ours_moved:Ours"\ngone = "ours_package:Ours"'
    project.write_text(PROJECT.format(entries=moved))
    monkeypatch.setenv("PYTHONPATH", str(repository.folder / "src"))
    with checkout(repository.folder, old) as tree:
        before = described(Side(what="old", code=tree), "ours")
        after = described(Side(what="new", code=repository.folder), "ours")
        gone = described(Side(what="new", code=repository.folder), "gone")
    assert (before.idea, before.problem, before.is_under_test) == ("the old way", "", True)
    assert (after.idea, after.problem, after.is_under_test) == ("the old way", "", True)
    assert "ours_package" in gone.problem


@pytest.mark.parametrize(
    "text",
    ['[project]\nname = "ours"\ndynamic = ["entry-points"]', '[project]\nname = "ours"', "no toml",
     "[tool.x]", "project = 1", '[project]\nname = "ours"\nentry-points = {x = 1}'],
)  # fmt: skip
def test_where_no_project_file_says_them_entry_points_are_those_installed(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (repository.folder / "pyproject.toml").write_text(text)
    repository.commit("ours")
    monkeypatch.setenv("PYTHONPATH", str(repository.folder / "src"))
    found = described(Side(what="ours", code=repository.folder), "ours")
    assert (found.problem, found.is_under_test) == ("", True)


def test_what_is_installed_elsewhere_is_not_under_test(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("theirs")
    monkeypatch.setenv("PYTHONPATH", str(repository.folder / "src"))
    empty = tmp_path / "empty"
    empty.mkdir()
    side = Side(what="empty", code=empty)
    assert not described(side, "ours").is_under_test
    assert not described(side, "native").is_under_test


def test_an_environment_in_a_checkout_is_not_under_test(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("ours")
    installed = repository.folder / ".venv" / "lib" / "site-packages"
    shutil.copytree(repository.folder / "src", installed)
    monkeypatch.setenv("PYTHONPATH", str(installed))
    side = Side(what="theirs", code=repository.folder, code_paths=("nowhere",))
    assert not described(side, "ours").is_under_test


def test_a_run_of_a_copy_is_refused_as_its_commit_is_not_that_of_the_checkout(
    repository: Repository, tmp_path: Path
) -> None:
    project = repository.folder / "pyproject.toml"
    project.write_text(PROJECT.format(entries='ours = "ours_package:Ours"'))
    repository.commit("ours")
    installed = tmp_path / "installed" / "site-packages"
    shutil.copytree(repository.folder / "src", installed)
    (repository.folder / "src" / "ours-1.0.dist-info").rename(tmp_path / "dist-info")
    done = [
        subprocess.run(
            [sys.executable, "-m", "gconvbench", "run", "--device", "cpu", "-a", "groups=2",
             "-a", "channels=4", "-a", "size=4", "--implementation", name, "--rounds", "1",
             "--check-only", "--results", str(tmp_path / "results")],
            cwd=repository.folder, capture_output=True, text=True, check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([*folders, str(ROOT)])},
        )
        for name, folders in [
            ("ours", [str(installed)]),
            ("native", [str(installed)]),
            ("ours", [str(repository.folder / "src"), str(installed)]),
        ]
    ]  # fmt: skip
    assert [one.returncode for one in done] == [2, 0, 0], done
    assert done[0].stderr.endswith(
        "implementation 'ours' of this checkout was imported from where it is installed, so that "
        "its commit says nothing of what would be measured; python -m pip install --editable ., or "
        "put its folder on PYTHONPATH\n"
    )


def test_a_checkout_of_gconvbench_gives_its_implementations_and_nothing_else(
    tmp_path: Path,
) -> None:
    package = tmp_path / "gconvbench"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('this engine must not be used')")
    source = ROOT / "gconvbench" / "implementations"
    (package / "implementations").mkdir()
    for file in source.glob("*.py"):
        text = file.read_text().replace('name = "native"', 'name = "natural"')
        (package / "implementations" / file.name).write_text(text)
    found = described(Side(what="theirs", code=tmp_path), "natural")
    assert found.is_under_test


def test_settings_are_in_force_and_recorded() -> None:
    side = Side(
        what="other settings",
        switches={"cudnn_benchmark": True, "onednn_enabled": False},
        variables={"ONEDNN_MAX_CPU_ISA": "SSE41"},
    )
    with WorkerProcess("cpu", METHOD, side) as worker:
        identity = worker.ready.environment.identity
        record = worker.measure(Job(CASE, "native"), 1, timeout_s=60)
    assert identity["cudnn_benchmark"] is True
    assert identity["onednn_enabled"] is False
    assert identity["ONEDNN_MAX_CPU_ISA"] == "SSE41"
    assert record.outcome == "measured"


def test_another_interpreter_measures_with_this_engine(tmp_path: Path) -> None:
    python = other_python(tmp_path, with_packages=True)
    with WorkerProcess("cpu", METHOD, Side(what="other", python=python)) as worker:
        assert worker.measure(Job(CASE, "native"), 1, timeout_s=60).outcome == "measured"


def test_an_interpreter_without_what_is_needed_is_refused_in_one_line(tmp_path: Path) -> None:
    python = other_python(tmp_path, with_packages=False)
    with pytest.raises(UsageError) as caught:
        WorkerProcess("cpu", METHOD, Side(what="other", python=python))
    assert "\n" not in str(caught.value)
    assert f"msgspec is not installed for {python}" in str(caught.value)


def test_an_interpreter_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="interpreter '/no/python' cannot be started: No such"):
        WorkerProcess("cpu", METHOD, Side(what="other", python="/no/python"))


def test_a_program_that_is_no_interpreter_is_named_with_what_it_said() -> None:
    with pytest.raises(NotMeasuredError) as caught:
        WorkerProcess("cpu", METHOD, Side(what="other", python="/bin/true"))
    assert str(caught.value) == (
        "interpreter '/bin/true' exited with status 0 instead of starting a worker: "
        "it said nothing; give a Python 3.11 or later that has torch"
    )


def other_python(folder: Path, *, with_packages: bool) -> str:
    """Another interpreter, with or without the packages of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    if with_packages:
        (site,) = (folder / "venv" / "lib").glob("*/site-packages")
        ours = [path for path in sys.path if path.endswith("-packages")]
        (site / "ours.pth").write_text("\n".join(ours))
    return str(folder / "venv" / "bin" / "python")


def test_slots_are_stored_as_an_ordinary_run(tmp_path: Path) -> None:
    side = Side(what="ours")
    jobs = (Job(CASE, "native"), Job(CASE, "split_concat"), Job(CASE, "native_view_shuffle"))
    ready, reasons, _, examination = ask(side, "cpu", METHOD, lambda _: jobs)
    assert [bool(reason) for reason in reasons.values()] == [False, False, True]
    plan = Plan(cases=(PlannedCase(CASE),), implementations=("native", "split_concat"), rounds=2)
    measured = MeasuredSide(
        side,
        ready,
        name="baseline",
        plan=plan,
        method=METHOD,
        device="cpu",
        results=tmp_path,
        timeout_s=60,
        examination=examination,
    )
    first = measured.measure(jobs[:2], anchor_samples=3)
    second = measured.measure(jobs[:1])
    measured.finish()
    assert {job: record.outcome for job, record in first.records.items()} == dict.fromkeys(
        jobs[:2], "measured"
    )
    assert {len(samples) for samples in first.anchors.values()} == {3}
    assert not second.anchors
    stored = load_run(measured.writer.path)
    assert stored.is_complete
    assert stored.header.examination is not None
    assert stored.header.examination.checks
    assert [record.round for record in stored.records] == [1, 1, 2]
    assert {len(t.samples_s) for r in stored.records for t in r.timings} == {GATE_SAMPLES}


def test_a_job_that_kills_its_process_costs_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "plugin"))
    side = Side(what="ours")
    jobs = (Job(CASE, "segfaulting"), Job(CASE, "native"))
    ready, *_ = ask(side, "cpu", METHOD, lambda _: jobs)
    plan = Plan(cases=(PlannedCase(CASE),), implementations=("segfaulting", "native"), rounds=1)
    measured = MeasuredSide(
        side,
        ready,
        name="baseline",
        plan=plan,
        method=METHOD,
        device="cpu",
        results=tmp_path,
        timeout_s=60,
    )
    outcomes = {job.implementation: r.outcome for job, r in measured.measure(jobs).records.items()}
    assert outcomes == {"segfaulting": "crashed", "native": "measured"}


def test_a_checkout_vanishes_whatever_happens(repository: Repository) -> None:
    commit = repository.commit("first")
    seen: list[Path] = []

    def fail() -> None:
        with checkout(repository.folder, commit) as tree:
            seen.append(tree / "src" / "ours_package.py")
            assert seen[0].is_file()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not seen[0].exists()
    assert repository.git("worktree", "list").count("\n") == 0


def test_a_build_command_runs_in_the_checkout_and_may_fail(repository: Repository) -> None:
    commit = repository.commit("first")
    with checkout(repository.folder, commit, build="echo built > made && pwd") as tree:
        assert (tree / "made").read_text() == "built\n"
    with (
        pytest.raises(NotBuiltError, match="status 3: no compiler"),
        checkout(repository.folder, commit, build="echo no compiler; exit 3"),
    ):
        pass
    assert repository.git("worktree", "list").count("\n") == 0


def test_a_build_that_does_not_end_is_ended_with_all_that_it_started(
    repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit("first")
    with (
        pytest.raises(NotBuiltError, match="did not end within"),
        checkout(
            repository.folder, commit, build=f"sleep 300 & echo $! > {tmp_path}/child; wait",
            build_timeout_s=0.5,
        ),
    ):  # fmt: skip
        pass
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"
    assert repository.git("worktree", "list").count("\n") == 0


def test_submodules_that_cannot_be_had_are_told_in_one_line(repository: Repository) -> None:
    (repository.folder / ".gitmodules").write_text(
        '[submodule "gone"]\n\tpath = gone\n\turl = file:///none/gone.git\n'
    )
    head = repository.commit("first")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{head},gone")
    repository.git("commit", "-q", "-m", "with a submodule")
    with (
        pytest.raises(NotMeasuredError, match="cannot be checked out"),
        checkout(repository.folder, repository.git("rev-parse", "HEAD")),
    ):
        pass
    assert repository.git("worktree", "list").count("\n") == 0


ACCEPTED = """
[[accepted]]
cases = "*"
implementations = "ours"
kinds = ["slower"]
from = "aaaa"
to = "bbbb"
largest_change = 0.5
reason = "exactness costs"
expires = 2099-01-01
"""


@pytest.mark.parametrize("name", ["accepted.toml", "../accepted.toml", "{top}/accepted.toml"])
def test_what_the_baseline_had_accepted_is_found_from_anywhere(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (repository.folder / "accepted.toml").write_text(ACCEPTED)
    commit = repository.commit("accepted already")
    monkeypatch.chdir(repository.folder / ("src" if name.startswith("..") else "."))
    side = QuestionSide(Side(what="any"), METHOD, lambda _: (), {})
    sides = Sides(side, side, repository=repository.folder, baseline_commit=commit)
    found = accepted_before(sides, name.format(top=repository.folder))
    assert [one.reason for one in found] == ["exactness costs"]


def test_the_default_baseline_is_where_the_branch_left_main(repository: Repository) -> None:
    first = repository.commit("first")
    with pytest.raises(NoBaselineError, match="first commit"):
        default_baseline(repository.folder)
    second = repository.commit("second")
    assert default_baseline(repository.folder).commit == first
    repository.write("not committed")
    assert default_baseline(repository.folder).commit == second
    repository.git("checkout", "--quiet", "-b", "topic")
    third = repository.commit("third")
    assert default_baseline(repository.folder).commit == second
    assert is_ancestor(repository.folder, second, third)
    assert not is_ancestor(repository.folder, third, second)
    assert "first" in (file_at(repository.folder, first, "src/ours_package.py") or "")
    assert file_at(repository.folder, first, "nothing") is None


def test_a_commit_that_is_none_is_refused_with_those_near(repository: Repository) -> None:
    repository.commit("first")
    with pytest.raises(UsageError, match="did you mean 'main'"):
        resolve(repository.folder, "mian")


def test_a_shallow_clone_is_told_what_to_do(repository: Repository, tmp_path: Path) -> None:
    repository.commit("first")
    repository.commit("second")
    shallow = tmp_path / "shallow"
    repository.clone(shallow, "--depth=1")
    with pytest.raises(NotMeasuredError, match="git fetch --unshallow"):
        default_baseline(shallow)


def test_the_workers_of_a_side_find_its_packages_first(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    side = Side(what="theirs", code=tmp_path)
    assert side.python_path.split(os.pathsep)[:2] == [str(tmp_path / "."), str(tmp_path / "src")]
