"""Both sides of a gate, from the question to what was found."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

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
from gconvbench.errors import UsageError
from gconvbench.gate import Rule, judge_sides
from gconvbench.records import Comparison, Finding, Plan, PlannedCase, SideFacts
from gconvbench.runner.gating import Session, TimeBudget
from gconvbench.runner.slots import Asked, MeasuredSide, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from gconvbench.gate import Judgement
    from gconvbench.gate.processes import SideName
    from gconvbench.protocol import Ready
    from gconvbench.records import Job, JobVerdict, Method
    from gconvbench.runner.side import Side

__all__ = ["Question", "QuestionSide", "confront"]

_COPIES = ("memmove_64KiB", "memmove_256KiB", "memmove_1MiB", "memmove_4MiB")
_ANCHORS = (*_COPIES, "sha256", "pbkdf2", "crc32", "deflate")
"""Names of `gconvbench.anchors`, which this process cannot import beside torch."""


class QuestionSide(NamedTuple):
    """One side as it is asked about.

    Attributes:
        side: where its code comes from.
        method: how it is measured.
        jobs_of: what it is asked to do, given what it has.
        names: per case id the layer's name.
    """

    side: Side
    method: Method
    jobs_of: Callable[[Ready], tuple[Job, ...]]
    names: Mapping[str, str]


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


def confront(question: Question, *, tell: Callable[[str], object] = str) -> Comparison:
    """Measure both sides in interleaved fresh processes, and judge.

    Raises:
        UsageError: a side cannot be asked, or its code cannot be told from what is installed.
        NotMeasuredError: a worker does not start, or nothing can be stored.
    """
    start = time.monotonic()
    tell("asking both sides what they have")
    asked: dict[SideName, Asked] = {
        "baseline": _ask(question.baseline, question),
        "contender": _ask(question.contender, question),
    }
    _refuse_unknown(asked)
    if question.is_about_code:
        asked = _under_test(asked)
    pairs = pair_up(
        Offer(asked["baseline"].reasons, question.baseline.names),
        Offer(asked["contender"].reasons, question.contender.names),
        implementations=question.implementations,
    )
    facts = {name: _facts(name, asked[name], question) for name in asked}
    stopping = other_environment(
        asked["baseline"].ready.environment,
        asked["contender"].ready.environment,
        declared=question.declared,
        is_about_interpreters=question.is_about_interpreters,
    )
    measurable = [pair for pair in pairs if not pair.kind]
    if not measurable:
        stopping = (*stopping, Finding("empty", _why_empty(pairs)))
    if stopping:
        return _comparison(question, facts, job_verdicts(pairs, {}, {}, {}, ("hot",)), stopping)
    budget = None
    if question.budget_s is not None:
        left_s = question.budget_s - (time.monotonic() - start)
        start_s = max(one.start_s for one in asked.values())
        budget = TimeBudget(left_s, start_s)
    found = _measured(question, asked, facts, pairs, budget, tell)
    return msgspec.structs.replace(found, spent_s=round(time.monotonic() - start, 1))


def _measured(  # noqa: PLR0913, PLR0917 (all that is known)
    question: Question,
    asked: Mapping[SideName, Asked],
    facts: dict[SideName, SideFacts],
    pairs: Sequence[Pair],
    budget: TimeBudget | None,
    tell: Callable[[str], object],
) -> Comparison:
    sides = {name: _measured_side(name, asked[name], pairs, question) for name in asked}
    modes = question.contender.method.cache_modes
    rows = [Row(pair, mode) for pair in pairs if not pair.kind for mode in modes]
    anchors = _anchors(question)
    session = Session(sides, rows, anchors=anchors, budget=budget, tell=tell)
    minimum = [
        question.minimum_effect_for(row.pair.job.case, row.pair.job.implementation) for row in rows
    ]
    judgement = judge_sides(
        session.measure,
        len(rows),
        pairs=question.pairs,
        anchors=len(anchors),
        rule=question.rule,
        minimum_effect=np.array(minimum),
        subtract=question.implementations is None,
        seed=question.seed,
        budget=budget,
    )
    for side in sides.values():
        side.finish()
    facts = {name: _with_counts(name, facts[name], sides[name], judgement) for name in sides}
    verdicts = {row: (judgement.cases[i], minimum[i]) for i, row in enumerate(rows)}
    jobs = job_verdicts(
        pairs, verdicts, session.records["baseline"], session.records["contender"], modes
    )
    found = _comparison(question, facts, jobs, findings_of(judgement))
    return with_judgement(found, judgement)


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


def _ask(asked: QuestionSide, question: Question) -> Asked:
    return ask(asked.side, question.device, asked.method, asked.jobs_of)


def _refuse_unknown(asked: Mapping[SideName, Asked]) -> None:
    """Let pass what at least one side has something of.

    Raises:
        UsageError: none of the implementations asked for is known to either side.
    """
    if not any(found.reasons for found in asked.values()):
        known = {one.name for found in asked.values() for one in found.ready.implementations}
        message = f"neither side has what --implementation names; known: {', '.join(sorted(known))}"
        raise UsageError(message)


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


def _anchors(question: Question) -> tuple[str, ...]:
    """On a GPU there are none yet: what runs on the host says nothing of the card."""
    if question.device != "cpu":
        return ()
    return _COPIES if question.is_about_interpreters else _ANCHORS


def _measured_side(
    name: SideName, asked: Asked, pairs: Sequence[Pair], question: Question
) -> MeasuredSide:
    of_side = question.baseline if name == "baseline" else question.contender
    jobs = [
        job
        for pair in pairs
        if not pair.kind and (job := pair.baseline if name == "baseline" else pair.contender)
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
