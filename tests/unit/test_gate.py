from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from gconvbench.gate import Rule, judge, judge_sides
from gconvbench.gate.decide import hodges_lehmann, holm, mann_whitney
from gconvbench.gate.processes import common_part, gather, is_refused, level

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.gate.processes import Floats, Indices, SideName


class Machine:
    """Processes with 1 % of noise, and a change of some cases on the contender's side."""

    def __init__(self, rows: int, changes: dict[int, float], *, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.changes = np.zeros(rows)
        for row, change in changes.items():
            self.changes[row] = np.log1p(change)
        self.slow_slots: set[int] = set()
        self.started: list[str] = []

    def __call__(self, side: SideName, rows: Indices) -> Floats:
        common = 0.4 if len(self.started) in self.slow_slots else 0.0
        self.started.append(side)
        levels = self.rng.normal(0.0, 0.01, rows.size) + common
        levels += self.changes[rows] * (side == "contender")
        return np.asarray(np.exp(levels[:, None] + self.rng.normal(0.0, 0.01, (rows.size, 30))))

    def without(self, row: int, slots: Sequence[int]) -> Callable[[SideName, Indices], Floats]:
        """Its processes, of which some end before they have measured a row."""

        def measure(side: SideName, rows: Indices) -> Floats:
            slot = len(self.started)
            times_s = self(side, rows)
            if slot in slots:
                times_s[rows == row] = np.nan
            return times_s

        return measure


class Broke:
    """Time for the first look, and for nothing afterwards."""

    def pairs(self, wanted: int) -> int:
        return wanted

    def rows(self, pairs: int) -> int:
        return 0


def words(machine: Machine, cases: int, *, pairs: int = 5, anchors: int = 0) -> dict[int, str]:
    found = judge_sides(machine, cases, pairs=pairs, anchors=anchors)
    return {i: case.word for i, case in enumerate(found.cases) if case.word != "unchanged"}


def test_nothing_changed_is_unchanged() -> None:
    assert words(Machine(60, {}), 60) == {}


def test_exactly_the_slower_cases_are_slower() -> None:
    assert words(Machine(60, {7: 0.1, 31: 0.06}), 60) == {7: "slower", 31: "slower"}


def test_faster_is_said_and_more_than_twice_as_fast_is_not_believed() -> None:
    machine = Machine(60, {3: -0.1, 4: -0.6})
    assert words(machine, 60) == {3: "faster", 4: "implausibly_faster"}


@pytest.mark.parametrize("cases", [1, 3, 5])
def test_small_gates_find_what_all_their_cases_have_in_common(cases: int) -> None:
    changes = dict.fromkeys(range(cases), 0.1)
    machine = Machine(cases + 8, changes)
    assert words(machine, cases, anchors=8) == dict.fromkeys(range(cases), "slower")
    assert words(Machine(cases + 8, {}), cases, anchors=8) == {}


def test_a_change_of_everything_is_the_suites() -> None:
    found = judge_sides(Machine(60, dict.fromkeys(range(60), 0.05)), 60, pairs=5)
    assert found.suite is not None
    assert found.suite.confirmed is True
    assert found.suite.ratio == pytest.approx(1.05, abs=0.01)
    assert "unchanged" not in {case.word for case in found.cases}


def test_a_case_that_is_slower_with_the_suite_and_not_looked_at_alone_has_a_word() -> None:
    found = judge_sides(Machine(60, dict.fromkeys(range(60), 0.05)), 60, pairs=5)
    counts = Counter(case.word for case in found.cases)
    assert set(counts) == {"slower", "slower_with_suite"}
    assert counts["slower"] <= 20  # a third at most is looked at again


def test_one_process_of_a_side_has_no_interval_and_no_power() -> None:
    found = judge(np.full((3, 1, 5), 1e-3), np.full((3, 1, 5), 1.1e-3))
    assert {case.word for case in found.cases} == {"missing"}
    assert found.cases[0].ratio == pytest.approx(1.1)
    assert np.isnan([found.cases[0].low, found.cases[0].high]).all()
    assert np.isnan(found.detectable).all()


def test_a_third_that_is_slower_already_hides_no_other() -> None:
    machine = Machine(60, dict.fromkeys(range(25), 0.3) | {59: 0.08})
    assert words(machine, 60) == dict.fromkeys([*range(25), 59], "slower")


def test_many_that_are_faster_hide_no_speedup_beyond_belief() -> None:
    machine = Machine(60, dict.fromkeys(range(25), -0.3) | {59: -0.7})
    assert words(machine, 60)[59] == "implausibly_faster"


def suite_that_moved_at_first(*, of_suspects: SideName) -> Counter[str]:
    """All look slower in the first look; in the second the controls do not, which come first."""
    machine = Machine(60, dict.fromkeys(range(60), 0.05))

    def measure(side: SideName, rows: Indices) -> Floats:
        is_first = len(machine.started) < 10
        found = machine(side if is_first else "baseline", rows)
        if not is_first and side == "contender":
            found[16:] = machine(of_suspects, rows)[16:]
        return found

    found = judge_sides(measure, 60, pairs=5)
    assert found.suite is not None
    assert found.suite.confirmed is False
    return Counter(case.word for case in found.cases)


def test_suspects_that_are_not_looked_at_again_are_what_those_like_them_turn_out_to_be() -> None:
    assert suite_that_moved_at_first(of_suspects="baseline") == {"unchanged": 60}
    assert suite_that_moved_at_first(of_suspects="contender") == {"slower": 20, "not_reached": 40}


def test_moved_anchors_mean_that_the_machine_moved() -> None:
    moved = dict.fromkeys(range(60, 68), 0.1)
    assert judge_sides(Machine(68, moved), 60, pairs=5, anchors=8).machine_moved
    assert not judge_sides(Machine(68, {}), 60, pairs=5, anchors=8).machine_moved


def test_anchors_that_moved_and_cannot_be_asked_again_are_believed() -> None:
    machine = Machine(68, dict.fromkeys(range(60, 68), 0.1))

    def measure(side: SideName, rows: Indices) -> Floats:
        slot = len(machine.started)
        times_s = machine(side, rows)
        return times_s if slot < 10 else np.full_like(times_s, np.nan)

    assert judge_sides(measure, 60, pairs=5, anchors=8).machine_moved


def test_what_the_budget_cannot_afford_is_not_reached() -> None:
    machine = Machine(60, {7: 0.1})
    found = judge_sides(machine, 60, pairs=5, budget=Broke())
    assert found.cases[7].word == "not_reached"
    assert found.processes == (5, 5)


def test_a_speedup_that_the_budget_cannot_afford_is_told_all_the_same() -> None:
    machine = Machine(60, {3: -0.3, 4: -0.6})
    found = judge_sides(machine, 60, pairs=5, budget=Broke())
    assert [found.cases[i].word for i in (3, 4)] == ["faster", "implausibly_faster"]
    assert [found.cases[i].p for i in (3, 4)] == [None, None]
    assert all("the budget did not suffice" in found.cases[i].why for i in (3, 4))


def test_what_barely_looks_faster_is_not_called_so_without_a_second_look() -> None:
    machine = Machine(60, {3: -0.025})
    case = judge_sides(machine, 60, pairs=3, budget=Broke(), seed=1).cases[3]
    assert (case.word, case.why) == ("unchanged", "not looked at again")


def test_a_suspect_that_lacks_a_time_in_the_second_look_is_not_called_unchanged() -> None:
    machine = Machine(60, {7: 0.1})
    found = judge_sides(machine.without(7, slots=range(20, 40)), 60, pairs=5)
    assert found.cases[7].word == "uncertain"
    assert np.isfinite([found.cases[7].low, found.cases[7].high]).all()


def test_a_process_without_controls_is_left_out() -> None:
    machine = Machine(2, {0: 0.1})
    anchors_of_one_process = machine.without(1, slots=[17])
    found = judge_sides(anchors_of_one_process, 1, pairs=5, anchors=1)
    assert [case.word for case in found.cases] == ["slower"]


def test_stored_data_can_only_screen() -> None:
    machine = Machine(60, {7: 0.1})
    sides = {
        side: np.stack([machine(side, np.arange(60)) for _ in range(5)], axis=1)
        for side in ("baseline", "contender")
    }
    found = judge(sides["baseline"], sides["contender"])
    assert {i: c.word for i, c in enumerate(found.cases) if c.word != "unchanged"} == {
        7: "uncertain"
    }


def test_a_case_without_times_is_missing() -> None:
    levels = np.random.default_rng(0).normal(0, 0.01, (30, 3))
    contender = levels.copy()
    contender[4] = np.nan
    assert judge(levels, contender).cases[4].word == "missing"


def test_different_numbers_of_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rows \(3 and 2\)"):
        judge(np.zeros((3, 2)), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        (np.full((3, 5), 1e-3), "levels must be log seconds; all are above 0"),
        (np.zeros(5), r"a side has shape \(5,\); \(cases, processes, samples\) of seconds"),
        (np.zeros((0, 5)), r"a side has shape \(0, 5\)"),
        (np.zeros((3, 5, 0)), r"a side has shape \(3, 5, 0\)"),
        (np.full((3, 5, 7), np.inf), "samples must be seconds, .*; one is inf"),
        (np.full((3, 5), -np.inf), "levels must be logs of seconds, .*; one is -inf"),
        (np.zeros((3, 5, 7)), "samples must be seconds, 1e-15 to 1e"),
    ],
)
def test_what_is_no_side_is_refused(baseline: Floats, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        judge(baseline, baseline)


@pytest.mark.parametrize("level", [np.nan, -7.0])
def test_levels_may_be_missing_altogether(level: float) -> None:
    found = judge(np.full((3, 5), level), np.full((3, 5), np.nan))
    assert {case.word for case in found.cases} == {"missing"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cases": 0}, r"cases \(0\) must be 1 or more"),
        ({"cases": 3, "anchors": -1}, r"anchors \(0\)|anchors \(-1\)"),
        ({"cases": 3, "pairs": 1}, r"pairs \(1\) must be 2 or more"),
        ({"cases": 3, "minimum_effect": -0.1}, r"minimum_effect \(-0.1\) must be a share from 0"),
        ({"cases": 3, "minimum_effect": np.nan}, r"minimum_effect \(nan\)"),
        ({"cases": 3, "minimum_effect": [0.1, 0.2]}, "for each of the 3 cases"),
    ],
)
def test_numbers_that_make_no_gate_are_refused_before_anything_is_measured(
    arguments: dict[str, Any], words: str
) -> None:
    machine = Machine(3, {})
    with pytest.raises(ValueError, match=words):
        judge_sides(machine, **({"pairs": 3} | arguments))
    assert machine.started == []


def test_what_measures_must_return_a_row_for_each_it_was_asked_for() -> None:
    with pytest.raises(ValueError, match=r"measure returned shape \(2, 30\) for 3 rows"):
        judge_sides(lambda _side, _rows: np.ones((2, 30)), 3, pairs=3)


def test_a_slow_process_is_refused_and_measured_again() -> None:
    machine = Machine(30, {})
    machine.slow_slots = {4}
    found = gather(machine, np.arange(30), pairs=3, rule=Rule(), rng=np.random.default_rng(0))
    assert len(machine.started) == 7
    assert sum(found.refused) == 1
    assert found.baseline.shape == found.contender.shape == (30, 3)
    assert found.enough


def test_a_slower_side_is_not_refused() -> None:
    y = np.random.default_rng(0).normal(0, 0.001, (30, 6))
    y[:, 3:] += 0.3
    assert not np.concatenate(is_refused(y[:, :3], y[:, 3:], Rule())).any()


def test_pairs_are_of_both_sides_in_an_order_drawn_anew() -> None:
    machine = Machine(5, {})
    gather(machine, np.arange(5), pairs=20, rule=Rule(), rng=np.random.default_rng(0))
    pairs = [tuple(machine.started[i : i + 2]) for i in range(0, 40, 2)]
    assert set(pairs) == {("baseline", "contender"), ("contender", "baseline")}


def test_a_process_is_its_lower_quartile() -> None:
    assert level(np.arange(1.0, 6.0)) == pytest.approx(np.log(2.0))


def test_the_common_part_is_what_most_rows_share() -> None:
    y = np.zeros((5, 3))
    y[:, 1] += 0.2
    y[0, 2] = 9.0
    assert common_part(y) == pytest.approx([0.0, 0.2, 0.0])


def test_holm_counts_those_that_are_not_tested() -> None:
    assert holm(np.array([0.004, 0.001]), 2, 0.01).tolist() == [True, True]
    assert holm(np.array([0.004, 0.001]), 10, 0.01).tolist() == [False, True]


def test_mann_whitney_is_exact_and_one_sided() -> None:
    low, high = np.arange(3.0)[None], np.arange(10.0, 13.0)[None]
    assert mann_whitney(low, high, 1) == pytest.approx([1 / 20])
    assert mann_whitney(low, high, -1) == pytest.approx([1.0])


@pytest.mark.parametrize(("n", "m"), [(2, 3), (10, 9), (20, 20), (40, 37)])
@pytest.mark.parametrize("direction", [1, -1])
def test_mann_whitney_agrees_with_scipys(n: int, m: int, direction: int) -> None:
    rng = np.random.default_rng(n)
    baseline, contender = rng.normal(size=(50, n)), rng.normal(0.4, 1, size=(50, m))
    alternative: Literal["greater", "less"] = "greater" if direction > 0 else "less"
    theirs = mannwhitneyu(contender, baseline, alternative=alternative, method="exact", axis=1)
    assert mann_whitney(baseline, contender, direction) == pytest.approx(theirs.pvalue, rel=1e-9)


def test_mann_whitney_says_nothing_of_rows_with_gaps() -> None:
    assert mann_whitney(np.zeros((1, 3)), np.array([[1.0, 2.0, np.nan]]), 1).tolist() == [1.0]


def test_hodges_lehmann_is_the_median_difference() -> None:
    found = hodges_lehmann(np.array([[0.0, 1.0, 5.0]]), np.array([[2.0, 3.0, 7.0]]))
    assert found.shift == pytest.approx([2.0])
    assert found.low[0] <= 2.0 <= found.high[0]
