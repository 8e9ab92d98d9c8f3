from __future__ import annotations

import numpy as np
import pytest

from gconvbench.history import FEWEST_RUNS, find_changes


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
