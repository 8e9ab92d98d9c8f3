"""From two sides' processes to a verdict per case."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from gconvbench.gate.decide import Decided, decide, holm
from gconvbench.gate.processes import Processes, common_part, gather, level
from gconvbench.gate.rule import Rule
from gconvbench.gate.screen import Screen, screen, suspects

if TYPE_CHECKING:
    from gconvbench.gate.processes import Budget, Floats, Indices, Measure

__all__ = ["CaseVerdict", "Judgement", "SuiteShift", "judge", "judge_sides"]

Word = Literal[
    "unchanged",
    "slower",
    "slower_with_suite",
    "faster",
    "implausibly_faster",
    "uncertain",
    "not_reached",
    "missing",
]
_Z_95 = 1.96
_FEWEST = 2
"""Processes per side, for a spread."""


class CaseVerdict(NamedTuple):
    """One case's end.

    Attributes:
        word: the verdict: `slower`, `faster` and `implausibly_faster` (more than the rule's
            `believed`) are confirmed by fresh processes; `unchanged`; `uncertain` was not decided;
            `slower_with_suite` was not looked at alone, but all cases are slower;
            `not_reached` is a suspect that the budget left out; `missing` lacks times.
        ratio: contender over baseline; > 1 is slower.
        low: lower end of its 95 % interval.
        high: upper end.
        p: one-sided, adjusted; None where no fresh processes were measured for it.
        processes: behind the estimate, (baseline, contender).
        why: the reason of a verdict that is none; else empty.
    """

    word: Word
    ratio: float
    low: float
    high: float
    p: float | None
    processes: tuple[int, int]
    why: str = ""


class SuiteShift(NamedTuple):
    """What all cases have in common, contender over baseline, as ratios.

    Attributes:
        ratio: > 1 is slower.
        low: lower end of the 95 % interval over processes.
        high: upper end.
        p: two-sided (Welch 1947).
        confirmed: by fresh processes of the controls; None where it was not suspicious.
        controls: how many there were.
        controls_ratio: theirs, of fresh processes; None without.
    """

    ratio: float
    low: float
    high: float
    p: float
    confirmed: bool | None = None
    controls: int = 0
    controls_ratio: float | None = None


@dataclass(frozen=True)
class Judgement:
    """What a gate found.

    Attributes:
        cases: one verdict per case, in order.
        suite: the common shift; None in a small gate.
        anchors: of the anchors; None without any.
        machine_moved: whether the anchors changed between the sides.
        enough: whether enough processes could be admitted.
        detectable: per case the smallest slowdown that is found with 95 % power, as a share; NaN
            where it cannot be told.
        processes: measured, (baseline, contender), refused ones included.
        refused: of them.
        extra: case measurements after the first look, as a share of those in it.
    """

    cases: tuple[CaseVerdict, ...]
    suite: SuiteShift | None
    anchors: SuiteShift | None
    machine_moved: bool
    enough: bool
    detectable: Floats
    processes: tuple[int, int]
    refused: tuple[int, int]
    extra: float


@dataclass
class _Problem:
    """What is asked: rows are the cases, then the anchors."""

    cases: int
    anchors: int
    rule: Rule
    rng: np.random.Generator
    subtract: bool
    minimum: Floats = field(init=False)

    @property
    def is_small(self) -> bool:
        return self.cases < self.rule.small_gate

    @property
    def case_rows(self) -> Indices:
        return np.arange(self.cases)

    @property
    def anchor_rows(self) -> Indices:
        return np.arange(self.cases, self.cases + self.anchors)

    @property
    def common_rows(self) -> Indices | None:
        """What a process's common part is read from."""
        if not self.is_small:
            return self.case_rows
        return self.anchor_rows if self.anchors else None


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
            of another shape or not above 0.
    """
    rule = rule or Rule()
    rng = np.random.default_rng(seed)
    problem = _Problem(cases, anchors, rule, rng, subtract)
    problem.minimum = _minimum(minimum_effect, problem)
    if pairs < _FEWEST:
        message = f"pairs ({pairs}) must be {_FEWEST} or more"
        raise ValueError(message)
    rows = np.arange(cases + anchors)
    first: Processes | None = None
    if budget is not None:
        first = gather(measure, rows, pairs=1, rule=rule, rng=rng)
        pairs = max(_FEWEST, budget.pairs(pairs))
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
            seconds that are not above 0, what looks like seconds where log seconds are due, or a
            minimum effect that is no share.
    """
    rule = rule or Rule()
    sides = [np.asarray(side, dtype=float) for side in (baseline, contender)]
    for side in sides:
        _refuse_shape(side)
    if len(sides[0]) != len(sides[1]) or len(sides[0]) <= anchors:
        message = f"rows ({len(sides[0])} and {len(sides[1])}) must agree and exceed {anchors}"
        raise ValueError(message)
    levels = [level(side) if side.ndim == 3 else side for side in sides]  # noqa: PLR2004
    first = Processes(np.arange(len(levels[0])), levels[0], levels[1])
    problem = _Problem(
        len(levels[0]) - anchors, anchors, rule, np.random.default_rng(seed), subtract
    )
    problem.minimum = _minimum(minimum_effect, problem)
    return _judge(first, problem, measure, budget)


def _refuse_shape(side: Floats) -> None:
    """Let pass samples in seconds, and levels in log seconds that are not seconds themselves."""
    if side.ndim not in {2, 3} or not side.size:
        message = (
            f"a side has shape {side.shape}; (cases, processes, samples) of seconds is needed, "
            "or (cases, processes) of log seconds"
        )
        raise ValueError(message)
    known = side[np.isfinite(side)]
    if side.ndim == 2 and known.size and known.min() > 0:  # noqa: PLR2004
        message = (
            "levels must be log seconds; all are above 0, which is above a second each: give "
            "seconds as (cases, processes, samples), with one sample by [..., None]"
        )
        raise ValueError(message)


def _minimum(given: Floats | float | None, problem: _Problem) -> Floats:
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
    first: Processes, problem: _Problem, measure: Measure | None, budget: Budget | None
) -> Judgement:
    rule = problem.rule
    suite = None if problem.is_small else _suite(first, problem.case_rows)
    is_suspicious = suite is not None and _is_suspicious(suite, rule)
    subtract = problem.subtract and not is_suspicious
    screened = screen(first, problem.common_rows if subtract else None, rule)
    slower, faster = suspects(screened, problem.cases, rule)
    decided = Decided([], [], [], [], [], {})
    if measure is not None and (slower.size or faster.size or is_suspicious):
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
    if suite is not None:
        suite = _confirmed(suite, decided, problem, is_suspicious=is_suspicious)
    anchors = _suite(first, problem.anchor_rows) if problem.anchors else None
    return Judgement(
        cases=_verdicts(first, screened, decided, problem, suite, can_measure=measure is not None),
        suite=suite,
        anchors=anchors,
        machine_moved=_anchors_moved(anchors, problem, measure),
        enough=first.enough and decided.enough,
        detectable=_detectable(first, screened, problem),
        processes=_plus(_plus(_sizes(first), first.refused), decided.processes),
        refused=_plus(first.refused, decided.refused),
        extra=decided.measured / (first.rows.size * sum(_sizes(first))),
    )


def _suite(found: Processes, rows: Indices) -> SuiteShift | None:
    """Welch's test over processes of what these rows have in common."""
    n = found.baseline.shape[1]
    y = np.concatenate([found.baseline[rows], found.contender[rows]], axis=1)
    common = common_part(y)
    return _welch(common[:n], common[n:])


def _welch(baseline: Floats, contender: Floats) -> SuiteShift | None:
    from scipy.stats import ttest_ind  # noqa: PLC0415 (slow to import)

    baseline, contender = baseline[~np.isnan(baseline)], contender[~np.isnan(contender)]
    if min(baseline.size, contender.size) < _FEWEST:
        return None
    shift = float(contender.mean() - baseline.mean())
    if not np.ptp(baseline) and not np.ptp(contender):
        return _suite_shift(shift, shift, shift, float(shift == 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of values that are nearly equal
        found = ttest_ind(contender, baseline, equal_var=False)
    interval = found.confidence_interval(0.95)
    return _suite_shift(shift, interval.low, interval.high, float(found.pvalue))


def _suite_shift(shift: float, low: float, high: float, p: float) -> SuiteShift:
    ratio, lower, upper = np.exp([shift, low, high]).tolist()
    return SuiteShift(ratio, lower, upper, p)


def _is_suspicious(found: SuiteShift | None, rule: Rule) -> bool:
    if found is None:
        return False
    is_large = abs(math.log(found.ratio)) > math.log1p(rule.suite_shift)
    return is_large and found.p < rule.suite_p


def _controls(problem: _Problem, slower: Indices, faster: Indices) -> Indices:
    """Cases drawn from those that are no suspects; in a small gate the anchors."""
    if problem.is_small:
        return problem.anchor_rows
    calm = np.setdiff1d(problem.case_rows, np.concatenate([slower, faster]))
    return np.sort(problem.rng.permutation(calm)[: problem.rule.controls])


def _confirmed(
    suite: SuiteShift, decided: Decided, problem: _Problem, *, is_suspicious: bool
) -> SuiteShift:
    """The first look's shift, and what the controls' fresh processes say of it."""
    if decided.controls is None:
        return suite
    again = _suite(decided.controls, np.arange(decided.controls.rows.size))
    if again is None:
        return suite
    agrees = (again.ratio > 1) == (suite.ratio > 1) and _is_suspicious(again, problem.rule)
    return suite._replace(
        confirmed=agrees if is_suspicious else None,
        controls=int(decided.controls.rows.size),
        controls_ratio=again.ratio,
    )


def _anchors_moved(anchors: SuiteShift | None, problem: _Problem, measure: Measure | None) -> bool:
    """Whether the anchors changed between the sides, asked twice where that is possible."""
    if not _is_suspicious(anchors, problem.rule):
        return False
    if measure is None:
        return True
    rule, rows = problem.rule, problem.anchor_rows
    again = _suite(
        gather(measure, rows, pairs=rule.looks[0], rule=rule, rng=problem.rng),
        np.arange(rows.size),
    )
    assert anchors is not None  # noqa: S101 (it was suspicious)
    if again is None:  # the time was spent, or processes died
        return True
    return (again.ratio > 1) == (anchors.ratio > 1) and _is_suspicious(again, rule)


def _verdicts(  # noqa: PLR0913 (all that is known)
    first: Processes,
    screened: Screen,
    decided: Decided,
    problem: _Problem,
    suite: SuiteShift | None,
    *,
    can_measure: bool,
) -> tuple[CaseVerdict, ...]:
    words = _words(first, screened, decided, problem, can_measure=can_measure)
    if suite is not None and suite.confirmed and suite.ratio > 1:
        for row in np.flatnonzero(screened.shift[: problem.cases] > np.log1p(problem.minimum)):
            if words[row] == ("unchanged", "") and row not in decided.estimates:
                words[row] = ("slower_with_suite", "")
    half = _Z_95 * screened.standard_error
    ends = np.exp(np.stack([screened.shift, screened.shift - half, screened.shift + half], axis=1))
    sizes = np.stack([_counted(first.baseline), _counted(first.contender)], axis=1)
    looked = zip(words, ends.tolist(), sizes.tolist(), strict=False)
    return tuple(
        _decided_verdict(word, *decided.estimates[row])
        if row in decided.estimates
        else CaseVerdict(word[0], ratio, low, high, None, (size[0], size[1]), word[1])
        for row, (word, (ratio, low, high), size) in enumerate(looked)
    )


def _words(
    first: Processes, screened: Screen, decided: Decided, problem: _Problem, *, can_measure: bool
) -> list[tuple[Word, str]]:
    words: list[tuple[Word, str]] = [("unchanged", "")] * problem.cases
    believed = -np.log(problem.rule.believed)
    if not can_measure:
        words = _screened_words(screened, problem, "stored data can only screen")
    if decided.faster_not_reached:
        first_look = _screened_words(screened, problem, "the budget did not suffice for more")
    for row in decided.faster_not_reached:
        is_sure = first_look[row][0] in {"faster", "implausibly_faster"}
        words[row] = first_look[row] if is_sure else ("unchanged", "not looked at again")
    for row in decided.slower:
        words[row] = ("slower", "")
    for row in decided.faster:
        is_believed = decided.estimates[row][0] > believed
        words[row] = ("faster" if is_believed else "implausibly_faster", "")
    for row in decided.open:
        words[row] = ("uncertain", "open after the last look")
    for row in decided.not_reached:
        words[row] = ("not_reached", "the budget did not suffice to look at it again")
    lacking: tuple[Word, str] = ("missing", "fewer than two processes of a side have a time")
    fewest = np.minimum(_counted(first.baseline), _counted(first.contender)).tolist()
    return [
        word if count >= _FEWEST else lacking for word, count in zip(words, fewest, strict=False)
    ]


def _screened_words(screened: Screen, problem: _Problem, why: str) -> list[tuple[Word, str]]:
    """What can be said at most where nothing can be measured again, and why that is so."""
    shift, p = screened.shift[: problem.cases], screened.p_slower[: problem.cases]
    is_sure = holm(p, problem.cases, problem.rule.stored_p) & (shift > np.log1p(problem.minimum))
    p_faster = screened.p_faster[: problem.cases]
    is_faster = holm(p_faster, problem.cases, problem.rule.stored_p)
    is_faster &= -shift > np.log1p(problem.minimum)
    is_unbelievable = shift < -np.log(problem.rule.believed)
    words: list[tuple[Word, str]] = [("unchanged", "")] * problem.cases
    for row in range(problem.cases):
        if is_unbelievable[row]:
            words[row] = ("implausibly_faster", f"in the first look; {why}")
        elif is_sure[row]:
            words[row] = ("uncertain", f"looks slower; {why}")
        elif is_faster[row]:
            words[row] = ("faster", f"looks faster; {why}")
    return words


def _counted(levels: Floats) -> Indices:
    """How many processes have a time, shape (rows,)."""
    return (~np.isnan(levels)).sum(axis=1)


def _decided_verdict(  # noqa: PLR0913, PLR0917 (an estimate's fields)
    word: tuple[Word, str], shift: float, low: float, high: float, p: float, n: int, m: int
) -> CaseVerdict:
    ratio, lower, upper = np.exp([shift, low, high]).tolist()
    return CaseVerdict(word[0], ratio, lower, upper, p, (n, m), word[1])


def _detectable(first: Processes, screened: Screen, problem: _Problem) -> Floats:
    """The slowdown that passes both looks with 95 % power, by the normal approximation.

    Of the first look it must exceed the critical value, of the last one the minimum effect and the
    critical value of as many suspects as there usually are, by 1.645 standard errors each.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 (slow to import)
    from scipy.stats import norm  # noqa: PLC0415

    rule = problem.rule
    error = screened.standard_error[: problem.cases]
    n, m = _sizes(first)
    sd = error / np.sqrt(rule.variance_of_medians * (1 / n + 1 / m))
    last_error = sd * np.sqrt(np.pi / 3 * 2 / rule.looks[-1])
    family = max(1, round(rule.suspect_p * problem.cases))
    critical = float(norm.isf(rule.alphas[-1] / family))
    power = float(norm.ppf(0.95))
    first_look = np.maximum(
        -stdtrit(min(screened.degrees, 1e6), rule.suspect_p) * error, np.log1p(rule.suspect_shift)
    )
    last_look = np.maximum(critical * last_error, np.log1p(problem.minimum))
    found = np.expm1(np.maximum(first_look + power * error, last_look + power * last_error))
    return np.where(np.isfinite(screened.shift[: problem.cases]), found, np.nan)


def _sizes(found: Processes) -> tuple[int, int]:
    return found.baseline.shape[1], found.contender.shape[1]


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
