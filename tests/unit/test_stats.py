from __future__ import annotations

import math
import random
import statistics

import pytest
from scipy.special import stdtrit
from scipy.stats import t as student

from gconvbench.stats import (
    _T_975,
    _t_quantile,
    drift,
    estimate_over_rounds,
    median_half_width,
    paired_ratio,
)


def test_the_t_table_is_that_of_scipy() -> None:
    for degrees, value in enumerate(_T_975, start=1):
        assert value == pytest.approx(stdtrit(degrees, 0.975), abs=5.1e-5)


@pytest.mark.parametrize("degrees", [20, 21, 22, 500])
def test_t_goes_on_where_the_table_ends(degrees: int) -> None:
    assert _t_quantile(degrees) == pytest.approx(float(student.ppf(0.975, degrees)), abs=5.1e-5)


@pytest.mark.parametrize(
    ("n", "low", "high"), [(10, 1, 10), (11, 2, 10), (20, 5, 16), (40, 13, 28), (100, 40, 61)]
)
def test_the_median_lies_between_the_ranks_of_the_normal_approximation(
    n: int, low: int, high: int
) -> None:
    ordered = [2.0**i for i in range(1, n + 1)]  # both ends can be read off a difference
    assert median_half_width(ordered) == (2.0**high - 2.0**low) / 2


@pytest.mark.parametrize("n", range(11, 200, 7))
def test_these_ranks_cover_the_median_at_least_as_often_as_they_claim(n: int) -> None:
    half_width = median_half_width([float(i) for i in range(1, n + 1)])
    assert half_width is not None
    low = round((n + 1) / 2 - half_width)
    below = range(low, n + 1 - low)  # how many values may fall below the median
    coverage = sum(math.comb(n, k) for k in below) / 2**n
    assert 0.95 <= coverage < 0.995


def test_fewer_than_ten_samples_give_no_interval() -> None:
    assert median_half_width([1.0] * 9) is None
    assert median_half_width([1.0] * 10) == 0


def test_a_time_is_the_median_of_rounds_with_a_t_interval_of_their_logarithms() -> None:
    medians_s = [1e-3, 1.1e-3, 0.95e-3, 1.3e-3]
    logs = [math.log(value) for value in medians_s]
    low, high = student.interval(
        0.95, 3, statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(4)
    )
    estimate = estimate_over_rounds(medians_s)
    assert estimate.median_s == pytest.approx(1.05e-3)
    assert estimate.half_width == pytest.approx(float(high - low) / 2, rel=1e-4)
    assert estimate.rounds == 4


def test_one_round_gives_a_time_without_an_interval() -> None:
    assert estimate_over_rounds([2.0]) == (2.0, None, 1)


def test_half_widths_do_not_depend_on_the_unit() -> None:
    medians_s = [1.0, 1.2, 0.9]
    scaled = estimate_over_rounds([1e-6 * value for value in medians_s])
    assert scaled.half_width == pytest.approx(estimate_over_rounds(medians_s).half_width)


def test_what_slows_both_jobs_of_a_round_cancels_in_their_ratio() -> None:
    slow = {1: 1.0, 2: 7.0, 3: 0.2}
    ratio = paired_ratio({n: 1.25 * value for n, value in slow.items()}, slow)
    assert ratio is not None
    assert ratio.value == pytest.approx(1.25)
    assert ratio.half_width == pytest.approx(0, abs=1e-12)
    assert ratio.is_clearly_longer()


def test_only_common_rounds_are_paired() -> None:
    ratio = paired_ratio({1: 100.0, 2: 2.0, 3: 8.0}, {2: 1.0, 3: 1.0, 4: 50.0})
    assert ratio is not None
    assert ratio.value == pytest.approx(4)
    assert ratio.half_width == pytest.approx(12.7062 * math.log(2), rel=1e-9)
    assert not ratio.is_clearly_longer()
    assert paired_ratio({1: 1.0, 2: 4.0}, {2: 1.0, 3: 1.0}) == (4.0, None)
    assert paired_ratio({}, {}) is None


@pytest.mark.parametrize("rounds", [2, 3, 5, 25])
def test_the_interval_of_a_ratio_covers_the_truth_as_often_as_it_claims(rounds: int) -> None:
    generator = random.Random(rounds)  # noqa: S311 (a simulation, not a secret)
    covered, repeats = 0, 4000
    for _ in range(repeats):
        a_s, b_s = (
            {n: value * math.exp(generator.gauss(0, 0.05)) for n in range(rounds)}
            for value in (1.1, 1.0)
        )
        ratio = paired_ratio(a_s, b_s)
        assert ratio is not None
        assert ratio.half_width is not None
        covered += abs(math.log(ratio.value / 1.1)) <= ratio.half_width
    assert covered / repeats == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors


def test_a_ratio_of_one_round_is_clearly_nothing() -> None:
    ratio = paired_ratio({1: 9.0}, {1: 1.0})
    assert ratio is not None
    assert not ratio.is_clearly_longer()


def noisy(count: int, generator: random.Random, *, rise: float = 0.0) -> list[float]:
    """Times of about 1 s that rise by `rise` from the first to the last, within 3 %."""
    return [math.exp(generator.gauss(0, 0.03)) * (1 + rise * n / (count - 1)) for n in range(count)]


@pytest.mark.parametrize("count", [10, 14, 30, 200])
def test_steady_samples_rarely_seem_to_drift(count: int) -> None:
    generator = random.Random(count)  # noqa: S311 (a simulation)
    found = [drift(noisy(count, generator)) for _ in range(1000)]
    alarms = sum(abs(one.change) > one.half_width for one in found if one)
    assert alarms <= 25  # 1 % are expected


@pytest.mark.parametrize("count", [60, 200])
def test_samples_that_rise_by_a_fifth_are_seen_to_drift(count: int) -> None:
    generator = random.Random(count)  # noqa: S311
    found = [drift(noisy(count, generator, rise=0.2)) for _ in range(100)]
    assert sum(one.change > one.half_width for one in found if one) >= 95


def test_a_drift_is_the_last_third_against_the_first() -> None:
    found = drift([1.0] * 10 + [9.0] * 10 + [1.5] * 10)
    assert found is not None
    assert found.change == pytest.approx(0.5)
    assert found.half_width == 0.0


def test_equal_readings_are_known_exactly_but_for_the_tick() -> None:
    samples_s = [1.0] * 20 + [1.02] * 10
    exact, coarse = drift(samples_s), drift(samples_s, tick_s=0.03)
    assert exact is not None
    assert coarse is not None
    assert exact.half_width == 0.0
    assert coarse.half_width > coarse.change
    outlier = drift([*[1.0] * 20, *[1.0] * 20, *[1.02] * 19, 9.0])
    assert outlier is not None
    assert outlier.change > outlier.half_width


def test_a_ratio_below_the_noise_floor_is_not_clear() -> None:
    ratio = paired_ratio({1: 1.02, 2: 1.02}, {1: 1.0, 2: 1.0})
    assert ratio is not None
    assert ratio.is_clearly_longer(0.01)
    assert not ratio.is_clearly_longer(0.03)


def test_few_samples_are_compared_by_halves_and_fewer_not_at_all() -> None:
    found = drift([1.0] * 5 + [2.0] * 5)
    assert found is not None
    assert found.change == 1.0
    assert drift([1.0] * 5 + [2.0] * 4) is None
