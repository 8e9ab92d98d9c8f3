"""asv's own commands, over commits of which one is slower by script."""

from __future__ import annotations

import fcntl
import json
import platform
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.functional.peers import Peers, flagged
from tests.functional.scripted_repository import PLANTED, ScriptedRepository

_TIMES = "layers.Layer.track_time"
_SLOWER = {f"{_TIMES}(4, {batch}, 'ours')" for batch in (1, 2)}


class History(NamedTuple):
    """A repository with its results.

    Attributes:
        repository: four commits; the third and the fourth have the slower implementation.
        commits: their hashes.
        peers: the commands in it.
        run: how `asv run` of the last three commits ended.
        processes: what that started, by a part of the command.
    """

    repository: ScriptedRepository
    commits: list[str]
    peers: Peers
    run: Any
    processes: dict[str, int]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("asv")
    repository = ScriptedRepository(folder / "repository")
    scripts: list[tuple[str, dict[str, float]]] = [
        ("one", {}), ("two", {}), ("three", PLANTED), ("four", PLANTED),
    ]  # fmt: skip
    commits = [repository.script(idea, factors) for idea, factors in scripts]
    peers = Peers(repository.folder, folder / "home")
    run = peers.asv("run", "main~3..main")
    kinds = ("benchmark.py discover", "benchmark.py run", "asv_host", "side_worker")
    return History(repository, commits, peers, run, {kind: peers.processes(kind) for kind in kinds})


def _files(history: History) -> list[Path]:
    return sorted((history.repository.folder / "results" / "asv").rglob("*.json"))


def _stored(history: History, commit: str) -> dict[str, dict[str, Any]]:
    """By benchmark, its columns by name."""
    (path,) = [path for path in _files(history) if path.name.startswith(commit[:8])]
    document = json.loads(path.read_text())
    return {
        name: dict(zip(document["result_columns"], row, strict=False))
        for name, row in document["results"].items()
    }


def test_a_range_is_run_without_a_question_and_stored_by_our_machine(history: History) -> None:
    assert history.run.code == 0, history.run.out
    names = {path.name[:8] for path in _files(history) if "py3" in path.name}
    assert names == {commit[:8] for commit in history.commits[1:]}
    (machine,) = [path for path in _files(history) if path.name == "machine.json"]
    facts = json.loads(machine.read_text())
    assert facts["machine"] == machine.parent.name
    assert {"gpu", "driver", "cuda", "cudnn"} <= set(facts)


def test_no_file_names_host_user_or_folder(history: History) -> None:
    for path in _files(history):
        text = path.read_text()
        assert str(history.repository.folder.parent) not in text
        assert platform.node() not in text


def test_each_round_is_a_worker_and_no_combination_is_a_process(history: History) -> None:
    assert history.processes == {
        "benchmark.py discover": 1,
        "benchmark.py run": 0,
        "asv_host": 3,
        "side_worker": 3 * 2,
    }


def test_every_benchmark_has_an_explicit_version_and_times_have_samples(history: History) -> None:
    found = _stored(history, history.commits[1])
    assert len(found) == 4
    assert {row["version"] for row in found.values()} == {
        "1: channels=8 size=6; groups batch implementation"
    }
    times = found[_TIMES]
    assert times["stats_repeat"][0] >= 20  # both rounds' samples
    assert times["stats_ci_99_a"][0] < times["result"][0] < times["stats_ci_99_b"][0]


def test_impossible_combinations_are_skipped_not_failed(history: History) -> None:
    found = _stored(history, history.commits[1])
    for row in found.values():
        by_groups = dict(zip((2, 3, 4), (row["result"][i : i + 4] for i in (0, 4, 8)), strict=True))
        assert all(value != value for value in by_groups[3])  # noqa: PLR0124 (NaN)
        assert all(value is not None and value == value for value in by_groups[2])  # noqa: PLR0124


def test_compare_flags_exactly_what_was_planted(history: History) -> None:
    _, two, three, four = history.commits
    planted = history.peers.asv("compare", two, three)
    assert flagged(planted.out, "+") == _SLOWER
    assert flagged(planted.out, "-") == set()
    unchanged = history.peers.asv("compare", three, four)
    assert flagged(unchanged.out, "+") == flagged(unchanged.out, "-") == set()


def test_show_has_times_and_units(history: History) -> None:
    shown = history.peers.asv("show", history.commits[2])
    assert shown.code == 0
    assert re.search(r"300±[\d.]+μs", shown.out)


def test_publish_builds_a_page_with_every_graph(history: History) -> None:
    published = history.peers.asv("publish")
    assert published.code == 0, published.out
    html = history.repository.folder / ".asv" / "html"
    index = json.loads((html / "index.json").read_text())
    assert set(index["benchmarks"]) == {
        f"layers.Layer.track_{name}" for name in ("error", "parameters", "peak_memory", "time")
    }
    (graph,) = html.glob(f"graphs/**/machine-*/**/{_TIMES}.json")
    assert len(json.loads(graph.read_text())) == 3
    assert not re.search(platform.node() + r"\b", (html / "index.json").read_text())


def test_preview_serves_what_was_published(history: History) -> None:
    history.peers.asv("publish")
    with subprocess.Popen(
        [sys.executable, "-m", "asv", "preview", "--port", "0"],
        cwd=history.repository.folder,
        env=history.peers.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            address = re.search(
                r"http://\S+", next(line for line in process.stdout if "http" in line)
            )
            assert address
            with urllib.request.urlopen(address[0], timeout=20) as page:  # noqa: S310 (our own)
                assert b"airspeed velocity" in page.read()
        finally:
            process.terminate()  # where a script's background ignores interrupts, too


def test_continuous_measures_two_commits_by_turns_and_says_what_is_worse(
    history: History, tmp_path: Path
) -> None:
    _, two, three, _ = history.commits
    found = history.peers.asv("continuous", "--bench", "track_time", two, three)
    assert found.code == 1
    assert flagged(found.out, "+") == _SLOWER
    assert "PERFORMANCE DECREASED" in found.out


@pytest.mark.parametrize("words", [(), ("HEAD^!",)])
def test_the_tip_is_run(history: History, words: tuple[str, ...]) -> None:
    found = history.peers.asv("run", "--bench", "track_time.2, 1", "--skip-existing", *words)
    assert found.code == 0, found.out
    assert history.commits[3][:8] in {path.name[:8] for path in _files(history)}


def test_wrong_results_fail_and_leave_no_time(history: History) -> None:
    repository = history.repository
    text = (repository.folder / "src" / "ours_package.py").read_text()
    wrong = text.replace("return conv2d(", "return 1.01 * conv2d(")
    (repository.folder / "src" / "ours_package.py").write_text(wrong)
    repository.git("commit", "-qam", "wrong")
    try:
        found = history.peers.asv("run", "--show-stderr", "--bench", "track_time.2, 1", "HEAD^!")
        assert found.code == 2
        assert "ours: wrong: output has error" in found.out + found.err
        commit = repository.git("rev-parse", "HEAD")
        values = _stored(history, commit)[_TIMES]["result"]
        assert not any(isinstance(value, float) and value > 0 for value in values or ())
    finally:
        repository.git("reset", "-q", "--hard", "HEAD~1")


def test_a_build_that_fails_leaves_no_other_commits_code(history: History) -> None:
    repository, (_, two, three, _) = history.repository, history.commits
    configuration = repository.folder / "asv.conf.json"
    text = configuration.read_text()
    fails = f"git rev-parse HEAD | grep -q {two}"
    command = json.dumps([f"sh -c '{fails}'"])
    configuration.write_text(text[:-1] + f', "build_command": {command}}}')
    try:
        history.peers.asv("run", "--bench", "track_time.4, 1", f"{two}^!")
        failed = history.peers.asv("run", "--bench", "track_time.4, 1", f"{three}^!")
        assert failed.code != 0
        again = history.peers.asv("run", "--bench", "track_time.4, 1, .ours", f"{two}^!")
        assert again.code == 0, again.out
        assert _stored(history, two)[_TIMES]["result"][8] < 275e-6  # (4, 1, 'ours')
    finally:
        configuration.write_text(text)


def test_environments_of_a_matrix_take_turns_with_the_device(history: History) -> None:
    configuration = history.repository.folder / "asv.conf.json"
    text = configuration.read_text()
    matrix = ', "matrix": {"env_nobuild": {"GCONVBENCH_THREADS": ["1", "2"]}}}'
    configuration.write_text(text[:-1] + matrix)
    try:
        found = history.peers.asv("run", "--bench", "track_time.2, 1", "HEAD^!")
        assert found.code == 0, found.out
        paths = [path for path in _files(history) if "GCONVBENCH_THREADS" in path.name]
        assert len(paths) == 2
        for path in paths:
            path.unlink()
    finally:
        configuration.write_text(text)


def test_a_device_in_use_ends_the_run_and_stores_no_failure(history: History) -> None:
    commit = history.commits[0]
    lock = Path(history.peers.environment["GCONVBENCH_LOCKS"]) / "gconvbench-cpu.lock"
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = history.peers.asv("run", "--bench", "track_time.2, 1", f"{commit}^!")
    assert found.code != 0
    assert "is in use by another run" in found.out + found.err
    assert not any(path.name.startswith(commit[:8]) for path in _files(history))


def test_a_commit_whose_configuration_is_broken_is_measured_all_the_same(history: History) -> None:
    repository = history.repository
    (repository.folder / "pyproject.toml").write_text("[tool\n")
    repository.git("add", "pyproject.toml")
    repository.git("commit", "-qm", "broken")
    (repository.folder / "pyproject.toml").unlink()
    try:
        found = history.peers.asv("run", "--bench", "track_time.2, 1", "HEAD^!")
        assert found.code == 0, found.out
    finally:
        repository.git("reset", "-q", "--hard", "HEAD~1")


def test_other_benchmarks_beside_ours_get_a_process_each(history: History) -> None:
    benchmarks = history.repository.folder / "benchmarks"
    (benchmarks / "plain.py").write_text("def track_answer():\n    return 42\n")
    try:
        history.peers.forget_processes()
        found = history.peers.asv("run", "--bench", "track_answer", "HEAD^!")
        assert found.code == 0, found.out
        assert _stored(history, history.commits[3])["plain.track_answer"]["result"] == [42]
        assert history.peers.processes("benchmark.py run") == 1
    finally:
        (benchmarks / "plain.py").unlink()
