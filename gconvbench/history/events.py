"""One event instead of a hundred alarms: the changes of all series between the same two commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gconvbench.history.changes import TOLERANCE, ChangePoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.history.changes import Findings

    Found = tuple[str, ChangePoint]

__all__ = ["Event", "group_changes"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of several series that are most likely one.

    Attributes:
        index: of the first run at the new level, where most of the series agree.
        last_before: index of the last run at the old level, as most of these series have it.
        changes: the change point of each series, by the series' name, the largest change first.
    """

    index: int
    last_before: int
    changes: dict[str, ChangePoint]

    @property
    def is_slower(self) -> bool:
        """Whether times went up."""
        return next(iter(self.changes.values())).change > 0

    @property
    def smallest(self) -> float:
        """The change nearest to none, on the log scale."""
        return min((one.change for one in self.changes.values()), key=abs)

    @property
    def largest(self) -> float:
        """The change farthest from none, on the log scale."""
        return max((one.change for one in self.changes.values()), key=abs)


def group_changes(findings: Mapping[str, Findings]) -> tuple[Event, ...]:
    """One event per commit range and direction, oldest first.

    A change point is known to within five runs. So the place that most series share collects what
    lies within five runs of it, then the place that most of the remaining ones share, and so on.

    Args:
        findings: by the series' name; indices of all series count the same runs.
    """
    slower = [(name, c) for name, f in findings.items() for c in f.changes if c.change > 0]
    faster = [(name, c) for name, f in findings.items() for c in f.changes if c.change <= 0]
    events = [*_grouped(slower), *_grouped(faster)]
    return tuple(sorted(events, key=lambda event: (event.index, not event.is_slower)))


def _grouped(found: list[Found]) -> list[Event]:
    events = []
    left = found
    while left:
        index, before = _shared(left)
        near = [one for one in left if abs(one[1].index - index) <= TOLERANCE]
        members: dict[str, ChangePoint] = {}
        for name, change in sorted(near, key=lambda one: abs(one[1].index - index)):
            members.setdefault(name, change)
        ordered = sorted(members.items(), key=lambda one: -abs(one[1].change))
        events.append(Event(index=index, last_before=before, changes=dict(ordered)))
        left = [one for one in left if members.get(one[0]) is not one[1]]
    return events


def _shared(found: list[Found]) -> tuple[int, int]:
    """The commit range that most series share; of several the one with the largest changes."""
    sizes: dict[tuple[int, int], list[float]] = {}
    for _, change in found:
        sizes.setdefault((change.index, change.last_before), []).append(abs(change.change))
    return max(sizes, key=lambda place: (len(sizes[place]), sum(sizes[place])))
