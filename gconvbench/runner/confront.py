"""Both sides of a gate, from the question to what was found."""

from __future__ import annotations

import fnmatch
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import msgspec
import numpy as np

from gconvbench.comparing import (
    Offer,
    Pair,
    Row,
    findings_of,
    job_verdicts,
    other_environment,
    pair_up,
    with_judgement,
)
from gconvbench.errors import UsageError, refused_name
from gconvbench.gate import judge_sides
from gconvbench.planning import ALL, DEFAULT
from gconvbench.records import Comparison, Finding, Plan, PlannedCase, SideFacts
from gconvbench.runner.gating import Session, TimeBudget
from gconvbench.runner.slots import Asked, MeasuredSide, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gconvbench.gate import Judgement, Rule
    from gconvbench.gate.processes import Budget, Floats, SideName
    from gconvbench.records import Job, JobVerdict, Record
    from gconvbench.runner.question import Question, QuestionSide

__all__ = ["Meeting", "anchors_of", "confront", "offer_of_side", "refuse_unknown", "unusable"]

_SIDES: tuple[SideName, ...] = ("baseline", "contender")

_COPIES = ("memmove_64KiB", "memmove_256KiB", "memmove_1MiB", "memmove_4MiB")
_ANCHORS = (*_COPIES, "sha256", "pbkdf2", "crc32", "deflate")
"""Names of `gconvbench.anchors`, which this process cannot import beside torch."""


class _How(TypedDict):
    """Keywords of `judge` and `judge_sides`."""

    anchors: int
    rule: Rule
    minimum_effect: Floats
    subtract: bool
    seed: int
    budget: Budget | None


def confront(question: Question, *, tell: Callable[[str], object] = str) -> Comparison:
    """Measure both sides in interleaved fresh processes, and judge.

    Raises:
        UsageError: a side cannot be asked, or its code cannot be told from what is installed.
        NotMeasuredError: a worker does not start, or nothing can be stored.
    """
    start = time.monotonic()
    tell("asking both sides what they have")
    asked = {name: _ask(name, question) for name in _SIDES}
    refuse_unknown(question, asked)
    if question.is_about_code:
        asked = _under_test(asked)
    stopping = other_environment(
        asked["baseline"].ready.environment,
        asked["contender"].ready.environment,
        declared=question.declared,
        is_about_interpreters=question.is_about_interpreters,
    )
    pairs = pair_up(
        offer_of_side(asked["baseline"], question.baseline),
        offer_of_side(asked["contender"], question.contender),
        implementations=question.implementations,
    )
    meeting = Meeting(question, asked, pairs, tell, start)
    if found := meeting.stopped(stopping):
        return found
    session = meeting.session(anchors=anchors_of(question))
    judgement = judge_sides(
        session.measure, len(meeting.rows), pairs=question.pairs, **meeting.how(session)
    )
    return meeting.conclude(judgement, session, findings=unusable(asked))


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


def _ask(name: SideName, question: Question) -> Asked:
    of_side = question.baseline if name == "baseline" else question.contender
    return ask(of_side.side, question.device, of_side.method, of_side.jobs_of)


def offer_of_side(asked: Asked, side: QuestionSide) -> Offer:
    """What a side has to pair up, and what is wrong with the rest."""
    problems = {one.name: one.problem for one in asked.ready.implementations if one.problem}
    return Offer(asked.reasons, side.names, problems)


def refuse_unknown(
    question: Question, asked: Mapping[SideName, Asked], stored: Iterable[str] = ()
) -> None:
    """Let pass what at least one side has of each word.

    Args:
        question: which implementations are asked for.
        asked: what the sides have.
        stored: names in a stored run that stands for a side.

    Raises:
        UsageError: an implementation asked for is known to no side, or can be used on none.
    """
    described = [one for found in asked.values() for one in found.ready.implementations]
    usable = {one.name for one in described if not one.problem} | set(stored)
    for word in (*question.baseline.words, *question.contender.words):
        if word in {ALL, DEFAULT} or fnmatch.filter(usable, word):
            continue
        if problem := next((one.problem for one in described if one.name == word), ""):
            message = f"implementation {word!r} cannot be used on any side: {problem}"
            raise UsageError(message)
        refused = refused_name("implementation", word, [*sorted(usable), DEFAULT, ALL])
        message = f"no side has what --implementation names: {refused}"
        raise UsageError(message)


def unusable(asked: Mapping[SideName, Asked]) -> list[Finding]:
    """A warning for each implementation that has a problem on every side: nothing measures it."""
    by_side = [
        {one.name: one.problem for one in found.ready.implementations if one.problem}
        for found in asked.values()
    ]
    names = sorted(set.intersection(*map(set, by_side)))
    return [
        Finding("soft_difference", f"{name} was not measured: {by_side[-1][name]}")
        for name in names
    ]


def _under_test(asked: Mapping[SideName, Asked]) -> dict[SideName, Asked]:
    """Only what comes from a side's own checkout counts as its own.

    What is installed beside it is the same on both sides: it stays, as long as something else is
    under test. But an implementation that one checkout has and the other only finds installed is
    new or missing; to measure the installed one in its place would compare the code with itself.

    Raises:
        UsageError: no implementation at all comes from a checkout.
    """
    own = {
        name: {one.name for one in found.ready.implementations if one.is_under_test}
        for name, found in asked.items()
    }
    used = {name: {job.implementation for job in found.reasons} for name, found in asked.items()}
    if not any(own[name] & used[name] for name in asked):
        names = ", ".join(sorted(set().union(*used.values())))
        message = (
            f"no measured implementation ({names}) comes from the checkouts, so that both sides "
            "would be the same code; measure one that does, or say with code_paths where it is"
        )
        raise UsageError(message)
    either = own["baseline"] | own["contender"]
    return {
        name: found._replace(
            reasons={
                job: reason
                for job, reason in found.reasons.items()
                if job.implementation in own[name] or job.implementation not in either
            }
        )
        for name, found in asked.items()
    }


def _why_empty(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return "no job was asked for"
    first = pairs[0]
    return f"{len(pairs)} job(s) asked for; the first, {first.job.implementation}: {first.kind}"


def anchors_of(question: Question) -> tuple[str, ...]:
    """On a GPU there are none yet: what runs on the host says nothing of the card."""
    if question.device != "cpu":
        return ()
    return _COPIES if question.is_about_interpreters else _ANCHORS


def _measured_side(
    name: SideName, asked: Asked, pairs: Sequence[Pair], question: Question
) -> MeasuredSide:
    of_side = question.baseline if name == "baseline" else question.contender
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
    )


def _facts(name: SideName, asked: Asked, question: Question) -> SideFacts:
    of_side = question.baseline if name == "baseline" else question.contender
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
