"""What a gate is asked, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from gconvbench.gate.processes import Floats, Indices
    from gconvbench.gate.rule import Rule

__all__ = ["FEWEST", "CaseVerdict", "Judgement", "Problem", "SuiteShift", "Word"]

FEWEST = 2
"""Processes per side, for a spread."""
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


class CaseVerdict(NamedTuple):
    """One case's end.

    Attributes:
        word: the verdict: `slower`, `faster` and `implausibly_faster` (more than the rule's
            `believed`) are confirmed by fresh processes; `unchanged`; `uncertain` was not decided;
            `slower_with_suite` was not looked at alone, but all cases are slower;
            `not_reached` is a suspect that the budget left out; `missing` lacks times.
        ratio: contender over baseline; > 1 is slower.
        low: lower end of its 95 % interval; NaN where a side has fewer than two processes.
        high: upper end, likewise.
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
class Problem:
    """What is asked: rows are the cases, then the anchors."""

    cases: int
    anchors: int
    rule: Rule
    rng: np.random.Generator
    subtract: bool
    minimum: Floats = field(init=False)

    @property
    def is_small(self) -> bool:
        """Whether their median would carry the very change that is looked for."""
        return self.cases < self.rule.small_gate

    @property
    def case_rows(self) -> Indices:
        """What is judged."""
        return np.arange(self.cases)

    @property
    def anchor_rows(self) -> Indices:
        """What does not run the code under test."""
        return np.arange(self.cases, self.cases + self.anchors)

    @property
    def common_rows(self) -> Indices | None:
        """What a process's common part is read from."""
        if not self.is_small:
            return self.case_rows
        return self.anchor_rows if self.anchors else None
