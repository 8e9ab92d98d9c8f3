"""From both looks to one word per case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gconvbench.gate.decide import holm
from gconvbench.gate.judgement import FEWEST, CaseVerdict, Word

if TYPE_CHECKING:
    from gconvbench.gate.decide import Decided
    from gconvbench.gate.judgement import Problem, SuiteShift
    from gconvbench.gate.processes import Floats, Indices, Processes
    from gconvbench.gate.screen import Screen

__all__ = ["detectable", "verdicts"]

_Z_95 = 1.96
_BUDGET = "the budget did not suffice for more"
_ENOUGH = "so many do that not all are looked at again"


def verdicts(  # noqa: PLR0913 (all that is known)
    first: Processes,
    screened: Screen,
    decided: Decided,
    problem: Problem,
    suite: SuiteShift | None,
    *,
    can_measure: bool,
) -> tuple[CaseVerdict, ...]:
    """One per case: of suspects by fresh processes, of the others by the first look."""
    words = _words(first, screened, decided, problem, can_measure=can_measure)
    is_slower = suite is not None and suite.confirmed and suite.ratio > 1
    is_more = screened.shift[: problem.cases] > np.log1p(problem.minimum)
    for row in np.flatnonzero(is_more).tolist():
        if words[row] != ("unchanged", "") or row in decided.estimates:
            continue
        if is_slower:
            words[row] = ("slower_with_suite", "")
        elif row in decided.slower_left_out:
            words[row] = ("not_reached", f"looks slower; {_ENOUGH}")
    half = _Z_95 * screened.standard_error
    sizes = np.stack([_counted(first.baseline), _counted(first.contender)], axis=1)
    half = np.where(sizes.min(axis=1) < FEWEST, np.nan, half)
    ends = np.exp(np.stack([screened.shift, screened.shift - half, screened.shift + half], axis=1))
    looked = zip(words, ends.tolist(), sizes.tolist(), strict=False)
    return tuple(
        _decided_verdict(word, *decided.estimates[row])
        if row in decided.estimates
        else CaseVerdict(word[0], ratio, low, high, None, (size[0], size[1]), word[1])
        for row, (word, (ratio, low, high), size) in enumerate(looked)
    )


def _words(
    first: Processes, screened: Screen, decided: Decided, problem: Problem, *, can_measure: bool
) -> list[tuple[Word, str]]:
    words: list[tuple[Word, str]] = [("unchanged", "")] * problem.cases
    believed = -np.log(problem.rule.believed)
    if not can_measure:
        words = _screened_words(screened, problem, "stored data can only screen")
    for rows, why in ((decided.faster_not_reached, _BUDGET), (decided.faster_left_out, _ENOUGH)):
        first_look = _screened_words(screened, problem, why) if rows else []
        for row in rows:
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
        word if count >= FEWEST else lacking for word, count in zip(words, fewest, strict=False)
    ]


def _screened_words(screened: Screen, problem: Problem, why: str) -> list[tuple[Word, str]]:
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


def detectable(first: Processes, screened: Screen, problem: Problem) -> Floats:
    """The slowdown that passes both looks with 95 % power, by the normal approximation.

    Of the first look it must exceed the critical value, of the last one the minimum effect and the
    critical value of as many suspects as there usually are, by 1.645 standard errors each.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 (slow to import)
    from scipy.stats import norm  # noqa: PLC0415

    rule = problem.rule
    error = screened.standard_error[: problem.cases]
    n, m = first.sizes
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
    fewest = np.minimum(_counted(first.baseline), _counted(first.contender))[: problem.cases]
    return np.where(fewest < FEWEST, np.nan, found)
