"""What jobs that ended alike have in common: the fewest `axis=value` that tell them apart.

Sets of jobs are whole numbers with one bit per job, so that thousands of combinations of values
cost milliseconds.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.cases import case_if_any
from gconvbench.records import JOB_KINDS
from gconvbench.report import format as fmt
from gconvbench.report.comparison.ranking import UNREMARKABLE
from gconvbench.report.comparison.words import clean, counted, shortened, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gconvbench.records import Comparison, JobVerdict

__all__ = ["Group", "group_line", "groups_of"]

Pair = tuple[str, str]
"""An axis and its value as text."""

_AXES = (
    "groups", "dtype", "direction", "operation", "memory_format", "math_mode", "kernel_size",
    "stride", "dilation", "in_channels", "out_channels", "group_in_channels", "group_out_channels",
    "batch", "height", "width", "padding", "bias",
)  # fmt: skip
"""Of equally good sets the one with the earlier axes is said; `implementation` before them all."""
_LEAK = 0.1
"""A set of values tells jobs apart where at most this share of those that have it ended otherwise:
measuring is not perfect, so that one unaffected job in ten does not hide what nine share."""
_MOST_TOGETHER = 3
"""Values in a set for all jobs of a kind; a longer one explains nothing."""
_MOST_IN_PART = 2
"""Likewise for a part of them, of which there are many more to be right by chance."""
_FEWEST_IN_PART = 3
_MOST_PARTS = 3
_MOST_VALUES = 300
_NEUTRAL = ("unsupported", "not_reached")
"""Jobs of which nobody knows whether they would have ended likewise."""


class Group(NamedTuple):
    """Jobs of one kind and what only they share.

    Attributes:
        kind: of `JOB_KINDS`, or a note's.
        shared: axis and value; empty where it is all jobs there are.
        jobs: those that ended so.
        having: how many jobs have these values, the unaffected ones included.
    """

    kind: str
    shared: tuple[Pair, ...]
    jobs: tuple[JobVerdict, ...]
    having: int


def groups_of(found: Comparison) -> list[Group]:
    """Per kind of end and of note what tells its jobs apart, where anything does; worst first."""
    judged = [job for job in found.jobs if job.kind not in _NEUTRAL]
    masks = _masks(judged)
    groups: list[Group] = []
    for kind in JOB_KINDS:
        if kind not in (*UNREMARKABLE, *_NEUTRAL):
            groups += _groups(kind, judged, masks, _mask(job.kind == kind for job in judged))
    noted = [{note.kind for note in job.notes} for job in judged]
    for kind in sorted(set().union(*noted) - set(JOB_KINDS)):
        groups += _groups(kind, judged, masks, _mask(kind in kinds for kinds in noted))
    return groups


def group_line(group: Group) -> str:
    """`all 6 with groups=32 and dtype=float16: slower by 4.1 to 9.3 %`."""
    of_all = "all" if len(group.jobs) == group.having else f"{len(group.jobs):,} of"
    subject = f"{of_all} {counted(group.having, 'job')}"
    if group.shared:
        subject = (
            f"{of_all} {group.having:,} with {' and '.join('='.join(p) for p in group.shared)}"
        )
    return clean(f"{subject}: {_end(group)}")


def _end(group: Group) -> str:
    details = {note.detail for job in group.jobs for note in job.notes if note.kind == group.kind}
    details = details or {job.detail for job in group.jobs}
    ratios = [job.change.ratio - 1 for job in group.jobs if job.change is not None]
    if group.kind in JOB_KINDS and len(ratios) == len(group.jobs):
        least, most = fmt.change_text(min(ratios)), fmt.change_text(max(ratios))
        span = fmt.change_interval_text(min(ratios), max(ratios)) if least != most else most
        return f"{word(group.kind)}, {span}"
    detail = details.pop() if len(details) == 1 else ""
    return f"{word(group.kind)}{detail and ': '}{shortened(detail, 200)}"


def _groups(
    kind: str, judged: Sequence[JobVerdict], masks: dict[Pair, int], affected: int
) -> list[Group]:
    if affected.bit_count() < 2:  # noqa: PLR2004 (one job shares with nobody)
        return []
    if affected.bit_count() == len(judged):
        return [Group(kind, (), tuple(judged), len(judged))]
    return [
        Group(kind, shared, tuple(_members(judged, having & affected)), having.bit_count())
        for shared, having in _told_apart(affected, masks)
    ]


def _told_apart(affected: int, masks: dict[Pair, int]) -> list[tuple[tuple[Pair, ...], int]]:
    """One set of values for all affected jobs, else sets for the largest parts of them."""
    everywhere = {pair: mask for pair, mask in masks.items() if affected & ~mask == 0}
    if best := _best(affected, everywhere, _MOST_TOGETHER, affected.bit_count()):
        return [best]
    parts: list[tuple[tuple[Pair, ...], int]] = []
    left, several = affected, _frequent(affected, masks)
    while len(parts) < _MOST_PARTS:
        best = _best(affected, several, _MOST_IN_PART, _FEWEST_IN_PART, still=left)
        if best is None:
            break
        parts.append(best)
        left &= ~best[1]
    return parts


def _frequent(affected: int, masks: dict[Pair, int]) -> dict[Pair, int]:
    """The values that most affected jobs have, in the order of the axes."""
    common = sorted(masks, key=lambda pair: -(masks[pair] & affected).bit_count())
    kept = set(common[:_MOST_VALUES])
    return {pair: mask for pair, mask in masks.items() if pair in kept}


def _best(
    affected: int, masks: dict[Pair, int], most: int, fewest: int, *, still: int | None = None
) -> tuple[tuple[Pair, ...], int] | None:
    """The set of values that covers most, by the fewest values, with the fewest other jobs.

    Args:
        affected: the jobs that ended alike.
        masks: which jobs have a value.
        most: values in a set.
        fewest: jobs that it must cover.
        still: the affected jobs that no other set covers yet.
    """
    left = affected if still is None else still
    best, best_score = None, (0, 0, 0)
    useful = {pair: mask for pair, mask in masks.items() if (mask & left).bit_count() >= fewest}
    for pairs in _sets(useful, most):
        having = functools.reduce(int.__and__, (useful[pair] for pair in pairs))
        covered = (having & left).bit_count()
        others = (having & ~affected).bit_count()
        if covered < fewest or others > _LEAK * having.bit_count():
            continue
        if (score := (covered, -len(pairs), -others)) > best_score:
            best, best_score = (pairs, having), score
    return best


def _sets(pairs: Iterable[Pair], most: int) -> Iterator[tuple[Pair, ...]]:
    names = list(pairs)
    for size in range(1, most + 1):
        for chosen in itertools.combinations(names, size):
            if len({axis for axis, _ in chosen}) == size:
                yield chosen


def _masks(jobs: Sequence[JobVerdict]) -> dict[Pair, int]:
    """Which jobs have a value, by axis; values that all have tell nothing and are left out."""
    order = {axis: i for i, axis in enumerate(("implementation", "cache_mode", *_AXES))}
    found: dict[Pair, int] = {}
    for i, job in enumerate(jobs):
        for pair in _pairs(job):
            found[pair] = found.get(pair, 0) | 1 << i
    everything = (1 << len(jobs)) - 1
    telling = {pair: mask for pair, mask in found.items() if mask != everything}
    return dict(sorted(telling.items(), key=lambda item: order[item[0][0]]))


def _pairs(job: JobVerdict) -> list[Pair]:
    pairs = [("implementation", job.implementation), ("cache_mode", job.cache_mode)]
    return pairs + list(_case_pairs(job.case))


@functools.lru_cache(maxsize=20_000)
def _case_pairs(text: str) -> tuple[Pair, ...]:
    """The fields of a case by its id; none where it is no id."""
    case = case_if_any(text)
    if case is None:
        return ()
    return tuple((axis, _text(getattr(case, axis))) for axis in _AXES)


def _text(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()


def _mask(bits: Iterable[bool]) -> int:
    return sum(1 << i for i, bit in enumerate(bits) if bit)


def _members(jobs: Sequence[JobVerdict], mask: int) -> list[JobVerdict]:
    return [job for i, job in enumerate(jobs) if mask >> i & 1]
