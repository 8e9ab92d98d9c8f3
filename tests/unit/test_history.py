from __future__ import annotations

import itertools

import numpy as np
import pytest

from gconvbench.history import FEWEST_RUNS, find_changes, step_across


def noisy(levels: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.asarray(levels + np.random.default_rng(seed).normal(0, 0.01, levels.size))


@pytest.mark.parametrize("step", [0.1, -0.1])
def test_a_step_is_found_where_it_is(step: float) -> None:
    levels = np.zeros(60)
    levels[30:] = step
    (change,) = find_changes(noisy(levels)).changes
    assert abs(change.index - 30) <= 1
    assert change.change == pytest.approx(step, abs=0.01)


@pytest.mark.parametrize("seed", range(10))
def test_a_step_once_seen_is_seen_after_any_number_of_further_runs(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0, 0.02, 70)
    values[50:] += 0.1
    seen = [
        any(abs(one.index - 50) <= 2 for one in find_changes(values[:runs]).changes)
        for runs in range(55, 71)
    ]
    assert all(seen)


def test_a_spike_before_a_step_in_a_short_history_does_not_hide_it() -> None:
    """Times in microseconds of one real convolution, its code slower from the twelfth run on."""
    before = [273.9, 280.3, 282.7, 281.0, 276.8, 273.1, 374.1, 271.3, 269.5, 271.8, 268.7]
    after = [356.9, 347.6, 346.0, 353.0, 356.4, 355.2, 356.2, 358.2, 350.4]
    (change,) = find_changes(np.log([*before, *after])).changes
    assert change.index == len(before)
    assert change.change == pytest.approx(np.log(355 / 274), abs=0.03)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_found_in_noise(seed: int) -> None:
    found = find_changes(noisy(np.zeros(80), seed))
    assert (found.changes, found.drifts) == ((), ())


def test_a_slow_climb_is_a_drift_without_a_step() -> None:
    levels = np.concatenate([np.zeros(30), np.arange(1, 31) * 0.01])
    found = find_changes(noisy(levels))
    assert found.drifts
    assert found.drifts[0].change > 0.1


def test_an_accepted_step_is_not_reported() -> None:
    levels = np.zeros(60)
    levels[30:] = 0.1
    assert find_changes(noisy(levels), accepted=[30]).changes == ()


def test_a_short_history_says_so() -> None:
    found = find_changes(np.zeros(FEWEST_RUNS - 1))
    assert found.is_too_short
    assert found.changes == ()


def test_missing_values_are_passed_over() -> None:
    levels = np.zeros(60)
    levels[30:] = 0.1
    values = noisy(levels)
    values[10] = np.nan
    (change,) = find_changes(values).changes
    assert abs(change.index - 30) <= 1


def climb(change: float) -> np.ndarray:
    """Thirty runs, thirty in which it rises or falls, twenty at the new level."""
    return np.concatenate([np.zeros(30), np.arange(1, 31) * change / 30, np.full(20, change)])


@pytest.mark.parametrize("change", [0.3, -0.3])
@pytest.mark.parametrize("place", [12, 66])
def test_a_step_beside_a_drift_is_found_as_well(change: float, place: int) -> None:
    levels = climb(change)
    levels[place:] += 0.1
    found = find_changes(noisy(levels))
    (drift,) = found.drifts
    assert drift.change == pytest.approx(change, abs=0.05)
    (step,) = found.changes
    assert abs(step.index - place) <= 2
    assert step.change == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("change", [0.1, 0.3, -0.3])
@pytest.mark.parametrize("seed", range(5))
def test_a_drift_alone_has_no_step_beside_it(change: float, seed: int) -> None:
    found = find_changes(noisy(climb(change), seed))
    assert found.changes == ()
    (drift,) = found.drifts
    assert drift.change == pytest.approx(change, abs=0.03)
    assert abs(drift.first - 30) <= 8
    assert abs(drift.last - 59) <= 8


def ramp(start: int, length: int, change: float, runs: int = 200) -> np.ndarray:
    return np.asarray(change * np.clip((np.arange(runs) - start) / length, 0, 1))


def quiet(levels: np.ndarray, seed: int) -> np.ndarray:
    return np.asarray(levels + np.random.default_rng(seed).normal(0, 0.005, levels.size))


@pytest.mark.parametrize("levels", [ramp(0, 200, 0.5), ramp(60, 30, 0.3), ramp(20, 90, 0.4)])
def test_in_a_climb_nothing_became_faster(levels: np.ndarray) -> None:
    for seed in range(20):
        found = find_changes(quiet(levels, seed))
        parts = [one.change for one in found.changes] + [one.change for one in found.drifts]
        assert min(parts) > 0, seed
        assert max(parts) > 0.7 * sum(parts), seed
        assert sum(parts) == pytest.approx(levels[-1], abs=0.05), seed


def test_a_step_between_a_climb_and_a_fall_goes_the_right_way() -> None:
    levels = ramp(30, 30, 0.3) + ramp(120, 30, -0.3)
    levels[99:] += 0.1
    found = find_changes(quiet(levels, 5))
    (step,) = found.changes
    assert (step.index, round(step.change, 1)) == (99, 0.1)
    assert [round(one.change, 1) for one in found.drifts] == [0.3, -0.3]


@pytest.mark.parametrize("noise", [0, 0.1, 0.4])
def test_a_fall_at_the_end_is_no_slowdown(noise: float) -> None:
    levels = np.zeros(100)
    levels[93:] = -0.03 * np.arange(7)
    found = find_changes(noise * quiet(np.zeros(100), 0) + levels)
    assert found.changes == ()
    assert [one.change < 0 for one in found.drifts] == [True]


def test_climbs_and_falls_close_together_are_kept_apart() -> None:
    """Regions of neighbours once overlapped, and the same step was found twice."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        levels = ramp(15, 30, 0.3, 100) + ramp(int(rng.integers(38, 48)), 10, -0.1, 100)
        found = find_changes(quiet(levels + ramp(int(rng.integers(60, 80)), 10, -0.1, 100), seed))
        starts = [one.index for one in found.changes]
        assert starts == sorted(set(starts))
        assert all(abs(one.change) > one.half_width for one in found.changes)
        pairs = itertools.pairwise(found.drifts)
        assert all(before.last < after.first for before, after in pairs)


def test_values_in_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one value per run, \(n,\), is needed"):
        find_changes(np.zeros((30, 2)))
    with pytest.raises(ValueError, match="accepted index 30 must be one of the 30 runs"):
        find_changes(np.zeros(30), accepted=[30])


@pytest.mark.parametrize("index", [-1, 30])
def test_a_step_is_asked_for_at_a_run(index: int) -> None:
    with pytest.raises(ValueError, match=f"index {index} of values"):
        step_across(np.zeros(30), index)


def test_a_step_across_a_given_place_is_as_large_as_it_is() -> None:
    levels = np.zeros(60)
    levels[30:] = 0.1
    step = step_across(noisy(levels), 30)
    assert step is not None
    assert step.change == pytest.approx(0.1, abs=0.01)
    assert step_across(noisy(levels), 2) is None
