"""The script that measures the gate's rule, on a few runs."""

from __future__ import annotations

import math

from gate import Scenario, arithmetic_s, simulate

from gconvbench.gate import Rule


def test_what_is_slowed_is_found_and_nothing_else() -> None:
    outcome = simulate(Scenario("quiet", 5, cases=60, slower=math.log1p(0.2)), seed=1)
    assert outcome.found == 1.0
    assert not outcome.alarm


def test_without_a_change_there_is_no_power_to_speak_of() -> None:
    outcome = simulate(Scenario("quiet", 3, cases=60), seed=1)
    assert math.isnan(outcome.found)
    assert not outcome.alarm
    assert 0 <= outcome.extra < 10


def test_a_slower_suite_is_the_suites() -> None:
    outcome = simulate(Scenario("quiet", 5, cases=60, slower=math.log1p(0.05), share=1), seed=1)
    assert outcome.suite


def test_a_rule_that_believes_everything_alarms() -> None:
    eager = Rule(alphas=(1.0, 1.0, 1.0), minimum_effect=0.0, suspect_p=0.5, suspect_shift=0.0)
    assert simulate(Scenario("typical", 3, cases=60), seed=1, rule=eager).alarm


def test_recorded_processes_stand_where_simulated_ones_do() -> None:
    slowed = Scenario("recorded", 5, cases=27, slower=math.log1p(0.5))
    assert simulate(slowed, seed=1).found == 1.0
    assert not simulate(Scenario("recorded", 5, cases=27), seed=1).alarm


def test_the_arithmetic_takes_time_of_its_own() -> None:
    assert arithmetic_s(30, times=1) > 0
