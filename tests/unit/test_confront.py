"""Each way in which a job or a gate can end, by its own word and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from gconvbench.errors import ExitCode, UsageError
from gconvbench.gate import Rule
from gconvbench.records import Dispatch, Job, Record
from gconvbench.runner.confront import confront
from tests.comparisons import make_case
from tests.scripted_sides import CASES, ScriptedSide, TwoSides

if TYPE_CHECKING:
    from gconvbench.records import Comparison

FIRST = Job(CASES[0], "native")
NEW = Job(CASES[0], "quick_one")
SLOW_OPERATOR = Dispatch(operators=("aten::_slow_conv2d_forward",))
SLOW_KERNEL = Dispatch(
    operators=("aten::mkldnn_convolution",), kernels=("onednn::convolution(ref:any)",)
)
ALL = [Job(case, "native") for case in CASES]


def found_of(
    monkeypatch: pytest.MonkeyPatch,
    baseline: dict[str, Any] | None = None,
    contender: dict[str, Any] | None = None,
    **question: Any,
) -> Comparison:
    sides = TwoSides(
        monkeypatch, ScriptedSide(**(baseline or {})), ScriptedSide(**(contender or {}))
    )
    return confront(sides.question(**question))


def kinds(found: Comparison) -> dict[str, int]:
    counted: dict[str, int] = {}
    for job in found.jobs:
        counted[job.kind] = counted.get(job.kind, 0) + 1
    return counted


def test_equal_sides_are_unchanged_and_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch)
    assert kinds(found) == {"unchanged": 30}
    assert found.exit_code == ExitCode.FINE
    assert found.detectable is not None
    assert found.detectable < 0.1


@pytest.mark.parametrize(
    ("outcome", "kind", "code"),
    [
        ("crashed", "crashed", ExitCode.NOT_MEASURED),
        ("timed_out", "timed_out", ExitCode.NOT_MEASURED),
        ("out_of_memory", "out_of_memory", ExitCode.NOT_MEASURED),
        ("failed", "failed", ExitCode.NOT_MEASURED),
        ("wrong", "wrong", ExitCode.WRONG),
        ("nan", "not_finite", ExitCode.WRONG),
    ],
)
def test_a_contender_that_is_not_measured_never_passes(
    monkeypatch: pytest.MonkeyPatch, outcome: str, kind: str, code: ExitCode
) -> None:
    found = found_of(monkeypatch, contender={"outcomes": {FIRST: outcome}})
    assert kinds(found) == {kind: 1, "unchanged": 29}
    assert found.exit_code == code
    assert found.jobs[0].detail == f"it {outcome}"
    assert found.jobs[0].change is None


def test_a_baseline_that_is_not_measured_does_not_pass_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = found_of(monkeypatch, baseline={"outcomes": {FIRST: "crashed"}})
    assert kinds(found) == {"no_baseline": 1, "unchanged": 29}
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_a_failed_job_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = TwoSides(monkeypatch, ScriptedSide(), ScriptedSide(outcomes={FIRST: "timed_out"}))
    asked: list[int] = []
    script = sides.scripts["contender"]
    record = script.record

    def counting(job: Job, number: int, rng: Any) -> Any:
        asked.extend([number] if job == FIRST else [])
        return record(job, number, rng)

    monkeypatch.setattr(script, "record", counting)
    confront(sides.question())
    assert asked == [1]


def test_slower_fails_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch, contender={"times_s": {FIRST: 1.1e-3}})
    assert kinds(found) == {"slower": 1, "unchanged": 29}
    assert found.exit_code == ExitCode.SLOWER
    change = found.jobs[0].change
    assert change is not None
    assert change.ratio == pytest.approx(1.1, abs=0.01)
    assert (change.low or np.nan) < 1.1 < (change.high or np.nan)
    assert change.decided
    assert change.p is not None
    assert change.p < 0.01


def test_a_slowdown_within_its_own_minimum_effect_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(
        monkeypatch,
        contender={"times_s": {FIRST: 1.1e-3}},
        minimum_effect_for=lambda case, _: 0.2 if case == CASES[0] else 0.02,
    )
    assert kinds(found) == {"unchanged": 30}


def test_faster_passes_and_unbelievably_faster_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    times_s = {ALL[0]: 0.9e-3, ALL[1]: 0.3e-3}
    found = found_of(monkeypatch, contender={"times_s": times_s})
    assert kinds(found) == {"faster": 1, "implausibly_faster": 1, "unchanged": 28}
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_what_cannot_be_told_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule(alphas=(0.0, 0.0, 0.0), looks=(4, 5, 6))  # no evidence is ever enough
    found = found_of(monkeypatch, contender={"times_s": {FIRST: 1.1e-3}}, rule=rule)
    assert kinds(found) == {"uncertain": 1, "unchanged": 29}
    assert found.exit_code == ExitCode.UNCERTAIN


def test_missing_new_and_unsupported_have_words_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    neither = Job(CASES[2], "other")
    found = found_of(
        monkeypatch,
        baseline={"jobs": [*ALL, neither], "unsupported": {neither: "not here"}},
        contender={"jobs": [*ALL[1:], neither, Job(make_case(batch=3), "native")],
                   "unsupported": {neither: "not here"}},
    )  # fmt: skip
    assert kinds(found) == {"missing": 1, "new": 1, "unsupported": 1, "unchanged": 29}
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_a_new_job_alone_passes_unless_it_is_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch, contender={"jobs": [*ALL, NEW]})
    assert kinds(found)["new"] == 1
    assert found.exit_code == ExitCode.FINE
    assert msgspec.structs.replace(found, fail_on=("new",)).exit_code == ExitCode.NOT_MEASURED


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("wrong", ExitCode.WRONG), ("nan", ExitCode.WRONG), ("crashed", ExitCode.NOT_MEASURED)],
)
def test_a_new_job_is_proved_before_it_passes(
    monkeypatch: pytest.MonkeyPatch, outcome: str, code: ExitCode
) -> None:
    found = found_of(monkeypatch, contender={"jobs": [*ALL, NEW], "outcomes": {NEW: outcome}})
    assert found.exit_code == code
    assert "new" not in kinds(found)


def test_a_renamed_job_is_proved_before_it_may_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [*ALL[1:], Job(CASES[0], "mine")]
    outcomes = {Job(CASES[0], "mine"): "wrong"}
    found = found_of(monkeypatch, contender={"jobs": jobs, "outcomes": outcomes})
    assert kinds(found) == {"renamed": 1, "wrong": 1, "unchanged": 29}
    assert found.exit_code == ExitCode.WRONG


def test_what_became_unsupported_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch, contender={"unsupported": {FIRST: "no such kernel"}})
    assert found.jobs[0].kind == "missing"
    assert "no such kernel" in found.jobs[0].detail
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_an_implementation_by_another_name_is_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch, contender={"jobs": [*ALL[1:], NEW]})
    assert kinds(found) == {"renamed": 1, "new": 1, "unchanged": 29}
    renamed = next(job for job in found.jobs if job.kind == "renamed")
    assert "now quick_one" in renamed.detail
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_a_layer_of_another_shape_is_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    wider = make_case(width=9)
    found = found_of(
        monkeypatch,
        baseline={"names": {CASES[0]: "net/conv1"}},
        contender={"jobs": [*ALL[1:], Job(wider, "native")], "names": {wider: "net/conv1"}},
    )
    assert kinds(found) == {"renamed": 1, "new": 1, "unchanged": 29}


def test_nothing_in_common_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = dict.fromkeys(ALL, "not on this device")
    found = found_of(
        monkeypatch, baseline={"unsupported": reasons}, contender={"unsupported": reasons}
    )
    assert [finding.kind for finding in found.findings] == ["empty"]
    assert found.exit_code == ExitCode.NOT_MEASURED


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"device_name": "another", "threads": 1}, "other_machine"),
        ({"device_name": "box", "threads": 2}, "other_settings"),
        ({"device_name": "box", "threads": 1, "OMP_SCHEDULE": "static"}, ""),
    ],
)
def test_undeclared_differences_are_not_compared(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], kind: str
) -> None:
    found = found_of(monkeypatch, contender={"identity": changed})
    assert [finding.kind for finding in found.findings] == ([kind] if kind else [])
    assert found.exit_code == (ExitCode.NOT_COMPARABLE if kind else ExitCode.FINE)


def test_a_declared_difference_is_what_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(
        monkeypatch,
        contender={"identity": {"device_name": "box", "threads": 2}},
        declared=frozenset({"threads"}),
    )
    assert found.exit_code == ExitCode.FINE


def test_torchs_own_settings_are_under_test_where_interpreters_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sides = [{"identity": {"device_name": "box", "cudnn_benchmark": on}} for on in (True, False)]
    assert found_of(monkeypatch, *sides).exit_code == ExitCode.NOT_COMPARABLE
    found = found_of(monkeypatch, *sides, is_about_interpreters=True)
    assert found.exit_code == ExitCode.FINE


def test_a_slower_suite_fails_even_where_no_job_stands_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch, contender={"times_s": dict.fromkeys(ALL, 1.05e-3)})
    assert "suite_slower" in [finding.kind for finding in found.findings]
    assert found.exit_code == ExitCode.SLOWER
    assert found.suite is not None
    assert found.suite.shift == pytest.approx(0.05, abs=0.01)
    assert "unchanged" not in kinds(found)


def test_a_machine_that_moved_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch, contender={"anchors_s": 1.1e-3})
    assert [finding.kind for finding in found.findings] == ["machine_moved"]
    assert found.exit_code == ExitCode.NOT_COMPARABLE


def test_the_same_code_on_both_sides_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no measured implementation"):
        found_of(
            monkeypatch, baseline={"under_test": ()}, contender={"under_test": ()},
            is_about_code=True,
        )  # fmt: skip


def test_what_only_one_checkout_has_is_not_compared_with_what_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = [Job(case, "ours") for case in CASES[:3]]
    found = found_of(
        monkeypatch,
        baseline={"jobs": [*ALL, *ours], "under_test": ()},
        contender={"jobs": [*ALL, *ours], "under_test": ("ours",)},
        is_about_code=True,
    )
    assert kinds(found) == {"new": 3, "unchanged": 30}


@pytest.mark.parametrize(
    ("before", "after", "note", "code"),
    [
        ({"error": 1e-7}, {"error": 2e-7}, "accuracy", ExitCode.WRONG),
        ({"peak_bytes": 10 << 20}, {"peak_bytes": 12 << 20}, "memory", ExitCode.SLOWER),
        ({}, {"dispatch": SLOW_OPERATOR}, "dispatch", ExitCode.SLOWER),
        ({}, {"dispatch": SLOW_KERNEL}, "dispatch", ExitCode.SLOWER),
    ],
)
def test_changes_beside_the_time_are_noted_and_fail_on_request(
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, Any],
    after: dict[str, Any],
    note: str,
    code: ExitCode,
) -> None:
    found = found_of(monkeypatch, before, after)
    assert {n.kind for job in found.jobs for n in job.notes} == {note}
    assert found.exit_code == ExitCode.FINE
    assert msgspec.structs.replace(found, fail_on=(note,)).exit_code == code
    assert not any(job.notes for job in found_of(monkeypatch, before, before).jobs)


def test_a_budget_leaves_open_what_it_cannot_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_of(monkeypatch, contender={"times_s": {FIRST: 1.1e-3}}, budget_s=0.0)
    assert found.exit_code != ExitCode.FINE
    assert set(kinds(found)) == {"not_reached"}


@pytest.mark.parametrize("cases", [1, 3, 5])
def test_small_gates_find_slowdowns_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, cases: int
) -> None:
    jobs = ALL[:cases]
    slow = {"jobs": jobs, "times_s": dict.fromkeys(jobs, 1.1e-3)}
    assert kinds(found_of(monkeypatch, {"jobs": jobs}, slow)) == {"slower": cases}
    assert kinds(found_of(monkeypatch, {"jobs": jobs}, {"jobs": jobs})) == {"unchanged": cases}


def test_two_implementations_are_compared_case_by_case(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [Job(case, "other") for case in CASES]
    found = found_of(
        monkeypatch,
        {"jobs": ALL},
        {"jobs": others, "times_s": dict.fromkeys(others[:5], 1.2e-3)},
        implementations=("native", "other"),
    )
    assert kinds(found) == {"slower": 5, "unchanged": 25}
    assert found.jobs[0].baseline_implementation == "native"


def test_pairs_are_interleaved_and_both_sides_have_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = TwoSides(monkeypatch, ScriptedSide(), ScriptedSide())
    confront(sides.question())
    pairs = [set(sides.slots[i : i + 2]) for i in range(0, len(sides.slots), 2)]
    assert all(pair == {"baseline", "contender"} for pair in pairs)


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (
            ("native", "qick_one"),
            "no side has .* 'qick_one' is not known; did you mean 'quick_one'",
        ),
        (("native", "sp*"), r"'sp\*' is not known"),
        (("native", "broken"), "'broken' cannot be used on any side: no module named broken"),
    ],
)
def test_a_word_that_no_side_knows_is_refused_though_another_is_known(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], refused: str
) -> None:
    problems = {"broken": "no module named broken"}
    with pytest.raises(UsageError, match=refused):
        found_of(
            monkeypatch,
            baseline={"words": words, "problems": problems},
            contender={"words": words, "problems": problems, "jobs": [*ALL, NEW]},
        )


def test_what_one_side_knows_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("native", "quick_*")
    found = found_of(
        monkeypatch, baseline={"words": words}, contender={"words": words, "jobs": [*ALL, NEW]}
    )
    assert kinds(found) == {"new": 1, "unchanged": 30}


@pytest.mark.parametrize(
    ("before", "after", "kind", "code"),
    [
        (True, True, "unsupported", ExitCode.FINE),
        (True, False, "new", ExitCode.FINE),
        (False, True, "missing", ExitCode.NOT_MEASURED),
    ],
)
def test_what_a_job_says_that_it_does_not_support(
    monkeypatch: pytest.MonkeyPatch, kind: str, code: ExitCode, *, before: bool, after: bool
) -> None:
    """What comes from outside is asked within its own jobs, so that the answer is a record."""
    sides = [{"outcomes": {FIRST: "unsupported"} if yes else {}} for yes in (before, after)]
    found = found_of(monkeypatch, *sides)
    assert kinds(found) == {kind: 1, "unchanged": 29}
    assert found.exit_code == code


def test_a_baseline_that_supports_a_job_only_sometimes_hides_no_slowdown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = ScriptedSide.record

    def record(self: ScriptedSide, job: Job, number: int, rng: np.random.Generator) -> Record:
        found = original(self, job, number, rng)
        is_out = job == FIRST and number == 2 and self.torch == "sometimes"
        return Record(job=job, round=2, outcome="unsupported", detail="no") if is_out else found

    monkeypatch.setattr(ScriptedSide, "record", record)
    slow = {"times_s": {FIRST: 2e-3}}
    found = found_of(monkeypatch, {"torch": "sometimes"}, slow, is_about_interpreters=True)
    assert kinds(found) == {"no_baseline": 1, "unchanged": 29}
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_what_is_new_and_does_not_support_a_case_is_not_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = found_of(monkeypatch, contender={"jobs": [*ALL, NEW], "outcomes": {NEW: "unsupported"}})
    assert kinds(found) == {"unsupported": 1, "unchanged": 30}


@pytest.mark.parametrize("words", [("default",), ("all",), ("*n*",)])
def test_what_is_new_and_cannot_be_used_fails(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    problems = {"broken": "no module named broken"}
    found = found_of(monkeypatch, {"words": words}, {"words": words, "problems": problems})
    assert [(finding.kind, finding.detail) for finding in found.findings] == [
        ("unusable", "broken: no module named broken")
    ]
    assert found.exit_code == ExitCode.NOT_MEASURED


def test_what_is_new_and_cannot_be_used_and_was_not_asked_for_is_nobodys_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words, problems = ("native",), {"broken": "no module named broken"}
    found = found_of(monkeypatch, {"words": words}, {"words": words, "problems": problems})
    assert (found.findings, found.exit_code) == ((), ExitCode.FINE)


def test_what_can_be_used_on_neither_side_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = {"broken": "no module named broken"}
    found = found_of(monkeypatch, baseline={"problems": problems}, contender={"problems": problems})
    assert [finding.detail for finding in found.findings] == [
        "broken was not measured: no module named broken"
    ]
    assert found.exit_code == ExitCode.FINE
