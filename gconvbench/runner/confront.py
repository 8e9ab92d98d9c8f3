"""Both sides of a gate, from the question to what was found."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING

from gconvbench.comparing import Offer, other_environment, pair_up
from gconvbench.errors import UsageError, refused_name
from gconvbench.gate import judge_sides
from gconvbench.planning import ALL, DEFAULT
from gconvbench.records import Comparison, Finding
from gconvbench.runner.meeting import Meeting
from gconvbench.runner.slots import Asked, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from gconvbench.gate.processes import SideName
    from gconvbench.runner.question import Question, QuestionSide

__all__ = ["anchors_of", "confront", "offer_of_side", "refuse_unknown", "unusable"]

_SIDES: tuple[SideName, ...] = ("baseline", "contender")

_COPIES = ("memmove_64KiB", "memmove_256KiB", "memmove_1MiB", "memmove_4MiB")
_ANCHORS = (*_COPIES, "sha256", "pbkdf2", "crc32", "deflate")
"""Names of `gconvbench.anchors`, which this process cannot import beside torch."""


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
    known = {one.name for one in asked["baseline"].ready.implementations}
    findings = unusable(asked, question.contender.words, known)
    return meeting.conclude(judgement, session, findings=findings)


def _ask(name: SideName, question: Question) -> Asked:
    of_side = question.side(name)
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


def unusable(
    asked: Mapping[SideName, Asked], words: Sequence[str], known: Container[str]
) -> list[Finding]:
    """What becomes of the contender's implementations that cannot be used and no pair tells of.

    One that has the same fate in the baseline is a warning. One that the baseline does not know is
    new, and nothing shows that it is right.

    Args:
        asked: what the sides have.
        words: which implementations are asked for.
        known: names that the baseline has, usable or not.
    """
    problems = {
        name: {one.name: one.problem for one in found.ready.implementations if one.problem}
        for name, found in asked.items()
    }
    before = problems.get("baseline", {})
    findings = []
    for name, problem in sorted(problems["contender"].items()):
        if name in before:
            findings.append(Finding("soft_difference", f"{name} was not measured: {problem}"))
        elif name not in known and any(_is_meant(name, word) for word in words):
            findings.append(Finding("unusable", f"{name}: {problem}"))
    return findings


def _is_meant(name: str, word: str) -> bool:
    return word in {ALL, DEFAULT} or fnmatch.fnmatchcase(name, word)


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


def anchors_of(question: Question) -> tuple[str, ...]:
    """On a GPU there are none yet: what runs on the host says nothing of the card."""
    if question.device != "cpu":
        return ()
    return _COPIES if question.is_about_interpreters else _ANCHORS
