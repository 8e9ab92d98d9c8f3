from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from noise import NOISES, Noise, SimulatedMachine

SILENT = Noise(**dict.fromkeys((field.name for field in dataclasses.fields(Noise)), 0.0))


def machine(  # noqa: PLR0913 (one argument per choice)
    n_cases: int = 300,
    *,
    effect: np.ndarray | float = 0.0,
    correlation: float = 0.0,
    period: int | None = None,
    n_anchors: int = 0,
    seed: int = 0,
    **parts: float,
) -> SimulatedMachine:
    """One with these kinds of noise and no other."""
    return SimulatedMachine(
        dataclasses.replace(SILENT, **parts),
        n_cases,
        np.random.default_rng(seed),
        effect=effect,
        correlation=correlation,
        period=period,
        n_anchors=n_anchors,
    )


def levels(simulated: SimulatedMachine, slots: int) -> np.ndarray:
    """One sample of each slot less the case's median over slots, `(slots, cases)`."""
    found = np.stack([simulated.slot("A", n_samples=1)[:, 0] for _ in range(slots)])
    return found - np.median(found, axis=0)


def excess(simulated: SimulatedMachine, slots: int) -> np.ndarray:
    """Samples above the fastest of their case, `(slots, cases, samples)`."""
    found = np.stack([simulated.slot("A") for _ in range(slots)])
    return found - found.min(axis=(0, 2), keepdims=True)


@pytest.mark.parametrize("name", NOISES)
def test_a_seed_reproduces_a_session_and_another_does_not(name: str) -> None:
    first, again, other = (
        SimulatedMachine(NOISES[name], 50, np.random.default_rng(seed), period=4).slot("A")
        for seed in (1, 1, 2)
    )
    assert first.dtype == np.float64
    assert first.shape == (50, 30)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_without_noise_times_are_log_uniform_between_20_microseconds_and_5_milliseconds() -> None:
    (times,) = machine(4000).slot("A", n_samples=1).T
    low, high = math.log(20e-6), math.log(5e-3)
    assert low <= times.min() <= times.max() <= high
    quartiles = np.quantile((times - low) / (high - low), (0.25, 0.5, 0.75))
    assert quartiles == pytest.approx([0.25, 0.5, 0.75], abs=0.03)


def test_an_effect_shifts_side_b_only_and_no_anchor() -> None:
    effect = np.array([0.1, 0.0, -0.2])
    simulated = machine(3, effect=effect, n_anchors=2)
    shift = simulated.slot("B") - simulated.slot("A")
    assert np.allclose(shift, np.array([0.1, 0.0, -0.2, 0.0, 0.0])[:, np.newaxis])
    assert np.array_equal(simulated.slot("A"), simulated.slot("A"))


def test_a_process_may_time_some_cases_only() -> None:
    simulated = machine()
    cases = np.array([7, 200, 3])
    some = simulated.slot("A", cases, n_samples=5)
    assert np.array_equal(some, simulated.slot("A", n_samples=5)[cases])


@pytest.mark.parametrize("name", NOISES)
def test_sds_over_processes_are_lognormal_over_cases(name: str) -> None:
    noise = NOISES[name]
    parts: dict[str, Any] = {"process_sd": noise.process_sd, "process_sigma": noise.process_sigma}
    sds = np.log(levels(machine(400, **parts), 500).std(axis=0))
    assert math.exp(np.median(sds)) == pytest.approx(noise.process_sd, rel=0.1)
    assert sds.std() == pytest.approx(noise.process_sigma, rel=0.15)


def test_a_process_is_student_t_with_5_degrees_of_freedom() -> None:
    found = levels(machine(1000, process_sd=0.01), 200) / 0.01
    tail, quartile = np.quantile(np.abs(found), (0.99, 0.5))
    scale = math.sqrt(3 / 5)
    assert tail == pytest.approx(4.032 * scale, rel=0.05)  # quantiles of any table of t
    assert quartile == pytest.approx(0.727 * scale, rel=0.03)


def test_what_is_common_to_a_process_moves_all_its_cases() -> None:
    found = levels(machine(20, common_sd=0.005), 2000)
    assert np.allclose(found, found[:, :1])
    assert found.std() == pytest.approx(0.005, rel=0.1)


def test_samples_of_a_process_are_correlated_and_skewed() -> None:
    within = machine(3000, within_sd=0.01).slot("A", n_samples=200)
    within -= within.mean(axis=1, keepdims=True)
    within /= within.std()
    assert np.mean(within[:, 1:] * within[:, :-1]) == pytest.approx(0.75 * 0.3, abs=0.02)
    assert np.mean(within**3) == pytest.approx(2 * 0.5**3, abs=0.03)  # of the tail alone
    assert np.mean(within[:, 3:] * within[:, :-3]) == pytest.approx(0.75 * 0.3**3, abs=0.02)


@pytest.mark.parametrize("name", NOISES)
def test_sds_within_a_process_are_lognormal_over_cases(name: str) -> None:
    noise = NOISES[name]
    parts: dict[str, Any] = {"within_sd": noise.within_sd, "within_sigma": noise.within_sigma}
    sds = np.log(machine(1000, **parts).slot("A", n_samples=400).std(axis=1))
    assert math.exp(np.median(sds)) == pytest.approx(noise.within_sd, rel=0.1)
    assert sds.std() == pytest.approx(noise.within_sigma, rel=0.1)


def test_a_drift_is_linear_half_common_and_ends_after_20_slots() -> None:
    sessions = [machine(40, drift=0.01, seed=seed) for seed in range(300)]
    paths = np.array([[m.slot("A", n_samples=1)[:, 0] for _ in range(25)] for m in sessions])
    paths -= paths[:, :1]
    assert np.allclose(paths[:, 20], 2 * paths[:, 10])
    assert np.allclose(paths[:, 20:], paths[:, 20:21])
    assert 0.009 < np.abs(paths[:, 10]).max() <= 0.01
    part_sd = 0.01 / 2 / math.sqrt(3)  # of a uniform distribution
    assert paths[:, 10].std() == pytest.approx(math.sqrt(2) * part_sd, rel=0.1)
    assert paths[:, 10].mean(axis=1).std() == pytest.approx(part_sd, rel=0.1)


def test_a_random_walk_steps_are_half_common() -> None:
    path = np.stack([step[:, 0] for step in _walk(machine(200, walk_sd=0.002), 2000)])
    steps = np.diff(path, axis=0)
    assert steps.std() == pytest.approx(0.002, rel=0.05)
    assert steps.mean(axis=1).std() == pytest.approx(0.002 * math.sqrt(0.5), rel=0.1)


def _walk(simulated: SimulatedMachine, slots: int) -> list[np.ndarray]:
    return [simulated.slot("A", n_samples=1) for _ in range(slots)]


@pytest.mark.parametrize("name", NOISES)
def test_spikes_have_their_share_and_height(name: str) -> None:
    noise = NOISES[name]
    found = excess(machine(spikes=noise.spikes, spike_height=noise.spike_height), 40)
    struck = found > 0
    assert struck.mean() == pytest.approx(noise.spikes, rel=0.05)
    assert np.expm1(found[struck]).mean() == pytest.approx(noise.spike_height, rel=0.05)


def test_bursts_are_one_piece_of_10_to_40_percent() -> None:
    found = excess(machine(bursts=0.05), 60)
    slow = found > 0
    lengths = slow.sum(axis=2)
    assert np.mean(lengths > 0) == pytest.approx(0.05, rel=0.1)
    assert (lengths[lengths > 0].min(), lengths.max()) == (3, 12)
    starts = np.diff(slow, axis=2, prepend=False) & slow
    assert starts.sum(axis=2).max() == 1
    assert 0.1 <= np.expm1(found[slow]).min() <= np.expm1(found[slow]).max() <= 0.6
    assert np.expm1(found[slow]).mean() == pytest.approx(0.35, rel=0.05)
    assert slow.mean(axis=(0, 1)).min() > 0  # anywhere in a process


def test_switching_cases_change_once_and_stay() -> None:
    found = excess(machine(switching=0.05), 60)
    slow = found > 0
    changes = np.diff(slow, axis=2).sum(axis=2)
    assert np.mean(changes) == pytest.approx(0.05, rel=0.1)
    assert changes.max() == 1
    assert slow[changes > 0, -1].mean() == pytest.approx(0.5, abs=0.1)
    assert 0.03 <= np.expm1(found[slow]).min() <= np.expm1(found[slow]).max() <= 0.1


def test_bimodal_cases_are_slow_in_30_percent_of_their_processes() -> None:
    found = excess(machine(1000, bimodal=0.1), 100)[:, :, 0]
    slow = found > 0
    bimodal = slow.any(axis=0)
    assert bimodal.mean() == pytest.approx(0.1, abs=0.03)
    assert slow[:, bimodal].mean() == pytest.approx(0.3, abs=0.02)
    heights = np.expm1(found.max(axis=0)[bimodal])
    assert 0.03 <= heights.min() <= heights.max() <= 0.08
    assert np.allclose(found[slow], np.broadcast_to(found.max(axis=0), found.shape)[slow])


def test_a_slow_process_is_slow_in_80_percent_of_its_cases() -> None:
    found = excess(machine(100, slow_processes=0.14), 1000)[:, :, 0]
    struck = found.max(axis=1) > 0
    assert struck.mean() == pytest.approx(0.14, abs=0.03)
    assert np.mean(found[struck] > 0) == pytest.approx(0.8, abs=0.02)
    heights = np.expm1(found.max(axis=1)[struck])
    assert 0.08 <= heights.min() <= heights.max() <= 0.5
    assert heights.mean() == pytest.approx(0.29, abs=0.03)


def test_every_so_manyth_slot_is_disturbed_from_any_phase_on() -> None:
    phases = set()
    for seed in range(40):
        found = excess(machine(period=4, seed=seed), 12)[:, :, 0]
        disturbed = np.flatnonzero(found.max(axis=1) > 0)
        phases.add(int(disturbed[0]))
        assert np.array_equal(np.diff(disturbed), [4, 4])
        assert np.mean(found[disturbed] > 0) == pytest.approx(0.8, abs=0.05)
        assert np.allclose(np.expm1(found[found > 0]), 0.2)
    assert phases == {0, 1, 2, 3}


def test_correlated_cases_share_their_block_s_part_of_a_process() -> None:
    found = levels(machine(40, process_sd=0.01, correlation=0.9), 3000)
    correlations = np.corrcoef(found.T)
    within, between = correlations[:20, :20], correlations[:20, 20:]
    assert within[~np.eye(20, dtype=bool)].mean() == pytest.approx(0.81, abs=0.03)
    assert np.abs(between).mean() < 0.05
    assert found.std() == pytest.approx(0.01, rel=0.1)


def test_another_session_shifts_the_suite_and_each_case() -> None:
    typical = NOISES["typical"]
    parts: dict[str, Any] = {
        "session_suite_sd": typical.session_suite_sd,
        "session_case_sd": typical.session_case_sd,
    }
    simulated = machine(400, effect=0.1, **parts)
    here = simulated.slot("A")
    shifts = np.stack([simulated.another_session().slot("A")[:, 0] for _ in range(300)])
    shifts -= here[:, 0]
    suite = shifts.mean(axis=1)
    assert suite.std() == pytest.approx(0.01, rel=0.1)
    assert (shifts - suite[:, np.newaxis]).std() == pytest.approx(0.006, rel=0.1)
    assert np.array_equal(simulated.slot("A"), here)
    other = simulated.another_session()
    assert np.allclose(other.slot("B") - other.slot("A"), 0.1)


def test_another_session_has_its_own_drift_and_begins_anew() -> None:
    simulated = machine(10, drift=0.01, walk_sd=0.002)
    start = simulated.slot("A")
    other = simulated.another_session()
    assert np.array_equal(other.slot("A"), start)
    assert not np.allclose(other.slot("A"), simulated.slot("A"))
