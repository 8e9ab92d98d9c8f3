"""A machine's history with what it says: findings per series, events over all, what went along."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec

from gconvbench.errors import UsageError
from gconvbench.history.changes import Findings, find_changes
from gconvbench.history.events import Event, group_changes
from gconvbench.history.series import History, HistoryRun, Series, logs_of
from gconvbench.records import Difference, differences, dispatch_text, method_differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Judged", "changed_between", "dispatch_changed", "judge_history"]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A history and what was found in it.

    Attributes:
        history: what was looked at.
        findings: by the series' name.
        events: over all series, oldest first.
    """

    history: History
    findings: dict[str, Findings]
    events: tuple[Event, ...]

    @property
    def too_short(self) -> tuple[Series, ...]:
        """Series with too few values to say anything of them."""
        return tuple(s for s in self.history.series if self.findings[s.key.name].is_too_short)

    @property
    def ended(self) -> tuple[Series, ...]:
        """Series without a value in the newest run."""
        return tuple(s for s in self.history.series if s.values[-1] is None)

    @property
    def found(self) -> tuple[Series, ...]:
        """Series with changes or drifts, the largest first."""
        sizes = {name: _largest(findings) for name, findings in self.findings.items()}
        found = [series for series in self.history.series if sizes[series.key.name] > 0]
        return tuple(sorted(found, key=lambda series: -sizes[series.key.name]))


def _largest(findings: Findings) -> float:
    changes = [one.change for one in findings.changes] + [one.change for one in findings.drifts]
    return max(map(abs, changes), default=0.0)


def judge_history(
    history: History,
    *,
    accepted: Sequence[str] = (),
    levels: Mapping[str, Iterable[int]] | None = None,
) -> Judged:
    """Look for changes in every series and group them.

    Args:
        history: of one machine.
        accepted: runs at which a new level starts on purpose, by name or commit or the start of it.
        levels: by the series' name, indices of runs at which it alone does so.

    Raises:
        UsageError: an accepted run is not there.
    """
    indices = [_index_of(history.runs, text) for text in accepted]
    own = levels or {}
    findings = {
        series.key.name: find_changes(
            logs_of(series), accepted=itertools.chain(indices, own.get(series.key.name, ()))
        )
        for series in history.series
    }
    return Judged(history=history, findings=findings, events=group_changes(findings))


def _index_of(runs: Sequence[HistoryRun], text: str) -> int:
    """The first run of that name or commit."""
    for index, run in enumerate(runs):
        if text and (run.name.startswith(text) or run.commit.startswith(text)):
            return index
    newest = f"; the newest is {runs[-1].name}" if runs else ""
    message = f"accepted run {text!r} is none of the {len(runs)} runs{newest}"
    raise UsageError(message)


def changed_between(before: HistoryRun, after: HistoryRun) -> tuple[Difference, ...]:
    """What is known to differ between two runs, their commits apart."""
    found: list[Difference] = []
    if before.environment and after.environment:
        found += differences(before.environment, after.environment)
    if before.method and after.method:
        found += method_differences(before.method, after.method)
    return tuple(one for one in found if not one.is_unknown and one.field != "commit")


def dispatch_changed(event: Event, history: History) -> dict[str, str]:
    """Which operators and kernels an event's series run no longer, and which now, by their names.

    Only series of which that is known and different.
    """
    found: dict[str, str] = {}
    for series in history.series:
        change = event.changes.get(series.key.name)
        if change is not None and series.dispatch:
            places = (change.last_before, change.index)
            text = dispatch_text(*(series.dispatch[place] for place in places))
            found |= {series.key.name: text} if text else {}
    return found
