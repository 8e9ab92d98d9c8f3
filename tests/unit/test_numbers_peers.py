"""Other tools' rules, on samples whose verdict is known, and ours beside them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import peer_rules
import pytest
from gate import Scenario, simulate
from gate_peers import interval, ours, peers, sides_s, with_resamples
from peer_rules import PeerRule, Plan, criterion_low, criterion_p
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUIET = Scenario("quiet", 3, cases=60, slower=math.log1p(0.2))
BY_TITLE = {rule.title: rule for rule in with_resamples(5_000)}


def side_s(
    plan: Plan, level: float, *, spread: float = 0.001, seed: int = 0
) -> NDArray[np.float64]:
    """One case of a millisecond times `level`, normal samples without an effect of the process."""
    shape = 1, plan.processes, plan.samples
    return 1e-3 * level * (1 + spread * np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize(
    ("title", "below", "above"),
    [
        ("pytest-benchmark, 5 %", 1.045, 1.055),
        ("asv continuous", 1.09, 1.11),
        ("asv continuous -f 1.05", 1.045, 1.055),
        ("pyperf compare_to", 1.0, 1.01),
        ("pyperf --min-speed 5", 1.045, 1.055),
        ("criterion.rs", 1.009, 1.011),
        ("github-action-benchmark", 1.99, 2.01),
    ],
)
def test_a_rule_draws_its_line_where_its_tool_does(title: str, below: float, above: float) -> None:
    _, plan, slower = BY_TITLE[title]
    baseline_s = side_s(plan, 1.0)
    assert not slower(baseline_s, side_s(plan, below, seed=1)).any()
    assert slower(baseline_s, side_s(plan, above, seed=1)).all()
    assert not slower(side_s(plan, above, seed=1), baseline_s).any()


@pytest.mark.parametrize("title", ["pyperf compare_to", "pyperf --min-speed 5", "criterion.rs"])
def test_one_sample_that_moves_the_mean_is_not_enough(title: str) -> None:
    _, plan, slower = BY_TITLE[title]
    baseline_s = side_s(plan, 1.0)
    contender_s = baseline_s.copy()
    contender_s.reshape(-1)[0] *= 30
    assert contender_s.mean() > 1.2 * baseline_s.mean()
    assert not slower(baseline_s, contender_s).any()


def test_asvs_medians_may_be_far_apart_and_its_samples_not_differ() -> None:
    baseline_s = np.array([1.0, 1, 1, 1, 1, 1.2, 1.3, 1.3, 1.3, 1.3]).reshape(1, 2, 5)
    contender_s = np.array([1.0, 1, 1, 1, 1.25, 1.26, 1.3, 1.3, 1.3, 1.3]).reshape(1, 2, 5)
    assert np.median(contender_s) > 1.1 * np.median(baseline_s)
    assert not peer_rules.asv(baseline_s, contender_s).any()


def test_pyperfs_t_is_students() -> None:
    rng = np.random.default_rng(0)
    a_s, b_s = rng.lognormal(size=(2, 7, 60))
    expected = stats.ttest_ind(b_s, a_s, axis=1).statistic
    np.testing.assert_allclose(peer_rules.pyperf_t(a_s, b_s), expected)


def test_criterions_interval_is_the_bootstraps() -> None:
    rng = np.random.default_rng(0)
    a_s, b_s = 1 + 0.1 * rng.standard_exponential((2, 1, 100))
    found = stats.bootstrap(
        (b_s[0], a_s[0]),
        lambda b, a, axis: b.mean(axis) / a.mean(axis) - 1,
        n_resamples=20_000,
        method="percentile",
        rng=rng,
    )
    low = criterion_low(a_s, b_s, 20_000)[0]
    assert low == pytest.approx(found.confidence_interval.low, abs=0.05 * found.standard_error)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.04])
def test_criterions_p_is_the_bootstraps(shift: float) -> None:
    rng = np.random.default_rng(0)
    a_s, b_s = 1 + 0.1 * rng.standard_exponential((2, 100))
    b_s += shift
    drawn = np.concatenate([a_s, b_s])[rng.integers(200, size=(20_000, 200))]
    ts = stats.ttest_ind(drawn[:, 100:], drawn[:, :100], axis=1, equal_var=False).statistic
    share = (ts < stats.ttest_ind(b_s, a_s, equal_var=False).statistic).mean()
    expected = 2 * min(share, 1 - share)
    found = criterion_p(a_s[np.newaxis], b_s[np.newaxis], 20_000)[0]
    assert found == pytest.approx(expected, abs=0.02)


def test_criterion_does_not_believe_a_shift_that_its_test_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, plan, slower = BY_TITLE["criterion.rs"]
    a_s, b_s = side_s(plan, 1.0), side_s(plan, 1.05)
    assert slower(a_s, b_s).all()
    monkeypatch.setattr(peer_rules, "criterion_p", lambda a_s, b_s, resamples: np.ones(len(a_s)))
    assert not slower(a_s, b_s).any()


@pytest.mark.parametrize("seed", [1, 2])
def test_our_gate_is_the_one_of_the_other_script(seed: int) -> None:
    call, outcome = ours(QUIET, seed, 3), simulate(QUIET, seed)
    assert (call.alarm, call.found) == (outcome.alarm, outcome.found)
    assert call.processes == 3 * (1 + outcome.extra)


def test_all_rules_judge_the_same_cases() -> None:
    plan = Plan("AB", 50)
    a_s, b_s = sides_s(QUIET, 1, plan)
    assert a_s.shape == b_s.shape == (60, 1, 50)
    longer_s, _ = sides_s(QUIET, 1, Plan("ABBA", 5))
    assert longer_s.shape == (60, 2, 5)
    ratios = np.median(longer_s, axis=(1, 2)) / np.median(a_s, axis=(1, 2))
    assert np.abs(np.log(ratios)).max() < 0.2  # of cases of 20 µs to 5 ms
    is_slow = np.median(b_s, axis=2)[:, 0] / np.median(a_s, axis=2)[:, 0] > 1.1
    assert is_slow.sum() == 6  # a tenth


@pytest.mark.parametrize(("slowed", "others"), [(True, False), (False, True)])
def test_an_alarm_is_of_a_case_that_was_not_slowed(*, slowed: bool, others: bool) -> None:
    def slower(a_s: NDArray[np.float64], b_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        is_slow: NDArray[np.bool_] = (b_s / a_s).min(axis=(1, 2)) > 1.1
        return is_slow if slowed else ~is_slow

    noiseless = Scenario("quiet", 3, cases=60, slower=math.log1p(9))
    (call,) = peers(noiseless, 1, [PeerRule("known", Plan("AB", 1), slower)])
    assert call.alarm == others
    assert call.found == float(slowed)
    assert call.processes == 1


def test_without_a_change_nothing_can_be_found() -> None:
    (call,) = peers(QUIET._replace(slower=0.0), 1, [BY_TITLE["github-action-benchmark"]])
    assert math.isnan(call.found)
    assert not call.alarm


def test_the_interval_is_clopper_and_pearsons() -> None:
    low, high = interval(0, 1000)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 1000))
