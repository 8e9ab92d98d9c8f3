"""Benchmarks for asv made of sweeps, their rounds, and the host that answers for them."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

import pytest
from asv_runner.benchmarks.mark import SkipNotImplemented

from gconvbench.adapters import asv_suite
from gconvbench.adapters.asv_host import answer, is_ours
from gconvbench.adapters.asv_messages import Request
from gconvbench.adapters.asv_suite import Suite
from gconvbench.errors import NotMeasuredError, UsageError
from gconvbench.interchange.suite import Family
from gconvbench.records import Job, Memory, Record
from tests.fakes import SMALL_ID, make_accuracy, make_record, make_timing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Grouped(Suite):
    axes = ("groups=2,3", "channels=4,6", "size=5", "direction=training")
    implementations = ("native", "split_concat")


class FakeSession:
    """Answers jobs by a script; knows in which process it was asked."""

    def __init__(self, ends: dict[str, Any] | None = None) -> None:
        self.ends = ends or {}
        self.process = 1
        self.memory = Memory(peak_bytes=5, result_bytes=1, resolution_bytes=4096, source="x")
        self.asked: list[tuple[int, Job]] = []

    def measure(self, job: Job, number: int) -> Record:
        self.asked.append((self.process, job))
        fields: dict[str, Any] = {
            "timings": (make_timing(self.process * 1e-3),),
            "accuracy": make_accuracy(3e-8),
            "memory": self.memory,
        }
        ending = self.ends.get(job.implementation)
        fields = {"outcome": ending} if ending else fields
        return make_record(job.implementation, case=job.case, number=number, **fields)

    def renew(self) -> None:
        self.process += 1

    def close(self) -> None:
        pass


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    fake = FakeSession()
    monkeypatch.setattr(asv_suite, "Session", lambda _: fake)
    monkeypatch.setattr(asv_suite, "_rounds", asv_suite._Rounds())
    return fake


def test_axes_with_several_values_are_parameters_and_the_others_the_version() -> None:
    assert Grouped.param_names == ["groups", "channels", "implementation"]
    assert Grouped.params == [[2, 3], [4, 6], ["native", "split_concat"]]
    assert Grouped.version == "1: size=5 direction=training; groups channels implementation"


def test_another_sweep_is_another_version() -> None:
    class Larger(Suite):
        axes = ("groups=2,3", "channels=4,6", "size=7", "direction=training")

    assert Larger.version != Grouped.version


def test_impossible_combinations_are_known_before_anything_is_asked() -> None:
    assert Grouped.skip_params == [(3, 4, "native"), (3, 4, "split_concat")]


def test_a_version_says_which_job_a_combination_is() -> None:
    family = Family.of_version(Grouped.version)
    assert family is not None
    case = "g2mb1ic6ih5iw5oc6kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:training"
    assert family.job(("2", "6", "native")) == Job(case, "native")


@pytest.mark.parametrize("text", ["", "1", "7f3a", "1: groups=2; groups channels", "x: ; case"])
def test_other_benchmarks_versions_are_no_family(text: str) -> None:
    assert Family.of_version(text) is None


def test_cases_and_named_sweeps_are_one_parameter() -> None:
    class Cases(Suite):
        cases = ("g2mb1ic4ih5oc4kh3ph1",)

    class Forum(Suite):
        sweep = "forum"

    assert Cases.param_names == Forum.param_names == ["case", "implementation"]
    assert Cases.params[0] == ["g2mb1ic4ih5iw5oc4kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:fprop"]
    assert len(Forum.params[0]) > 10
    assert Cases.skip_params == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"axes": ("grops=2",)}, "did you mean 'groups'"),
        ({"sweep": "forun"}, "did you mean 'forum'"),
        ({"cases": ("nonsense",)}, "cannot read 'nonsense'"),
        ({"sweep": "forum", "axes": ("groups=2",)}, "exclude each other"),
    ],
)
def test_wrong_use_is_refused_when_the_class_is_made(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        type("Wrong", (Suite,), fields)


def test_four_benchmarks_share_one_measuring(session: FakeSession) -> None:
    suite: Any = Grouped()
    assert suite.track_error(2, 4, "native") == 3e-8
    assert suite.track_peak_memory(2, 4, "native") == {"samples": [4096], "number": 1}
    assert suite.track_time(2, 4, "native") == {"samples": [1e-3], "number": 1}
    assert suite.track_parameters(2, 4, "native") == 4 * 2 * 9
    assert len(session.asked) == 1


def test_memory_that_is_known_exactly_is_one_number(session: FakeSession) -> None:
    exact = Memory(peak_bytes=5, result_bytes=1, resolution_bytes=0, source="x")
    session.memory = exact
    suite: Any = Grouped()
    assert suite.track_peak_memory(2, 4, "native") == 5


def test_each_benchmark_has_its_own_rounds(session: FakeSession) -> None:
    suite: Any = Grouped()
    for _ in range(2):  # as asv does: all benchmarks of a round, then all of the next
        suite.track_peak_memory(2, 4, "native")
        suite.track_time(2, 4, "native")
    suite.track_error(2, 4, "native")
    assert [process for process, _ in session.asked] == [1, 2]


def test_a_time_asked_for_again_is_a_round_in_a_fresh_process(session: FakeSession) -> None:
    suite: Any = Grouped()
    for expected_s in (1e-3, 2e-3, 3e-3):
        for implementation in ("native", "split_concat"):
            samples = suite.track_time(2, 4, implementation)["samples"]
            assert samples == [expected_s]
    assert session.process == 3


def test_suites_that_share_a_job_share_its_rounds(session: FakeSession) -> None:
    class More(Suite):
        axes = ("groups=2,4", "channels=4", "size=5", "direction=training")

    one, other = Grouped(), More()
    for _ in range(2):  # as asv does: all benchmarks of a round, then all of the next
        one.track_time(2, 4, "native")  # type: ignore[attr-defined]
        other.track_time(2, "native")  # type: ignore[attr-defined]
        other.track_time(4, "native")  # type: ignore[attr-defined]
    groups = [(process, job.case[:2]) for process, job in session.asked]
    assert groups == [(1, "g2"), (1, "g4"), (2, "g2"), (2, "g4")]


def test_unsupported_is_skipped_and_wrong_is_a_failure(session: FakeSession) -> None:
    session.ends = {"native": "unsupported", "split_concat": "wrong"}
    suite: Any = Grouped()
    with pytest.raises(SkipNotImplemented):
        suite.track_time(2, 4, "native")
    with pytest.raises(NotMeasuredError, match="split_concat: wrong: it wrong"):
        suite.track_time(2, 4, "split_concat")


def test_asv_finds_units_rounds_and_samples() -> None:
    track: Any = vars(Grouped)["track_time"]
    assert (track.unit, track.rounds) == ("seconds", 2)


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Path]:
    """A package of benchmarks that nobody else has imported."""
    folder = tmp_path / "own_benchmarks"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "ours.py").write_text(
        "from gconvbench.adapters.asv_suite import Suite\n"
        "class Layer(Suite):\n"
        "    axes = ('groups=2,3', 'channels=4', 'size=5')\n"
    )
    (folder / "plain.py").write_text("class Plain:\n    def track_x(self):\n        return 1\n")
    (folder / "broken.py").write_text("raise SystemExit(3)\n")
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("ours.Layer.track_time-1", True),
        ("ours.Layer.time_it-1", False),
        ("plain.Plain.track_x", False),
        ("plain.track_nothing", False),
        ("broken.Any.track_x-0", False),
        ("absent.Any.track_x", False),
    ],
)
def test_the_host_knows_which_benchmarks_are_its_own(suite: Path, name: str, *, ours: bool) -> None:
    assert is_ours(suite, name) is ours


@pytest.fixture
def ask(suite: Path, tmp_path: Path, session: FakeSession) -> Any:
    from asv.runner import BENCHMARK_RUN_SCRIPT  # noqa: PLC0415 (slow)

    def asked(name: str) -> tuple[Any, Any]:
        result = tmp_path / "result.json"
        words = (BENCHMARK_RUN_SCRIPT, "run", str(suite), name, "{}", "None", str(result))
        reply = answer(Request(words, str(tmp_path)))
        return reply, json.loads(result.read_text()) if result.exists() else None

    return asked


def test_the_host_answers_as_asvs_own_process_would(ask: Any) -> None:
    reply, result = ask("ours.Layer.track_time-0")
    assert (reply.code, reply.out) == (0, "")
    assert result == {"samples": [1e-3], "number": 1}


def test_the_host_answers_a_skipped_combination_with_nan(ask: Any) -> None:
    reply, result = ask("ours.Layer.track_time-1")
    assert reply.code == 0
    assert math.isnan(result)


def test_the_host_answers_a_failure_with_a_line(ask: Any, session: FakeSession) -> None:
    session.ends = {"native": "wrong"}
    reply, result = ask("ours.Layer.track_error-0")
    assert reply.code == 1
    assert reply.out == "gconvbench: native: wrong: it wrong\n"
    assert result is None


def test_what_is_not_the_hosts_is_handed_back(ask: Any) -> None:
    assert ask("plain.Plain.track_x") == (None, None)


def test_a_case_id_is_made_canonical() -> None:
    family = Family(("operation=conv",), ("case", "implementation"))
    assert family.job(("g2mb1ic4ih9iw8oc6kh3ph1", "native")) == Job(SMALL_ID, "native")
