"""The gate inside pytest, with scripted processes, and what they note."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from gconvbench.adapters import pytest_gate, pytest_side, sides
from gconvbench.adapters.notes import Notes, ask, read_notes
from gconvbench.adapters.pytest_process import failed_to_start, run_pytest
from gconvbench.adapters.pytest_side import PytestSide, Selection
from gconvbench.adapters.pytest_state import why_other_machine
from gconvbench.adapters.session import Machine, asked
from gconvbench.errors import GconvbenchError, NotMeasuredError, UsageError
from gconvbench.gate_options import GateOptions
from gconvbench.records import Environment
from gconvbench.runner.commands import Ended
from tests.fakes import make_record, make_timing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.records import Record

ENVIRONMENT = Environment(identity={"device_name": "box"}, under_test={"torch": "2"}, soft={})


@dataclass
class Script:
    """What the tests of a side do.

    Attributes:
        times_s: by test; each process is a little faster or slower as a whole.
        outcomes: of tests that are not measured.
        dies_of: the test in which a process ends.
        dies_after: the test behind which a process ends.
        collected: tests that never reach the fixture.
        has_file: whether the file that is named is there.
        anchors_s: what work beside the tests takes; 0 for none.
        identity: of the machine.
        ended: how processes end.
    """

    times_s: dict[str, float]
    outcomes: dict[str, str] = field(default_factory=dict)
    dies_of: str = ""
    collected: tuple[str, ...] = ()
    ended: Ended = field(default_factory=lambda: Ended(0, "1 passed"))
    identity: str = "box"
    has_file: bool = True
    anchors_s: float = 0.0
    dies_after: str = ""
    processes: int = 0

    def run(self, notes_path: Path) -> Ended:
        self.processes += 1
        wanted = msgspec.json.decode(notes_path.read_bytes().splitlines()[0])["tests"]
        tests = [t for t in (*self.times_s, *self.outcomes) if wanted is None or t in wanted]
        notes = Notes(str(notes_path))
        if not tests and failed_to_start(self.ended):
            return self.ended
        notes.collected((*tests, *self.collected))
        identity = {"device_name": self.identity}
        notes.ready(Machine("box-1", msgspec.structs.replace(ENVIRONMENT, identity=identity)))
        for test in tests:
            notes.started(test)
            if test == self.dies_of:
                return Ended(-11, "Fatal Python error: Segmentation fault")
            notes.measured(test, self._record(test))
            if test == self.dies_after:
                return Ended(-11, "Segmentation fault in a teardown")
        if self.anchors_s:
            wobble = 1 + 0.001 * (self.processes % 3)
            notes.anchors(dict.fromkeys("abcdefgh", (self.anchors_s * wobble,) * 30))
        return self.ended

    def _record(self, test: str) -> Record:
        if outcome := self.outcomes.get(test):
            return make_record("ours", outcome=outcome)
        wobble = 1 + 0.001 * (self.processes % 3)
        samples_s = [self.times_s[test] * wobble * (1 + 0.001 * (i % 5)) for i in range(30)]
        return make_record("ours", timings=(make_timing(*samples_s),))


def _tests(count: int, **other_s: float) -> dict[str, float]:
    return {f"t.py::test[{i}]": 1e-3 for i in range(count)} | {
        f"t.py::test[{name}]": time_s for name, time_s in other_s.items()
    }


@pytest.fixture
def confront(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Judge two scripts, as the gate judges two checkouts."""

    def confronted(baseline: Script, contender: Script, **options: Any) -> Any:
        scripts = {tmp_path / "baseline": baseline, tmp_path / "contender": contender}

        def run(code: Path, _inside: Path, words: Sequence[str]) -> Ended:
            return scripts[code].run(Path(words[-1]))

        monkeypatch.setattr(pytest_side, "run_pytest", run)
        for path, script in scripts.items():
            path.mkdir(exist_ok=True)
            if script.has_file:
                (path / "t.py").touch()
        selection = Selection(Path(), ((Path("t.py"), ""),))
        both = {path.name: PytestSide(path, selection) for path in scripts}
        return pytest_gate._confronted(both, GateOptions(**options), str)  # type: ignore[arg-type]

    return confronted


def _kinds(found: Any) -> dict[str, str]:
    return {job.case.partition("[")[2].rstrip("]"): job.kind for job in found.jobs}


def test_unchanged_tests_take_three_processes_a_side(confront: Any) -> None:
    sides = Script(_tests(25)), Script(_tests(25))
    found = confront(*sides)
    assert found.exit_code == 0
    assert [side.processes for side in sides] == [3, 3]


def test_a_slower_test_is_confirmed_by_fresh_processes(confront: Any) -> None:
    found = confront(Script(_tests(25, x=1e-3)), Script(_tests(25, x=1.2e-3)))
    assert found.exit_code == 1
    kinds = _kinds(found)
    assert kinds.pop("x") == "slower"
    assert set(kinds.values()) == {"unchanged"}


def test_what_only_one_side_has_is_new_or_missing(confront: Any) -> None:
    found = confront(Script(_tests(2, gone=1e-3)), Script(_tests(2, come=1e-3)))
    assert (_kinds(found)["gone"], _kinds(found)["come"]) == ("missing", "new")
    assert found.exit_code == 5


@pytest.mark.parametrize("outcome", ["wrong", "failed", "out_of_memory"])
def test_what_the_contender_cannot_do_any_more_fails(confront: Any, outcome: str) -> None:
    found = confront(
        Script(_tests(2, x=1e-3)), Script(_tests(2), outcomes={"t.py::test[x]": outcome})
    )
    assert _kinds(found)["x"] == outcome
    assert found.exit_code in {5, 6}


def test_a_test_that_is_skipped_now_is_missing(confront: Any) -> None:
    found = confront(Script(_tests(2, x=1e-3)), Script(_tests(2), collected=("t.py::test[x]",)))
    assert _kinds(found)["x"] == "missing"
    assert "skipped, or it failed" in found.jobs[-1].detail


def test_a_test_that_kills_its_process_costs_itself_only(confront: Any) -> None:
    contender = Script(_tests(2, x=1e-3, y=1e-3), dies_of="t.py::test[x]")
    found = confront(Script(_tests(2, x=1e-3, y=1e-3)), contender)
    kinds = _kinds(found)
    assert kinds.pop("x") == "crashed"
    assert set(kinds.values()) == {"unchanged"}
    (crashed,) = [job for job in found.jobs if job.kind == "crashed"]
    assert "Segmentation fault" in crashed.detail


def test_a_process_that_ends_behind_a_test_is_noticed(confront: Any) -> None:
    contender = Script(_tests(3), dies_after="t.py::test[0]")
    found = confront(Script(_tests(3)), contender)
    assert set(_kinds(found).values()) == {"unchanged"}  # another process did the rest
    ended = Ended(-11, "Segmentation fault in a teardown")
    worse = Script(_tests(1), collected=("t.py::test[x]",), ended=ended)
    lost = confront(Script(_tests(1, x=1e-3)), worse)
    assert _kinds(lost)["x"] == "crashed"
    assert "Segmentation fault in a teardown" in lost.jobs[-1].detail


def test_a_file_that_the_baseline_does_not_have_is_new(confront: Any) -> None:
    found = confront(Script({}, has_file=False), Script(_tests(2)))
    assert set(_kinds(found).values()) == {"new"}
    assert found.exit_code == 5  # and nothing was compared


def test_the_smallest_slowdown_that_counts_may_differ_by_test(confront: Any) -> None:
    sides = Script(_tests(25, x=1e-3)), Script(_tests(25, x=1.2e-3))
    found = confront(*sides, minimum_effects={"*x*": 0.5})
    assert found.exit_code == 0


def test_new_tests_can_be_made_to_fail(confront: Any) -> None:
    sides = Script(_tests(25)), Script(_tests(25, x=1e-3))
    assert confront(*sides, fail_on=("new",)).exit_code == 5


def test_work_beside_the_tests_tells_a_machine_that_moved(confront: Any) -> None:
    slow = {name: 1.3 * time_s for name, time_s in _tests(25).items()}
    found = confront(Script(_tests(25), anchors_s=1e-3), Script(slow, anchors_s=1.3e-3))
    assert found.exit_code == 4
    assert "machine_moved" in {finding.kind for finding in found.findings}


def test_nothing_in_common_is_no_pass(confront: Any) -> None:
    found = confront(Script({}, collected=("t.py::test[a]",)), Script(_tests(2)))
    assert found.exit_code == 5
    assert {finding.kind for finding in found.findings} == {"empty"}


def test_a_side_that_cannot_be_collected_has_no_verdict(confront: Any) -> None:
    broken = Script({}, ended=Ended(4, "ERROR: not found: t.py"))
    with pytest.raises(NotMeasuredError, match=r"not found: t\.py"):
        confront(broken, Script(_tests(2)))


def test_another_machine_is_not_compared(confront: Any) -> None:
    found = confront(Script(_tests(2)), Script(_tests(2), identity="other"))
    assert found.exit_code == 4


def test_lines_say_the_exit_code_of_pytest(confront: Any) -> None:
    slower = confront(Script(_tests(25, x=1e-3)), Script(_tests(25, x=1.2e-3)))
    lines = pytest_gate.lines_of(slower, 10)
    assert lines[0].startswith("1 of 26 jobs is slower: pytest t.py::test[x]")
    assert "exit code 10" in " ".join(lines[:2])
    assert max(map(len, lines)) <= 80
    assert not any("gconvbench gate --" in line for line in lines)
    assert pytest_gate.lines_of("why", 10) == ["no verdict: why; exit code 10"]


def test_notes_survive_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    ask(path, None)
    notes = Notes(str(path))
    notes.started("a")
    notes.measured("a", make_record())
    notes.started("b")
    with path.open("ab") as file:
        file.write(b'{"test": "b", "rec')
    taken = read_notes(path)
    assert list(taken.records) == ["a"]
    assert taken.unfinished == "b"


def test_a_process_that_hangs_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    (tmp_path / "test_hangs.py").write_text(
        "import subprocess\ndef test_it():\n    subprocess.run(['sleep', '60'])\n"
    )
    ended = run_pytest(tmp_path, Path(), ["test_hangs.py"], timeout_s=2)
    assert ended == (None, "it did not end within 2 s")


def test_a_checkout_of_gconvbench_itself_does_not_replace_the_engine(tmp_path: Path) -> None:
    engine = str(Path(sides.__file__).parents[2])
    (tmp_path / "src").mkdir()
    assert sides.python_paths(tmp_path) == [str(tmp_path), str(tmp_path / "src"), engine]
    (tmp_path / "gconvbench").mkdir()
    assert sides.python_paths(tmp_path) == [str(tmp_path / "src"), engine]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("GCONVBENCH_DEVICE", "tpu", "device 'tpu' is not known"),
        ("GCONVBENCH_THREADS", "none", "GCONVBENCH_THREADS 'none' must be a whole number"),
        ("GCONVBENCH_THREADS", "0", "from 1 to 1024"),
        ("GCONVBENCH_CODE", "/nowhere", "GCONVBENCH_CODE '/nowhere' is no folder"),
    ],
)
def test_variables_are_checked(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=said):
        asked()


def test_variables_choose_device_threads_and_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GCONVBENCH_DEVICE", "cuda:1")
    monkeypatch.setenv("GCONVBENCH_THREADS", "2")
    monkeypatch.setenv("GCONVBENCH_CODE", str(tmp_path))
    found = asked()
    assert (found.device, found.method.threads) == ("cuda:1", 2)
    assert found.method.cache_modes == ("cold",)
    assert found.side is not None
    assert found.side.code == tmp_path


def _fingerprint(**identity: Any) -> dict[str, Any]:
    return {"machine": "box-1", "identity": {"cores": 2} | identity}


def test_fingerprints_that_agree_may_be_compared() -> None:
    assert why_other_machine(_fingerprint(), _fingerprint()) == ""


def test_unknown_is_not_different() -> None:
    assert why_other_machine(_fingerprint(cores=None), _fingerprint()) == ""


def test_the_reason_names_fields_and_values() -> None:
    said = why_other_machine(_fingerprint(cores=64), _fingerprint())
    assert "cores was 64, is 2" in said


@pytest.mark.parametrize("theirs", [None, 3, [], {}, {"identity": 3}])
def test_a_fingerprint_that_is_none_is_refused(theirs: Any) -> None:
    assert "no fingerprint that can be read" in why_other_machine(theirs, _fingerprint())


def test_a_gate_that_cannot_begin_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise GconvbenchError("no repository")  # noqa: EM101, TRY003

    monkeypatch.setattr(pytest_gate, "_gate", refuse)
    config: Any = None
    assert pytest_gate.gate(config) == ("no repository", False)
