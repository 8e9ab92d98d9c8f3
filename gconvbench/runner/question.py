"""What a gate is asked: two sides, what each is to measure, and how to judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.gate import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gconvbench.gate.processes import SideName
    from gconvbench.protocol import Ready
    from gconvbench.records import Job, Method
    from gconvbench.runner.side import Side
    from gconvbench.store import Run

__all__ = ["Question", "QuestionSide", "Stored"]


class Stored(NamedTuple):
    """A stored run in the baseline's place: it screens, fresh processes of both sides decide.

    Attributes:
        run: the run.
        why_not: why its side cannot be measured again; empty where it can.
        sweeps: those that are asked for as a whole.
    """

    run: Run
    why_not: str = ""
    sweeps: tuple[str, ...] = ()


class QuestionSide(NamedTuple):
    """One side as it is asked about.

    Attributes:
        side: where its code comes from.
        method: how it is measured.
        jobs_of: what it is asked to do, given what it has.
        names: per case id the layer's name.
        words: the implementations as they were asked for: names, patterns, `default`, `all`.
    """

    side: Side
    method: Method
    jobs_of: Callable[[Ready], tuple[Job, ...]]
    names: Mapping[str, str]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a gate is asked.

    Attributes:
        baseline: the older side.
        contender: the newer side.
        device: on which.
        pairs: processes per side in the first look.
        results: where the runs are stored.
        minimum_effect_for: per case id and implementation.
        timeout_s: until a job counts as hung.
        seed: of orders and controls.
        budget_s: wall time for all; None without.
        is_about_code: whether the sides are checkouts.
        is_about_interpreters: whether torch may differ.
        implementations: the baseline's and the contender's, where it is these that are compared.
        declared: fields of the environment's identity in which the sides are meant to differ.
        rule: the constants of the decision.
    """

    baseline: QuestionSide
    contender: QuestionSide
    device: str
    pairs: int
    results: Path
    minimum_effect_for: Callable[[str, str], float]
    timeout_s: float
    seed: int = 0
    budget_s: float | None = None
    is_about_code: bool = False
    is_about_interpreters: bool = False
    implementations: tuple[str, str] | None = None
    declared: frozenset[str] = frozenset()
    rule: Rule = field(default_factory=Rule)

    def side(self, name: SideName) -> QuestionSide:
        """One of the two."""
        return self.baseline if name == "baseline" else self.contender
