"""What all cases have in common, and what the anchors say of the machine."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from gconvbench.gate.judgement import FEWEST, SuiteShift
from gconvbench.gate.processes import common_part, gather

if TYPE_CHECKING:
    from gconvbench.gate.decide import Decided
    from gconvbench.gate.judgement import Problem
    from gconvbench.gate.processes import Floats, Indices, Measure, Processes
    from gconvbench.gate.rule import Rule

__all__ = ["anchors_moved", "confirmed", "is_suspicious", "suite_shift"]


def suite_shift(found: Processes, rows: Indices) -> SuiteShift | None:
    """Welch's test over processes of what these rows have in common."""
    n = found.baseline.shape[1]
    y = np.concatenate([found.baseline[rows], found.contender[rows]], axis=1)
    common = common_part(y)
    return _welch(common[:n], common[n:])


def _welch(baseline: Floats, contender: Floats) -> SuiteShift | None:
    from scipy.stats import ttest_ind  # noqa: PLC0415 (slow to import)

    baseline, contender = baseline[~np.isnan(baseline)], contender[~np.isnan(contender)]
    if min(baseline.size, contender.size) < FEWEST:
        return None
    shift = float(contender.mean() - baseline.mean())
    if not np.ptp(baseline) and not np.ptp(contender):
        return _shift_of(shift, shift, shift, float(shift == 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of values that are nearly equal
        found = ttest_ind(contender, baseline, equal_var=False)
    interval = found.confidence_interval(0.95)
    return _shift_of(shift, interval.low, interval.high, float(found.pvalue))


def _shift_of(shift: float, low: float, high: float, p: float) -> SuiteShift:
    ratio, lower, upper = np.exp([shift, low, high]).tolist()
    return SuiteShift(ratio, lower, upper, p)


def is_suspicious(found: SuiteShift | None, rule: Rule) -> bool:
    """Whether it is larger than what happens, and no chance."""
    if found is None:
        return False
    is_large = abs(math.log(found.ratio)) > math.log1p(rule.suite_shift)
    return is_large and found.p < rule.suite_p


def confirmed(
    suite: SuiteShift, decided: Decided, problem: Problem, *, has_moved: bool
) -> SuiteShift:
    """The first look's shift, and what the controls' fresh processes say of it."""
    if decided.controls is None:
        return suite
    again = suite_shift(decided.controls, np.arange(decided.controls.rows.size))
    if again is None:
        return suite
    agrees = (again.ratio > 1) == (suite.ratio > 1) and is_suspicious(again, problem.rule)
    return suite._replace(
        confirmed=agrees if has_moved else None,
        controls=int(decided.controls.rows.size),
        controls_ratio=again.ratio,
    )


def anchors_moved(anchors: SuiteShift | None, problem: Problem, measure: Measure | None) -> bool:
    """Whether the anchors changed between the sides, asked twice where that is possible."""
    if not is_suspicious(anchors, problem.rule):
        return False
    if measure is None:
        return True
    rule, rows = problem.rule, problem.anchor_rows
    again = suite_shift(
        gather(measure, rows, pairs=rule.looks[0], rule=rule, rng=problem.rng),
        np.arange(rows.size),
    )
    assert anchors is not None  # noqa: S101 (it was suspicious)
    if again is None:  # the time was spent, or processes died
        return True
    return (again.ratio > 1) == (anchors.ratio > 1) and is_suspicious(again, rule)
