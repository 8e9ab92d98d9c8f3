"""A gate whose baseline is a stored run: it can screen, and no more."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING

import numpy as np

from gconvbench.comparing import (
    Offer,
    facts_of,
    offer_of,
    other_environment,
    other_method,
    pair_up,
    records_by_job,
    times_of,
)
from gconvbench.gate import judge
from gconvbench.planning import ALL, DEFAULT
from gconvbench.records import Finding
from gconvbench.runner.confront import offer_of_side, refuse_unknown, unusable
from gconvbench.runner.meeting import Meeting
from gconvbench.runner.slots import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.gate.processes import SideName
    from gconvbench.records import Comparison
    from gconvbench.runner.question import Question, Stored
    from gconvbench.runner.slots import Asked

__all__ = ["confront_stored"]


def confront_stored(
    question: Question, stored: Stored, *, tell: Callable[[str], object] = str
) -> Comparison:
    """Hold the contender's fresh processes against a stored run's; suspects are measured again.

    Only where both sides can be measured again is anything called slower: between two sessions of
    one machine the same code differs by per cents.

    Raises:
        UsageError: the contender cannot be asked.
        NotMeasuredError: a worker does not start, or nothing can be stored.
    """
    start = time.monotonic()
    asked: dict[SideName, Asked] = {}
    of_contender = question.contender
    asked["contender"] = ask(
        of_contender.side, question.device, of_contender.method, of_contender.jobs_of
    )
    if not stored.why_not:
        older = question.baseline
        asked["baseline"] = ask(older.side, question.device, older.method, older.jobs_of)
    header = stored.run.header
    offer = offer_of(stored.run)
    refuse_unknown(question, asked, {job.implementation for job in offer.reasons})
    offer, left_out = _asked_for(offer, stored, asked["contender"], question)
    pairs = pair_up(offer, offer_of_side(asked["contender"], of_contender))
    meeting = Meeting(question, asked, pairs, tell, start, facts={"baseline": facts_of(stored.run)})
    stopping = (
        *other_environment(header.environment, asked["contender"].ready.environment),
        *other_method(header.method, of_contender.method, but_sampling=True),
    )
    if found := meeting.stopped(stopping):
        return found
    session = meeting.session()
    rows = np.arange(len(meeting.rows))
    records = records_by_job(stored.run)
    levels = np.stack([session.measure("contender", rows) for _ in range(question.pairs)], axis=1)
    judgement = judge(
        times_of(records, meeting.rows, 0),
        np.exp(levels)[..., None],
        None if stored.why_not else session.measure,
        **meeting.how(session),
    )
    known = {job.implementation for job in records}
    findings = [*left_out, *unusable(asked, of_contender.words, known)]
    if stored.why_not:
        findings.append(Finding("only_screened", stored.why_not))
    return meeting.conclude(judgement, session, baseline=records, findings=findings)


def _asked_for(
    offer: Offer, stored: Stored, contender: Asked, question: Question
) -> tuple[Offer, tuple[Finding, ...]]:
    """The stored jobs that are asked for, and how many others there are.

    What the contender has lost is asked for all the same: its pair is missing.
    """
    side = question.contender
    cases = {job.case for job in contender.reasons} | set(side.names) | set(question.baseline.names)
    is_same_sweep = stored.sweeps == stored.run.header.plan.sweeps != ()
    if stored.why_not and is_same_sweep:  # its commit cannot say which cases it had
        cases |= {job.case for job in offer.reasons}
    described = contender.ready.implementations
    on_request = {one.name for one in described if one.on_request and not one.problem}

    def is_meant(name: str) -> bool:
        if ALL in side.words or (DEFAULT in side.words and name not in on_request):
            return True
        return any(fnmatch.fnmatchcase(name, word) for word in side.words)

    kept = {
        job: reason
        for job, reason in offer.reasons.items()
        if job.case in cases and is_meant(job.implementation)
    }
    others = len(offer.reasons) - len(kept)
    if not others:
        return offer, ()
    text = f"{others} job(s) of the stored run are not among those asked for"
    return Offer(kept, offer.names), (Finding("soft_difference", text),)
