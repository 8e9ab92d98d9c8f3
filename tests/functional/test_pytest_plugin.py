"""pytest-benchmark's own options over commits of which one is slower by script, and our gate."""

from __future__ import annotations

import json
import platform
import re
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.functional.peers import Peers
from tests.functional.scripted_repository import PLANTED, ScriptedRepository

if TYPE_CHECKING:
    from pathlib import Path

GATE = 10


class History(NamedTuple):
    """A repository: the third and the fourth commit have the slower implementation."""

    repository: ScriptedRepository
    commits: list[str]
    peers: Peers

    @property
    def saved(self) -> list[Path]:
        """pytest-benchmark's files, the newest last."""
        return sorted(self.repository.folder.glob(".benchmarks/*/*.json"))

    def at(self, commit: str) -> History:
        """The same with another commit in its working tree, as it was committed."""
        self.repository.git("checkout", "-q", "-f", commit)
        self.repository.git("clean", "-fdq")
        return self


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("pytest")
    repository = ScriptedRepository(folder / "repository")
    scripts: list[tuple[str, dict[str, float]]] = [
        ("one", {}), ("two", {}), ("three", PLANTED), ("four", PLANTED),
    ]  # fmt: skip
    commits = [repository.script(idea, factors) for idea, factors in scripts]
    return History(repository, commits, Peers(repository.folder, folder / "home"))


@pytest.fixture
def history(prepared: History) -> History:
    shutil.rmtree(prepared.repository.folder / ".benchmarks", ignore_errors=True)
    return prepared.at(prepared.commits[1])


def _benchmarks(path: Path) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(path.read_text())["benchmarks"]}


def _write(history: History, text: str) -> Path:
    path = history.repository.folder / "test_own.py"
    path.write_text(text)
    return path


def test_samples_are_the_engines_bit_for_bit(history: History) -> None:
    _write(
        history,
        "import json\n"
        "def test_own(gconv_benchmark):\n"
        "    record = gconv_benchmark('g2mb1ic8ih6oc8kh3ph1', implementation='native')\n"
        "    (timing,) = record.timings\n"
        "    open('samples', 'w').write(json.dumps(timing.samples_s))\n",
    )
    done = history.peers.pytest("--benchmark-only", "--benchmark-json=out.json", "test_own.py")
    assert done.code == 0, done.out
    folder = history.repository.folder
    stats = _benchmarks(folder / "out.json")["test_own"]["stats"]
    assert stats["data"] == json.loads((folder / "samples").read_text())
    assert stats["rounds"] == len(stats["data"]) >= 10
    assert stats["iterations"] == 1


def test_each_time_has_several_fresh_processes_behind_it(history: History) -> None:
    history.peers.forget_processes()
    done = history.peers.pytest("--benchmark-json=out.json", processes=3)
    assert done.code == 0, done.out
    document = json.loads((history.repository.folder / "out.json").read_text())
    assert {one["extra_info"]["processes"] for one in document["benchmarks"]} == {3}
    records = document["gconvbench"]["records"]
    assert sorted({record["round"] for record in records}) == [1, 2, 3]
    assert history.peers.processes("gconvbench.worker") == 3


def test_a_wrong_result_fails_before_it_is_timed(history: History) -> None:
    _write(
        history,
        "from torch.nn.functional import conv2d\n"
        "CASE = 'g2mb1ic8ih6oc8kh3ph1'\n"
        "def wrong(*operands):\n"
        "    return 1.01 * conv2d(*operands)\n"
        "def right(*operands):\n"
        "    return conv2d(*operands)\n"
        "def test_wrong(gconv_benchmark):\n"
        "    gconv_benchmark(CASE, implementation=wrong)\n"
        "def test_right(gconv_benchmark):\n"
        "    gconv_benchmark(CASE, implementation=right)\n"
        "def test_not_expected(gconv_benchmark):\n"
        "    import torch\n"
        "    gconv_benchmark(torch.ones, 3, expected=torch.zeros(3))\n",
    )
    done = history.peers.pytest("--benchmark-json=out.json", "-W", "error", "test_own.py")
    assert done.code == 1
    assert "wrong is wrong: output has error" in done.out
    assert "Tensor-likes are not close" in done.out
    assert set(_benchmarks(history.repository.folder / "out.json")) == {"test_right"}


def test_own_layers_and_callables_take_three_lines(history: History) -> None:
    _write(
        history,
        "import torch\n"
        "def test_layer(gconv_benchmark):\n"
        "    layer = torch.nn.Conv2d(8, 8, 3, groups=2)\n"
        "    gconv_benchmark(layer, input_shape=(1, 8, 6, 6), direction='training')\n"
        "def test_callable(gconv_benchmark):\n"
        "    x = torch.ones(4, 4)\n"
        "    assert gconv_benchmark(torch.mm, x, x, expected=lambda: x @ x).sum() == 64\n",
    )
    done = history.peers.pytest("--benchmark-json=out.json", "test_own.py")
    assert done.code == 0, done.out
    found = _benchmarks(history.repository.folder / "out.json")
    assert found["test_layer"]["extra_info"]["case"].endswith(":training:bias")
    assert found["test_layer"]["group"] == found["test_layer"]["extra_info"]["case"]
    assert found["test_callable"]["extra_info"]["implementation"] == "callable"


def test_a_variable_that_is_wrong_is_one_line(history: History) -> None:
    history.peers.environment["GCONVBENCH_THREADS"] = "none"
    try:
        done = history.peers.pytest("-W", "error", "-k", "2-1-ours")
    finally:
        del history.peers.environment["GCONVBENCH_THREADS"]
    assert "gconv_benchmark: GCONVBENCH_THREADS 'none' must be a whole number" in done.out
    assert "pytest_state.py" not in done.out


def test_a_mere_collection_gates_nothing(history: History) -> None:
    history.peers.forget_processes()
    words = ("--collect-only", f"--gconvbench-gate={history.commits[0]}")
    assert history.peers.pytest(*words).code == 0
    assert history.peers.processes("--gconvbench-notes") == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("__import__('torch').nn.Conv2d(8, 8, 3)", "input_shape is missing"),
        ("'nonsense'", "case id 'nonsense': cannot read"),
        ("3", "int cannot be timed; allowed: a case id"),
        (
            "'g2mb1ic8ih6oc8kh3ph1', implementation='navite'",
            "implementation 'navite' is not known; did you mean 'native'?",
        ),
        ("'g2mb1ic8ih6oc8kh3ph1', implementation=3", "implementation 3 must be a name"),
        ("'g2mb1ic8ih6oc8kh3ph1', device='tpu'", "device 'tpu'"),
        ("'g2mb1ic8ih6oc8kh3ph1', expected=1", "expected belongs to a callable"),
        ("'g2mb1ic8ih6oc8kh3ph1', rtol=1e-30", "rtol belongs to a callable"),
        ("max, 1, 2, direction='fprop'", "direction belongs to a case"),
        ("max, 1, 2, implementation=max", "implementation belongs to a case"),
        ("max, 1, 2, rtol=0.1", "rtol belongs to expected"),
    ],
)
def test_wrong_use_is_one_line(history: History, call: str, said: str) -> None:
    _write(history, f"def test_own(gconv_benchmark):\n    gconv_benchmark({call})\n")
    done = history.peers.pytest("test_own.py")
    assert said in done.out
    assert "Traceback" not in done.out
    assert "site-packages" not in done.out.partition("short test summary")[0]


def test_saved_runs_are_compared_and_a_slowdown_fails(history: History) -> None:
    saved = history.peers.pytest("--benchmark-only", "--benchmark-save=base")
    assert saved.code == 0, saved.out
    assert [path.name for path in history.saved] == ["0001_base.json"]
    fail = ("--benchmark-compare", "--benchmark-compare-fail=median:5%")
    same = history.peers.pytest("--benchmark-only", *fail)
    assert same.code == 0, same.out
    assert "machine_info is different" not in same.out + same.err
    history.at(history.commits[2])
    slower = history.peers.pytest("--benchmark-only", *fail)
    assert slower.code != 0
    assert "Performance has regressed" in slower.out + slower.err
    regressed = (slower.out + slower.err).partition("Performance has regressed")[2]
    assert "test_layer[4-1-ours]" in regressed
    assert "other" not in regressed.partition("\n\n")[0]


def test_autosave_histogram_grouping_and_selection_are_pytest_benchmarks(history: History) -> None:
    words = (
        "--benchmark-autosave",
        "--benchmark-histogram=plot",
        "--benchmark-group-by=param:batch",
    )
    done = history.peers.pytest("--benchmark-only", *words, "-k", "ours")
    assert done.code == 0, done.out
    assert "benchmark 'batch=1': 2 tests" in done.out
    assert "other" not in done.out
    assert len(history.saved) == 1
    assert list(history.repository.folder.glob("plot*.svg"))


@pytest.mark.parametrize("word", ["--benchmark-disable", "--benchmark-skip"])
def test_without_benchmarks_tests_are_proved_or_skipped(history: History, word: str) -> None:
    _write(
        history,
        "from torch.nn.functional import conv2d\n"
        "def wrong(*operands):\n"
        "    return 1.01 * conv2d(*operands)\n"
        "def test_wrong(gconv_benchmark):\n"
        "    gconv_benchmark('g2mb1ic8ih6oc8kh3ph1', implementation=wrong)\n",
    )
    done = history.peers.pytest(word)
    if word == "--benchmark-skip":
        assert done.code == 0
        assert "9 skipped" in done.out
    else:
        assert done.code == 1
        assert "1 failed, 8 passed" in done.out
    assert "Name (time" not in done.out


def test_the_fingerprint_is_stored_and_the_host_is_not(history: History) -> None:
    history.peers.pytest("--benchmark-only", "--benchmark-save=base")
    document = json.loads(history.saved[0].read_text())
    info = document["machine_info"]
    assert info["node"] == info["gconvbench"]["machine"]
    assert info["gconvbench"]["identity"]["device_type"]
    assert "torch" in info["gconvbench"]["under_test"]
    assert platform.node() not in json.dumps(document)
    assert str(history.repository.folder) not in json.dumps(document)


def test_another_device_is_refused_with_the_reason(history: History) -> None:
    history.peers.pytest("--benchmark-only", "--benchmark-save=base")
    document = json.loads(history.saved[0].read_text())
    document["machine_info"]["gconvbench"]["identity"]["device_name"] = "NVIDIA H200"
    history.saved[0].write_text(json.dumps(document))
    done = history.peers.pytest("--benchmark-only", "--benchmark-compare")
    assert done.code == pytest.ExitCode.USAGE_ERROR
    said = done.out + done.err
    assert "cannot be compared" in said
    assert "device_name was 'NVIDIA H200'" in said


def test_a_saved_file_is_a_run(history: History) -> None:
    call = "gconv_benchmark('g2mb1ic8ih6oc8kh3ph1', implementation='ours')\n"
    _write(history, f"def test_again(gconv_benchmark):\n    {call}")  # a job of the other file's
    history.peers.pytest("--benchmark-only", "--benchmark-save=base", "--benchmark-save-data")
    taken = history.peers.gconvbench("import", "pytest-benchmark", str(history.saved[0]))
    assert taken.code == 0, taken.err
    shown = history.peers.gconvbench("show")
    assert shown.code == 0, shown.err
    assert "ours" in shown.out
    assert "1 round(s)" in shown.out
    stored = history.peers.gconvbench("show", "--json").lines
    samples = {len(r["timings"][0]["samples_s"]) for r in stored if r["kind"] == "record"}
    assert len(stored) == 1 + 8 + 1
    assert min(samples) >= 10


def test_the_gate_fails_with_ten_and_lists_slower_new_and_missing(history: History) -> None:
    history.at(history.commits[3]).repository.write_tests(groups=(4, 8))
    words = ("-k", "layer and 1-", f"--gconvbench-gate={history.commits[1]}")
    done = history.peers.pytest("--benchmark-only", *words)
    history.at(history.commits[3])
    assert done.code == GATE, done.out
    report = done.out.partition("  kind  ")[2]
    for kind, test in (
        ("slower", "test_layer[4-1-ours]"),
        ("missing", "test_layer[2-1-ours]"),
        ("new", "test_layer[8-1-other]"),
    ):
        assert test in report
        assert kind in report[: report.index(test)].splitlines()[-2]
    assert "test_layer[4-1-other]" not in report
    assert "exit code 10" in done.out


def test_a_gate_from_a_subfolder_sees_both_sides_code(history: History) -> None:
    """Also with an absolute path, and one process of each side is enough to see which code ran."""
    folder = history.at(history.commits[3]).repository.folder
    (folder / "deep").mkdir()
    (folder / "deep" / "test_deep.py").write_text(
        "import ours_package\n"
        "def test_deep(gconv_benchmark):\n"
        "    open(__file__ + '.seen', 'a').write(ours_package.__file__ + chr(10))\n"
        "    gconv_benchmark('g4mb1ic8ih6oc8kh3ph1', implementation='ours')\n"
    )
    history.repository.git("add", "deep")
    history.repository.git("commit", "-qm", "deep")
    try:
        script = folder / "deep" / "test_deep.py"
        words = (str(script), "--gconvbench-gate=HEAD~1", "--benchmark-only")
        done = history.peers.within("deep").pytest(*words)
        assert done.code == GATE  # the file is new: nothing to compare with
        assert "new" in done.out
        seen = set(script.with_suffix(".py.seen").read_text().split())
        assert seen == {str(folder / "src" / "ours_package.py")}
        script.write_text(script.read_text() + "\n# changed\n")
        done = history.peers.within("deep").pytest(str(script), "--gconvbench-gate=HEAD")
        assert done.code == 0, done.out
        assert "unchanged " in done.out.partition("  kind  ")[2]
    finally:
        history.repository.git("reset", "-q", "--hard", history.commits[3])


def test_paths_outside_the_repository_are_refused(history: History, tmp_path: Path) -> None:
    (tmp_path / "test_else.py").write_text("def test_it():\n    pass\n")
    words = (str(tmp_path / "test_else.py"), f"--gconvbench-gate={history.commits[0]}")
    done = history.peers.pytest(*words)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "lies outside the repository" in done.err


def test_under_xdist_the_gate_is_one(history: History) -> None:
    words = ("-n", "2", "-k", "2-1-ours", f"--gconvbench-gate={history.commits[0]}")
    history.peers.forget_processes()
    done = history.peers.pytest(*words)
    assert done.code == 0, done.out
    tops = {re.findall(r"--rootdir (\S+)", line)[0] for line in history.peers.commands()
            if "--gconvbench-notes" in line}  # fmt: skip
    assert len(tops) == 2  # one working tree and one checkout


def test_what_cannot_be_in_one_run_is_not(history: History) -> None:
    _write(
        history,
        "import torch\n"
        "def test_case(gconv_benchmark):\n"
        "    gconv_benchmark('g2mb1ic8ih6oc8kh3ph1', implementation='ours')\n"
        "def test_callable(gconv_benchmark):\n"
        "    torch.set_num_threads(2)\n"
        "    gconv_benchmark(torch.ones, 3)\n",
    )
    history.peers.pytest("--benchmark-json=out.json", "test_own.py")
    document = json.loads((history.repository.folder / "out.json").read_text())
    assert len(document["benchmarks"]) == 2
    implementations = [one["job"]["implementation"] for one in document["gconvbench"]["records"]]
    assert implementations == ["ours"]


def test_own_code_alone_is_compared_with_its_like(history: History) -> None:
    _write(
        history,
        "import torch\ndef test_callable(gconv_benchmark):\n    gconv_benchmark(torch.ones, 3)\n",
    )
    history.peers.pytest("--benchmark-save=base", "test_own.py")
    done = history.peers.pytest("test_own.py", "--benchmark-compare")
    assert done.code == 0, done.out + done.err
    assert "(NOW)" in done.out


def test_the_gate_passes_where_nothing_changed(history: History) -> None:
    history.at(history.commits[1])
    words = ("-k", "1-", f"--gconvbench-gate={history.commits[0]}", "--benchmark-autosave")
    done = history.peers.pytest("--benchmark-only", *words)
    assert done.code == 0, done.out
    assert "None of 4 jobs is slower" in done.out  # those that -k left out are no jobs
    assert len(history.saved) == 1  # the gate's own processes store nothing


@pytest.mark.parametrize(
    ("commit", "said"), [("nothing", "'nothing' is not known"), ("HEAD", "both sides are commit")]
)
def test_a_gate_without_a_verdict_is_no_pass(history: History, commit: str, said: str) -> None:
    done = history.peers.pytest("-k", "2-1-ours", f"--gconvbench-gate={commit}")
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "--gconvbench-gate: " in done.err
    assert said in done.err
    assert "passed" not in done.out  # nothing was measured


def test_the_plugin_is_silent_and_cheap_where_it_is_not_used(history: History) -> None:
    _write(
        history,
        "import sys\n"
        "def test_own():\n"
        "    assert 'torch' not in sys.modules\n"
        "    assert 'msgspec' not in sys.modules\n"
        "    assert 'numpy' not in sys.modules\n",
    )
    for words in (("-p", "no:benchmark"), ()):
        done = history.peers.pytest("-W", "error", *words, "test_own.py")
        assert done.code == 0, done.out
        assert done.err == ""
