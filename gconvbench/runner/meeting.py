"""Two sides whose jobs are paired: measured in one session, and concluded in one document."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import msgspec
import numpy as np

from gconvbench.comparing import Pair, Row, findings_of, job_verdicts, with_judgement
from gconvbench.records import Comparison, Finding, Plan, PlannedCase, SideFacts
from gconvbench.runner.gating import Session, TimeBudget
from gconvbench.runner.slots import Asked, MeasuredSide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gconvbench.gate import Judgement, Rule
    from gconvbench.gate.processes import Budget, Floats, SideName
    from gconvbench.records import Job, JobVerdict, Record
    from gconvbench.runner.question import Question

__all__ = ["Meeting"]


class _How(TypedDict):
    """Keywords of `judge` and `judge_sides`."""

    anchors: int
    rule: Rule
    minimum_effect: Floats
    subtract: bool
    seed: int
    budget: Budget | None


class Meeting:
    """Two sides whose jobs are paired: from here on both kinds of gates go the same way.

    Args:
        question: what is asked.
        asked: what each side has.
        pairs: all jobs.
        tell: hears what goes on.
        start: when the gate began, by the monotonic clock.
        facts: of a side that is not what was asked.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (all that is known)
        self,
        question: Question,
        asked: Mapping[SideName, Asked],
        pairs: Sequence[Pair],
        tell: Callable[[str], object],
        start: float,
        facts: Mapping[SideName, SideFacts] | None = None,
    ) -> None:
        self._question = question
        self._asked = asked
        self._pairs = pairs
        self._tell = tell
        self._start = start
        self._facts = {name: _facts(name, asked[name], question) for name in asked}
        self._facts.update(facts or {})
        self._sides: dict[SideName, MeasuredSide] = {}
        self.modes = question.contender.method.cache_modes
        self.rows = [Row(pair, mode) for pair in pairs if not pair.kind for mode in self.modes]
        self.minimum = [
            question.minimum_effect_for(row.pair.job.case, row.pair.job.implementation)
            for row in self.rows
        ]

    def stopped(self, findings: Sequence[Finding]) -> Comparison | None:
        """The end, where there is something that forbids to measure, or nothing to measure."""
        if not self.rows:
            findings = (*findings, Finding("empty", _why_empty(self._pairs)))
        if not findings:
            return None
        jobs = job_verdicts(self._pairs, {}, {}, {}, self.modes)
        return _comparison(self._question, self._facts, jobs, findings)

    def session(self, *, anchors: Sequence[str] = ()) -> Session:
        """What measures; each side's run is started now, and what is new is proved."""
        question = self._question
        self._sides = {
            name: _measured_side(name, asked, self._pairs, question)
            for name, asked in self._asked.items()
        }
        budget = None
        if question.budget_s is not None:
            left_s = question.budget_s - (time.monotonic() - self._start)
            start_s = max(one.start_s for one in self._asked.values())
            budget = TimeBudget(left_s, start_s)
        session = Session(self._sides, self.rows, anchors=anchors, budget=budget, tell=self._tell)
        if new := [pair.job for pair in self._pairs if pair.kind == "new"]:
            session.prove(new)
        return session

    def how(self, session: Session) -> _How:
        """What `judge` and `judge_sides` are told alike."""
        return {
            "anchors": len(session.anchors),
            "rule": self._question.rule,
            "minimum_effect": np.array(self.minimum),
            "subtract": self._question.implementations is None,
            "seed": self._question.seed,
            "budget": session.budget,
        }

    def conclude(
        self,
        judgement: Judgement,
        session: Session,
        *,
        baseline: Mapping[Job, Sequence[Record]] | None = None,
        findings: Sequence[Finding] = (),
    ) -> Comparison:
        """The document.

        Args:
            judgement: of the rows.
            session: which measured.
            baseline: records of a stored run in the baseline's place.
            findings: beside those of the judgement.
        """
        for side in self._sides.values():
            side.finish()
        facts = self._facts | {
            name: _with_counts(name, self._facts[name], self._sides[name], judgement)
            for name in self._sides
            if baseline is None or name == "contender"
        }
        verdicts = {row: (judgement.cases[i], self.minimum[i]) for i, row in enumerate(self.rows)}
        before = session.records["baseline"] if baseline is None else baseline
        jobs = job_verdicts(self._pairs, verdicts, before, session.records["contender"], self.modes)
        found = _comparison(self._question, facts, jobs, (*findings, *findings_of(judgement)))
        spent_s = round(time.monotonic() - self._start, 1)
        return with_judgement(msgspec.structs.replace(found, spent_s=spent_s), judgement)


def _comparison(
    question: Question,
    facts: Mapping[SideName, SideFacts],
    jobs: Sequence[JobVerdict],
    findings: Sequence[Finding],
) -> Comparison:
    """The document without what only a judgement knows."""
    return Comparison(
        command="gate",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=question.device,
        baseline=facts["baseline"],
        contender=facts["contender"],
        jobs=tuple(jobs),
        findings=tuple(findings),
        rule={name: getattr(question.rule, name) for name in question.rule.__dataclass_fields__},
        seed=question.seed,
        budget_s=question.budget_s,
    )


def _why_empty(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return "no job was asked for"
    first = pairs[0]
    return f"{len(pairs)} job(s) asked for; the first, {first.job.implementation}: {first.kind}"


def _measured_side(
    name: SideName, asked: Asked, pairs: Sequence[Pair], question: Question
) -> MeasuredSide:
    of_side = question.side(name)
    wanted = {"", "new"} if name == "contender" else {""}
    jobs = [
        job
        for pair in pairs
        if pair.kind in wanted and (job := pair.baseline if name == "baseline" else pair.contender)
    ]
    plan = Plan(
        cases=tuple(
            PlannedCase(case, of_side.names.get(case, ""))
            for case in dict.fromkeys(job.case for job in jobs)
        ),
        implementations=tuple(dict.fromkeys(job.implementation for job in jobs)),
        rounds=question.pairs,
    )
    return MeasuredSide(
        of_side.side,
        asked.ready,
        name=name,
        plan=plan,
        method=of_side.method,
        device=question.device,
        results=question.results,
        timeout_s=question.timeout_s,
        examination=asked.examination,
    )


def _facts(name: SideName, asked: Asked, question: Question) -> SideFacts:
    of_side = question.side(name)
    under_test = asked.ready.environment.under_test
    torch = str(under_test.get("torch") or "")
    return SideFacts(
        what=of_side.side.what or f"torch {torch}",
        commit=str(under_test.get("commit") or ""),
        torch=torch,
        machine=asked.ready.machine,
    )


def _with_counts(
    name: SideName, facts: SideFacts, side: MeasuredSide, judgement: Judgement
) -> SideFacts:
    at = 0 if name == "baseline" else 1
    return msgspec.structs.replace(
        facts, run=side.run, processes=side.slots, refused=judgement.refused[at]
    )
