"""Entries in a history: from which run on, and in which series, a new level was agreed to."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from gconvbench.acceptance.entry import COMMIT, SIZED, Acceptance
from gconvbench.history import logs_of, step_across

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from gconvbench.history import History, HistoryRun, Series

__all__ = ["AcceptedLevel", "accepted_levels", "unplaced"]


class AcceptedLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry does to a history.

    Attributes:
        index: of the run at which the new level starts.
        entry: by which.
        series: names of those that start anew there; steps in them are not reported.
        exceeding: names of those that it covers, but that changed by clearly more than it allows,
            or the other way; they are judged as if there were no entry.
    """

    index: int
    entry: Acceptance
    series: tuple[str, ...]
    exceeding: tuple[str, ...]


def accepted_levels(
    history: History,
    entries: Iterable[Acceptance],
    accepted_at: Callable[[str], Collection[Acceptance]] | None = None,
) -> tuple[AcceptedLevel, ...]:
    """The entries about a slowdown that happened within this history, oldest first.

    The new level starts at the first run at `to`; where no run is (a merge or a rebase gives a
    commit another name), at the first one behind `from` whose commit has the entry. Such a run must
    have been measured while the entry held: what was agreed to then is not reported later. Entries
    about other steps are passed over.

    Args:
        history: of one machine.
        entries: of the reviewed file.
        accepted_at: what that file has at a commit; None where it cannot be asked.
    """
    found = []
    for entry in entries:
        index = _start(history.runs, entry, accepted_at) if set(entry.kinds) & set(SIZED) else None
        if index is None or not _held(entry, history.runs[index]):
            continue
        covered = [one for one in history.series if entry.covers(*_names(one))]
        within = [one.key.name for one in covered if _allows(entry, one, index)]
        if covered:
            found.append(
                AcceptedLevel(
                    index=index,
                    entry=entry,
                    series=tuple(within),
                    exceeding=tuple(one.key.name for one in covered if one.key.name not in within),
                )
            )
    return tuple(sorted(found, key=lambda level: level.index))


def unplaced(
    history: History, entries: Iterable[Acceptance], levels: Iterable[AcceptedLevel]
) -> tuple[Acceptance, ...]:
    """The entries about a slowdown from a run of this history on for which no start was found."""
    placed = [level.entry for level in levels]
    return tuple(
        entry
        for entry in entries
        if set(entry.kinds) & set(SIZED)
        and entry not in placed
        and any(_is_at(run, entry.from_) for run in history.runs[:-1])
        and any(entry.covers(*_names(one)) for one in history.series)
    )


def _start(
    runs: Sequence[HistoryRun],
    entry: Acceptance,
    accepted_at: Callable[[str], Collection[Acceptance]] | None,
) -> int | None:
    """The first run at the new level that has one before it."""
    before = [index for index, run in enumerate(runs) if _is_at(run, entry.from_)]
    earliest = before[0] + 1 if before else 1
    for index in range(earliest, len(runs)):
        if _is_at(runs[index], entry.to):
            return index
    if not before or accepted_at is None or not COMMIT.fullmatch(entry.to):
        return None
    for index in range(earliest, len(runs)):
        if any(entry.is_about_step_of(one) for one in accepted_at(runs[index].commit)):
            return index
    return None


def _is_at(run: HistoryRun, side: str) -> bool:
    """Whether an entry calls this run so: by commit, by its PyTorch or by its name."""
    if COMMIT.fullmatch(side):
        return run.commit.startswith(side)
    torch = run.environment.under_test.get("torch") if run.environment else None
    return side in {f"torch {torch}", f"stored run {run.name}"}


def _names(series: Series) -> tuple[str, str, str]:
    return series.key.case, series.key.implementation, series.key.cache_mode


def _held(entry: Acceptance, run: HistoryRun) -> bool:
    return date.fromisoformat(run.created[:10]) <= entry.expires


def _allows(entry: Acceptance, series: Series, index: int) -> bool:
    """Whether the step there is not clearly another one than was agreed to."""
    step = step_across(logs_of(series), index)
    if step is None:  # too few runs on a side to know
        return True
    is_slower = step.change + step.half_width >= 0
    return is_slower and entry.allows(math.expm1(step.change - step.half_width))
