"""`gconvbench history`: what changed over the stored runs of a machine; works without torch."""

from __future__ import annotations

import fnmatch
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.acceptance import (
    ACCEPTED_FILE,
    accepted_levels,
    load_acceptances,
    read_acceptances,
    unplaced,
)
from gconvbench.cases import case_id, parse_descriptor
from gconvbench.errors import (
    ExitCode,
    GconvbenchError,
    NotMeasuredError,
    UsageError,
    nearest_match,
    refused_name,
)
from gconvbench.history import (
    History,
    asv_history,
    changed_between,
    collect_series,
    dispatch_changed,
    judge_history,
)
from gconvbench.report.console import make_console
from gconvbench.report.history import print_history
from gconvbench.runner.checkout import file_at, top_of
from gconvbench.store import list_runs, load_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gconvbench.acceptance import Acceptance, AcceptedLevel
    from gconvbench.history import HistoryRun, Judged, Key, Series
    from gconvbench.records import Header, Record

__all__ = ["Asked", "judge_stored", "show_history"]


class Asked(NamedTuple):
    """What to look at.

    Attributes:
        machine: whose runs; None for that of the newest one.
        cases: ids or patterns; none means all.
        implementations: names or patterns with commas; None means all.
        accepted: runs or commits at which a new level starts on purpose.
        file: of accepted changes; None for the usual one, if it is there.
        gates: whether the contenders of gates count as runs of their commits.
    """

    machine: str | None = None
    cases: Sequence[str] = ()
    implementations: str | None = None
    accepted: Sequence[str] = ()
    file: Path | None = None
    gates: bool = False


def show_history(results: Path, asked: Asked, *, asv: Path | None, json: bool) -> int:
    """Print the history of stored runs or of asv's results; returns the exit code.

    Raises:
        UsageError: no such machine, folder, accepted run or file; gates of asv's results.
        NotMeasuredError: nothing matched.
    """
    if asv is None:
        history = _stored(results, asked)
    elif asked.gates:
        message = "asv's results have no gates; leave out --gates or --asv"
        raise UsageError(message)
    else:
        history = asv_history(asv, asked.machine)
    selected = _selected(history, asked.cases, asked.implementations)
    entries = load_acceptances(asked.file)
    levels = accepted_levels(selected, entries, _accepted_at(asked.file) if asv is None else None)
    judged = judge_history(selected, accepted=asked.accepted, levels=_by_series(levels))
    if json:
        for line in _json_lines(judged, levels):
            print(msgspec.json.encode(line).decode())
    else:
        left = unplaced(selected, entries, levels)
        print_history(judged, make_console(sys.stdout), accepted=levels, unplaced=left)
    return ExitCode.FINE


def judge_stored(history: History) -> Judged:
    """What a history says, with the changes that the usual file accepts."""
    levels = accepted_levels(history, load_acceptances(None), _accepted_at(None))
    return judge_history(history, levels=_by_series(levels))


def _by_series(levels: Sequence[AcceptedLevel]) -> dict[str, list[int]]:
    """Where each series starts a level of its own."""
    own: dict[str, list[int]] = {}
    for level in levels:
        for name in level.series:
            own.setdefault(name, []).append(level.index)
    return own


def _accepted_at(file: Path | None) -> Callable[[str], tuple[Acceptance, ...]] | None:
    """What the file had at a commit of the repository around it; None outside of one."""
    path = (file or Path(ACCEPTED_FILE)).resolve()
    try:
        top = top_of(path.parent).resolve()
    except UsageError:
        return None

    @functools.cache
    def accepted_at(commit: str) -> tuple[Acceptance, ...]:
        try:
            text = file_at(top, commit, path.relative_to(top).as_posix())
            return read_acceptances(text) if text else ()
        except GconvbenchError:  # no commit of this repository, or a file that did not parse then
            return ()

    return accepted_at


def _stored(results: Path, asked: Asked) -> History:
    """The stored runs of a machine, by default the one with the newest run."""
    paths = list_runs(results)
    if not paths:
        message = f"no stored runs under {str(results / 'runs')!r}; `gconvbench run` makes one"
        raise UsageError(message)
    chosen = asked.machine or paths[-1].parent.name
    names = {path.parent.name for path in paths}
    if chosen not in names:
        raise UsageError(refused_name("machine", chosen, sorted(names)))
    unreadable: list[Path] = []
    of_machine = [path for path in paths if path.parent.name == chosen]
    history = collect_series(_loaded(of_machine, unreadable), contenders=asked.gates)
    if unreadable:
        history.left_out["unreadable or changed after it was written"] = len(unreadable)
    if not history.series:
        raise NotMeasuredError(_no_times(chosen, len(of_machine), history.left_out))
    return history


def _no_times(machine: str, stored: int, left_out: dict[str, int]) -> str:
    """Why there is no history, and what to do."""
    subject = f"machine {machine!r} has no run with times, of {stored} stored"
    if "contenders of gates" in left_out:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in left_out.items())
        return f"{subject} ({reasons}); --gates counts contenders as runs of their commits"
    return f"{subject}; `gconvbench run` without --check-only makes one"


def _loaded(
    paths: Sequence[Path], unreadable: list[Path]
) -> Iterator[tuple[Header, Sequence[Record]]]:
    """One run at a time, so that memory holds no two."""
    for path in paths:
        try:
            run = load_unchanged(path)
        except UsageError:
            unreadable.append(path)
        else:
            yield run.header, run.records


def _selected(history: History, cases: Sequence[str], implementations: str | None) -> History:
    """What was asked for.

    Raises:
        NotMeasuredError: an id or a name matches nothing.
    """
    series = history.series
    if cases:
        series = _matching("case", cases, series, lambda key: key.case)
    if implementations and implementations != "all":
        words = [word.strip() for word in implementations.split(",")]
        series = _matching("implementation", words, series, lambda key: key.implementation)
    return msgspec.structs.replace(history, series=series)


def _matching(
    what: str, words: Sequence[str], series: Sequence[Series], value_of: Callable[[Key], str]
) -> tuple[Series, ...]:
    chosen: set[Key] = set()
    for word in words:
        keys = {one.key for one in series if _matches(word, value_of(one.key))}
        if not keys:
            raise NotMeasuredError(_nothing_matches(what, word, [value_of(s.key) for s in series]))
        chosen |= keys
    return tuple(one for one in series if one.key in chosen)


def _matches(word: str, value: str) -> bool:
    """The same, a pattern of it, another spelling of the id, or a benchmark's name alone."""
    if word == value or fnmatch.fnmatchcase(value, word) or value.startswith(f"{word}("):
        return True
    try:
        return case_id(parse_descriptor(word).case) == value
    except UsageError:
        return False


def _nothing_matches(what: str, word: str, values: Sequence[str]) -> str:
    names = sorted(set(values))
    nearest = nearest_match(word, names) or (names[0] if names else "none")
    return (
        f"{what} {word!r} is in none of the {len(names)} that these runs have, "
        f"such as {nearest!r}; patterns like '*g32*' match several"
    )


def _json_lines(judged: Judged, levels: Sequence[AcceptedLevel]) -> Iterator[dict[str, object]]:
    history = judged.history
    yield {
        "kind": "history",
        "machine": history.machine,
        "runs": [_run(run) for run in history.runs],
        "series": len(history.series),
        "too_short": len(judged.too_short),
        "ended": len(judged.ended),
        "left_out": history.left_out,
    }
    for event in judged.events:
        before, after = history.runs[event.last_before], history.runs[event.index]
        yield {
            "kind": "event",
            "direction": "slower" if event.is_slower else "faster",
            "smallest": event.smallest,
            "largest": event.largest,
            "before": _run(before),
            "after": _run(after),
            "differences": changed_between(before, after),
            "dispatch": dispatch_changed(event, history),
            **msgspec.structs.asdict(event),
        }
    for level in levels:
        yield {
            "kind": "accepted",
            "after": _run(history.runs[level.index]),
            "reason": level.entry.reason,
            "series": level.series,
            "exceeding": level.exceeding,
        }
    for series in history.series:
        yield {
            "kind": "series",
            **msgspec.structs.asdict(series.key),
            "unit": series.unit,
            "values": series.values,
            **msgspec.structs.asdict(judged.findings[series.key.name]),
        }


def _run(run: HistoryRun) -> dict[str, str]:
    return {"run": run.name, "created": run.created, "commit": run.commit}
