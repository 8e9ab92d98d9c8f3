"""From two sides' processes to a verdict per case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gconvbench.gate.decide import Decided, decide
from gconvbench.gate.judgement import FEWEST, Judgement, Problem
from gconvbench.gate.processes import Processes, checked_levels, gather, level
from gconvbench.gate.rule import Rule
from gconvbench.gate.screen import screen, suspects
from gconvbench.gate.suite import anchors_moved, confirmed, is_suspicious, suite_shift
from gconvbench.gate.verdicts import detectable, verdicts

if TYPE_CHECKING:
    from gconvbench.gate.processes import Budget, Floats, Indices, Measure

__all__ = ["judge", "judge_sides"]


def judge_sides(  # noqa: PLR0913 (keyword-only, one per choice)
    measure: Measure,
    cases: int,
    *,
    pairs: int = 3,
    anchors: int = 0,
    rule: Rule | None = None,
    minimum_effect: Floats | float | None = None,
    subtract: bool = True,
    seed: int = 0,
    budget: Budget | None = None,
) -> Judgement:
    """Measure both sides and judge: the first look, and whatever it makes necessary.

    Args:
        measure: `measure(side, rows)` starts one fresh process of `"baseline"` or `"contender"`,
            measures these rows, and returns samples in seconds, shape (len(rows), samples). Rows
            up to `cases` are cases, those behind are anchors. NaN is what could not be measured.
        cases: how many.
        pairs: processes per side in the first look, 2 or more.
        anchors: how many rows are work that does not run the code under test.
        rule: the constants.
        minimum_effect: the smallest slowdown that counts, as a share, for all or per case.
        subtract: False where the sides are two ways of computing the same: then nothing that cases
            have in common is taken off.
        seed: of coins and controls.
        budget: what there is time for; None is all.

    Raises:
        ValueError: fewer than one case or two pairs, a minimum effect that is no share, or samples
            of another shape or that are no durations.
    """
    rule = rule or Rule()
    rng = np.random.default_rng(seed)
    problem = Problem(cases, anchors, rule, rng, subtract)
    problem.minimum = _minimum(minimum_effect, problem)
    if pairs < FEWEST:
        message = f"pairs ({pairs}) must be {FEWEST} or more"
        raise ValueError(message)
    rows = np.arange(cases + anchors)
    first: Processes | None = None
    if budget is not None:
        first = gather(measure, rows, pairs=1, rule=rule, rng=rng)
        pairs = max(FEWEST, budget.pairs(pairs))
    first = gather(measure, rows, pairs=pairs, rule=rule, rng=rng, before=first)
    return _judge(first, problem, measure, budget)


def judge(  # noqa: PLR0913 (keyword-only, one per choice)
    baseline: Floats,
    contender: Floats,
    measure: Measure | None = None,
    *,
    anchors: int = 0,
    rule: Rule | None = None,
    minimum_effect: Floats | float | None = None,
    subtract: bool = True,
    seed: int = 0,
    budget: Budget | None = None,
) -> Judgement:
    """Judge measurements that are there already; suspects are measured again if that is possible.

    Without `measure` data can only screen: what looks slower beyond doubt is `uncertain`.

    Args:
        baseline: samples in seconds, shape (cases + anchors, processes, samples), or levels in log
            seconds, shape (cases + anchors, processes); NaN is not measured.
        contender: likewise; processes and samples may be more or fewer.
        measure: as of `judge_sides`.
        anchors: how many of the last rows are anchors.
        rule: the constants.
        minimum_effect: the smallest slowdown that counts, as a share, for all or per case.
        subtract: as of `judge_sides`.
        seed: of coins and controls.
        budget: as of `judge_sides`.

    Raises:
        ValueError: the two have different numbers of rows, or none beside anchors; another shape,
            seconds that are no duration, what looks like seconds where log seconds are due, or a
            minimum effect that is no share.
    """
    rule = rule or Rule()
    levels = [_levels(np.asarray(side, dtype=float)) for side in (baseline, contender)]
    rows = len(levels[0])
    if rows != len(levels[1]) or rows <= anchors:
        message = f"rows ({rows} and {len(levels[1])}) must agree and exceed {anchors}"
        raise ValueError(message)
    first = Processes(np.arange(rows), levels[0], levels[1])
    problem = Problem(rows - anchors, anchors, rule, np.random.default_rng(seed), subtract)
    problem.minimum = _minimum(minimum_effect, problem)
    return _judge(first, problem, measure, budget)


def _levels(side: Floats) -> Floats:
    """Of samples in seconds, or of levels in log seconds that are not seconds themselves."""
    if side.ndim not in {2, 3} or not side.size:
        message = (
            f"a side has shape {side.shape}; (cases, processes, samples) of seconds is needed, "
            "or (cases, processes) of log seconds"
        )
        raise ValueError(message)
    if side.ndim == 3:  # noqa: PLR2004
        return level(side)
    known = side[np.isfinite(side)]
    if known.size and known.min() > 0:
        message = (
            "levels must be log seconds; all are above 0, which is above a second each: give "
            "seconds as (cases, processes, samples), with one sample by [..., None]"
        )
        raise ValueError(message)
    return checked_levels(side)


def _minimum(given: Floats | float | None, problem: Problem) -> Floats:
    if problem.cases < 1 or problem.anchors < 0:
        message = f"cases ({problem.cases}) must be 1 or more, anchors ({problem.anchors}) 0"
        raise ValueError(message)
    value = np.asarray(problem.rule.minimum_effect if given is None else given, dtype=float)
    if value.shape not in {(), (problem.cases,)} or not ((value >= 0) & np.isfinite(value)).all():
        message = (
            f"minimum_effect ({np.array2string(value, threshold=4)}) must be a share from 0, "
            f"for all or for each of the {problem.cases} cases"
        )
        raise ValueError(message)
    return np.broadcast_to(value, problem.cases)


def _judge(
    first: Processes, problem: Problem, measure: Measure | None, budget: Budget | None
) -> Judgement:
    rule = problem.rule
    suite = None if problem.is_small else suite_shift(first, problem.case_rows)
    has_moved = is_suspicious(suite, rule)
    subtract = problem.subtract and not has_moved
    screened = screen(first, problem.common_rows if subtract else None, rule)
    within = screen(first, problem.common_rows, rule) if has_moved else None
    suspected = suspects(screened, problem.cases, rule, within)
    slower, faster = suspected.slower, suspected.faster
    decided = Decided([], [], [], [], [], {})
    if measure is not None and (slower.size or faster.size or has_moved):
        decided = decide(
            measure,
            slower,
            faster,
            _controls(problem, slower, faster),
            minimum=problem.minimum,
            rule=rule,
            rng=problem.rng,
            subtract=subtract,
            budget=budget,
        )
        if set(decided.slower) & set(suspected.with_suite.tolist()):
            decided.slower_left_out = suspected.slower_left_out.tolist()
        decided.faster_left_out = suspected.faster_left_out.tolist()
    if suite is not None:
        suite = confirmed(suite, decided, problem, has_moved=has_moved)
    anchors = suite_shift(first, problem.anchor_rows) if problem.anchors else None
    return Judgement(
        cases=verdicts(first, screened, decided, problem, suite, can_measure=measure is not None),
        suite=suite,
        anchors=anchors,
        machine_moved=anchors_moved(anchors, problem, measure),
        enough=first.enough and decided.enough,
        detectable=detectable(first, screened, problem),
        processes=_plus(_plus(first.sizes, first.refused), decided.processes),
        refused=_plus(first.refused, decided.refused),
        extra=decided.measured / (first.rows.size * sum(first.sizes)),
    )


def _controls(problem: Problem, slower: Indices, faster: Indices) -> Indices:
    """Cases drawn from those that are no suspects; in a small gate the anchors."""
    if problem.is_small:
        return problem.anchor_rows
    calm = np.setdiff1d(problem.case_rows, np.concatenate([slower, faster]))
    return np.sort(problem.rng.permutation(calm)[: problem.rule.controls])


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
