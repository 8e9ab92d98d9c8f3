"""Which job of the baseline belongs to which of the contender, and what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gconvbench.records import Job

__all__ = ["Offer", "Pair", "pair_up"]

_MISSING = "the contender does not have it, or its configuration no longer names it"


class Offer(NamedTuple):
    """What a side has.

    Attributes:
        reasons: per job why it cannot be done; None where it can.
        names: per case id the layer's name, where there is one.
        problems: why implementations cannot be used at all, by name.
    """

    reasons: Mapping[Job, str | None]
    names: Mapping[str, str]
    problems: Mapping[str, str] = {}

    def why_not(self, job: Job | None) -> str:
        """The reason why it cannot be done; empty where it can, or is not there at all."""
        return (self.reasons.get(job) or "") if job is not None else ""

    def has(self, job: Job | None) -> bool:
        """Whether the side has this job and can do it."""
        return job is not None and job in self.reasons and not self.reasons[job]


class Pair(NamedTuple):
    """A job of each side; None where a side does not have it.

    Attributes:
        baseline: the baseline's job.
        contender: the contender's.
        name: the layer's name.
        kind: of `JOB_KINDS`, where that is known before anything is measured; else empty.
        detail: the reason.
    """

    baseline: Job | None
    contender: Job | None
    name: str = ""
    kind: str = ""
    detail: str = ""

    @property
    def job(self) -> Job:
        """The contender's, or else the baseline's."""
        found = self.contender or self.baseline
        assert found is not None  # noqa: S101 (a pair has one of them)
        return found


def pair_up(
    baseline: Offer, contender: Offer, *, implementations: tuple[str, str] | None = None
) -> tuple[Pair, ...]:
    """All jobs of both sides, the contender's order first.

    Args:
        baseline: what the baseline has.
        contender: what the contender has.
        implementations: the baseline's and the contender's, where it is these that are compared.
    """
    partners = {_key(job, implementations, 0): job for job in baseline.reasons}
    pairs = [
        _pair(partners.pop(_key(job, implementations, 1), None), job, baseline, contender)
        for job in contender.reasons
    ]
    left = [_pair(job, None, baseline, contender) for job in partners.values()]
    return _with_renamed([*pairs, *left], baseline, contender)


def _key(job: Job, implementations: tuple[str, str] | None, side: int) -> tuple[str, str]:
    if implementations and job.implementation == implementations[side]:
        return job.case, ""
    return job.case, job.implementation


def _pair(ours: Job | None, theirs: Job | None, baseline: Offer, contender: Offer) -> Pair:
    of_baseline, of_contender = baseline.has(ours), contender.has(theirs)
    job = theirs or ours
    assert job is not None  # noqa: S101 (one of them is given)
    pair = Pair(ours, theirs, contender.names.get(job.case) or baseline.names.get(job.case, ""))
    if of_baseline and of_contender:
        return pair
    if of_baseline and theirs is None and (problem := contender.problems.get(job.implementation)):
        return pair._replace(kind="failed", detail=f"cannot be used: {problem}")
    if of_contender and ours is None and (problem := baseline.problems.get(job.implementation)):
        return pair._replace(kind="no_baseline", detail=f"could not be used there: {problem}")
    if of_baseline:
        reason = contender.why_not(theirs)
        detail = f"unsupported now: {reason}" if reason else _MISSING
        return pair._replace(kind="missing", detail=detail)
    if of_contender:
        reason = baseline.why_not(ours)
        detail = f"unsupported by the baseline: {reason}" if reason else ""
        return pair._replace(kind="new", detail=detail)
    reason = contender.why_not(theirs) or baseline.why_not(ours)
    return pair._replace(kind="unsupported", detail=reason)


def _with_renamed(pairs: Sequence[Pair], baseline: Offer, contender: Offer) -> tuple[Pair, ...]:
    """What is missing under its name and there is exactly one new job that could be it."""
    before = {job.implementation for job in baseline.reasons}
    new = [pair for pair in pairs if pair.kind == "new" and pair.baseline is None]
    found = []
    for pair in pairs:
        if pair.kind == "missing" and pair.contender is None:
            heirs = [one for one in new if _could_be(pair, one, before, baseline, contender)]
            if len(heirs) == 1:
                heir = heirs[0].job
                detail = f"now {heir.implementation} {heir.case}"
                pair = pair._replace(kind="renamed", detail=detail)  # noqa: PLW2901
        found.append(pair)
    return tuple(found)


def _could_be(
    missing: Pair, new: Pair, before: set[str], baseline: Offer, contender: Offer
) -> bool:
    """The same case by an implementation that was not there, or the same layer in another shape."""
    ours, theirs = missing.job, new.job
    if ours.case == theirs.case:
        return theirs.implementation not in before
    layer = baseline.names.get(ours.case)
    is_layer = bool(layer) and layer == contender.names.get(theirs.case)
    return is_layer and ours.implementation == theirs.implementation
