"""Entries at work: what was accepted in exactly this step no longer fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.acceptance.entry import COMMIT, SIZED, Acceptance
from gconvbench.records import Comparison, Finding, JobVerdict, SideFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import date

__all__ = ["apply", "side_name"]

_SHORT = 7
_WRITTEN = 12
"""Digits of a commit in the file; git itself writes 7 to 12."""


def side_name(side: SideFacts) -> str:
    """As an entry names it: the commit where the side is one, else what it is."""
    return side.commit[:_WRITTEN] if _is_commit(side) else side.what


def _is_commit(side: SideFacts) -> bool:
    """Whether the commit is what the side is about; two interpreters share one."""
    return bool(COMMIT.fullmatch(side.commit)) and side.commit[:_SHORT] in side.what


def apply(
    found: Comparison,
    acceptances: Sequence[Acceptance],
    *,
    baseline_has: Collection[Acceptance],
    is_ancestor: Callable[[str, str], bool],
    today: date,
) -> Comparison:
    """The comparison with whatever an entry accepts marked so, and what to know of the entries.

    An entry applies where the baseline's version of the file has none about the same step, however
    it reads there, since what that has is in the baseline's times already; and where it starts at
    the baseline, or for a baseline that is a commit before or after it in the history: the step to
    the contender then has the accepted one in it, and the entry's limit holds for all of it. Wrong
    results are never accepted. Entries that do not apply are passed over in silence.

    Args:
        found: what a gate found.
        acceptances: of the contender's version of the file.
        baseline_has: of the baseline's.
        is_ancestor: whether the first commit is an ancestor of the second or the same.
        today: an entry holds up to and on its day of expiry.
    """
    applying = [
        entry
        for entry in acceptances
        if not any(entry.is_about_step_of(known) for known in baseline_has)
        and _is_step(entry, found, is_ancestor)
    ]
    valid = [entry for entry in applying if today <= entry.expires]
    expired = [
        Finding("acceptance_expired", f"on {entry.expires}: {entry.named}; renew or remove it")
        for entry in applying
        if today > entry.expires
    ]
    silencing = _Silencing(valid)
    findings = tuple(silencing.finding(finding, found) for finding in found.findings)
    jobs = tuple(silencing.job(job) for job in found.jobs)
    return replace(found, jobs=jobs, findings=(*findings, *expired, *silencing.about_entries()))


def _is_step(entry: Acceptance, found: Comparison, is_ancestor: Callable[[str, str], bool]) -> bool:
    if _is_commit(found.baseline):
        commit = found.baseline.commit
        return bool(COMMIT.fullmatch(entry.from_)) and (
            commit.startswith(entry.from_)
            or is_ancestor(entry.from_, commit)
            or is_ancestor(commit, entry.from_)
        )
    return (entry.from_, entry.to) == (side_name(found.baseline), side_name(found.contender))


class _Silencing:
    """Silences what entries accept, and remembers which of them were of use."""

    def __init__(self, entries: Sequence[Acceptance]) -> None:
        self._entries = entries
        self._used: set[int] = set()
        self._of_suite: Acceptance | None = None
        self._exceeded: dict[int, list[tuple[float, str]]] = {}

    def job(self, job: JobVerdict) -> JobVerdict:
        """The job as `accepted` where an entry accepts how it ended; likewise each note.

        To be asked after the findings: what is slower with an accepted suite is so as well, unless
        it is clearly slower than was agreed to.
        """
        if job.kind == "slower_with_suite" and (suite := self._of_suite) and job.change:
            if job.change.low is not None and not suite.allows(job.change.low - 1):
                return job
            detail = _joined(f"{job.kind}, accepted: {suite.reason}", job.detail)
            return replace(job, kind="accepted", detail=detail)
        covering = [i for i, entry in enumerate(self._entries) if entry.covers(*_names(job))]
        if not covering:
            return job
        notes = tuple(self._note(note, covering) for note in job.notes)
        change = job.change.ratio - 1 if job.change else None
        entry = self._accepting(job.kind, covering, change, f"{job.implementation} {job.case}")
        if entry is None:
            return replace(job, notes=notes)
        detail = _joined(f"{job.kind}, accepted: {entry.reason}", job.detail)
        return replace(job, kind="accepted", detail=detail, notes=notes)

    def _note(self, note: Finding, covering: Iterable[int]) -> Finding:
        entry = self._accepting(note.kind, covering, None, "")
        if entry is None:
            return note
        return Finding("accepted", _joined(f"{note.kind}, accepted: {entry.reason}", note.detail))

    def finding(self, finding: Finding, found: Comparison) -> Finding:
        """A slower suite as accepted where an entry accepts it."""
        if finding.kind != "suite_slower":
            return finding
        shift = found.suite.shift if found.suite else None
        of_all = [i for i, entry in enumerate(self._entries) if entry.is_about_all]
        entry = self._accepting(finding.kind, of_all, shift, "the suite")
        if entry is None:
            return finding
        self._of_suite = entry
        return Finding("suite_accepted", _joined(f"accepted: {entry.reason}", finding.detail))

    def _accepting(
        self, kind: str, covering: Iterable[int], change: float | None, name: str
    ) -> Acceptance | None:
        """The first entry that accepts this kind and size; notes those that allow too little."""
        meant = [i for i in covering if kind in self._entries[i].kinds]
        for i in meant:
            if kind not in SIZED or (change is not None and self._entries[i].allows(change)):
                self._used.add(i)
                return self._entries[i]
        for i in meant:
            self._exceeded.setdefault(i, []).append((change or 0.0, name))
        return None

    def about_entries(self) -> list[Finding]:
        """Entries that allowed too little, and those that silenced nothing."""
        return [
            *(self._too_small(i, jobs) for i, jobs in self._exceeded.items()),
            *(
                Finding("acceptance_unused", f"{entry.named}; remove it")
                for i, entry in enumerate(self._entries)
                if i not in self._used and i not in self._exceeded
            ),
        ]

    def _too_small(self, index: int, jobs: Sequence[tuple[float, str]]) -> Finding:
        change, name = max(jobs)
        allowed = self._entries[index].largest_change or 0.0
        more = f", and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        return Finding(
            "acceptance_exceeded",
            f"{name} is slower by {100 * change:.1f} %{more}; accepted is {100 * allowed:g} %",
        )


def _names(job: JobVerdict) -> tuple[str, str, str]:
    return job.case, job.implementation, job.cache_mode


def _joined(first: str, second: str) -> str:
    return f"{first} ({second})" if second else first
