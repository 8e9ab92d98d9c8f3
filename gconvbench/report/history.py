"""A machine's history as text: one sentence, one event per commit range, each changed series."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from gconvbench.cases import case_if_any
from gconvbench.history import FEWEST_RUNS, changed_between, dispatch_changed
from gconvbench.report import format as fmt
from gconvbench.report.console import aligned
from gconvbench.report.sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from gconvbench.acceptance import Acceptance, AcceptedLevel
    from gconvbench.history import Event, Findings, HistoryRun, Judged, Series
    from gconvbench.records import Difference

__all__ = [
    "change_texts",
    "changed_text",
    "event_details",
    "event_title",
    "history_notes",
    "history_sentence",
    "print_history",
    "range_text",
]

_SHOWN = 20
"""So many cases; a change of everything at once is told by its event."""
_NAMED = 6
"""So many fields that changed with it."""
_DISPATCHES = 3
"""So many ways in which dispatch changed, the most common first."""
_WIDTH = 20
_LABEL = 27
"""The longest built-in implementation; eighty columns in all."""
_SECONDS = "seconds"
_NOTHING = "nothing else changed that is recorded"


def print_history(
    judged: Judged,
    console: Console,
    *,
    accepted: Sequence[AcceptedLevel] = (),
    unplaced: Sequence[Acceptance] = (),
) -> None:
    """What happened, by event and by series.

    Args:
        judged: all of it.
        console: where to.
        accepted: what a reviewed file says of it, oldest first.
        unplaced: entries of that file of which it is not known where their level begins.
    """
    console.print(Text(history_sentence(judged), style="bold"))
    left = (f"not placed, as no run is at its end: {entry.named}" for entry in unplaced)
    for note in itertools.chain(history_notes(judged), _accepted_notes(judged, accepted), left):
        console.print(Text(note, style="dim"))
    for event in judged.events:
        _print_event(event, judged, console)
    cases: dict[str, list[Series]] = {}
    for series in judged.found:
        cases.setdefault(series.key.case, []).append(series)
    for case, found in list(cases.items())[:_SHOWN]:
        _print_case(case, found, judged, console)
    if len(cases) > _SHOWN:
        console.print()
        console.print(f"and {len(cases) - _SHOWN} more cases; --json has all, --case ID one")


def history_sentence(judged: Judged) -> str:
    """How many series got slower, faster, drifted, and how many did not change."""
    findings = [judged.findings[series.key.name] for series in judged.history.series]
    slower = sum(any(one.change > 0 for one in f.changes) for f in findings)
    faster = sum(any(one.change < 0 for one in f.changes) for f in findings)
    drifting = sum(bool(f.drifts) for f in findings)
    up, down = _words(judged.history.series)
    parts = [f"{slower} {up}" if slower else "", f"{faster} {down}" if faster else ""]
    parts.append(f"{drifting} drifting" if drifting else "")
    said = ", ".join(filter(None, parts))
    judged_count = len(findings) - len(judged.too_short)
    if not judged_count:
        said = "none can be judged yet"
    events = _plural(len(judged.events), "event")
    within = f"; {events}" if judged.events else ""
    runs = _plural(len(judged.history.runs), "run")
    return (
        f"{judged.history.machine}, {runs}: of {len(findings)} series "
        f"{said or 'none changed'}{within}"
    )


def history_notes(judged: Judged) -> Iterable[str]:
    """What was not looked at, and why."""
    if short := len(judged.too_short):
        yield f"{short} series too short to judge: fewer than {FEWEST_RUNS} runs with a value"
    if ended := len(judged.ended):
        yield f"{ended} series without a value in the newest run: crashed, wrong, renamed or gone"
    for reason, count in judged.history.left_out.items():
        yield f"{_plural(count, 'run')} left out: {reason}"
    values = [value for series in judged.history.series for value in series.values]
    if count := sum(value is not None and not 0 < value < math.inf for value in values):
        yield f"{_plural(count, 'value')} left out: not positive, so without a logarithm"


def _accepted_notes(judged: Judged, accepted: Iterable[AcceptedLevel]) -> Iterable[str]:
    """Which slowdowns start a level of their own, and which are larger than was agreed to."""
    for level in accepted:
        at = _commit(judged.history.runs[level.index])
        if level.series:
            count = len(level.series)
            yield f"{count} series with a new level at {at}, accepted: {level.entry.reason}"
        if level.exceeding:
            count = len(level.exceeding)
            yield f"{count} series beyond what was accepted at {at}: {level.entry.reason}"


def _print_event(event: Event, judged: Judged, console: Console) -> None:
    title, where = event_title(event, judged)
    console.print()
    console.print(f"[bold]{title}[/bold] {escape(where)}")
    for text in event_details(event, judged):
        _print_indented(text, console)


def event_title(event: Event, judged: Judged) -> tuple[str, str]:
    """How many series changed by how much, and where: `between 1a2b3c4..5d6e7f8`."""
    runs = judged.history.runs
    units = [s for s in judged.history.series if s.key.name in event.changes]
    word = _words(units)[0 if event.is_slower else 1]
    smallest, largest = (_size_text(one) for one in (event.smallest, event.largest))
    size = largest if smallest == largest else f"{smallest} to {largest}"
    where = range_text(runs[event.last_before], runs[event.index])
    return f"{len(event.changes)} series {word} by {size}", where


def event_details(event: Event, judged: Judged) -> list[str]:
    """Between which runs, what changed with it, and which kernels."""
    before, after = (judged.history.runs[i] for i in (event.last_before, event.index))
    dispatch = Counter(dispatch_changed(event, judged.history).values())
    lines = [f"runs {before.name} and {after.name}"]
    changed = changed_text(before, after)
    if changed != _NOTHING or not dispatch:
        lines.append(changed)
    lines += [f"{times} series: {text}" for text, times in dispatch.most_common(_DISPATCHES)]
    return lines


def changed_text(before: HistoryRun, after: HistoryRun) -> str:
    """What is known to differ between two runs beside their commits, in one line."""
    known = before.environment is not None and after.environment is not None
    nothing = _NOTHING if known else "environments are not known"
    return _changed_text(changed_between(before, after)) or nothing


def _changed_text(changed: Sequence[Difference]) -> str:
    if not changed:
        return ""
    ordered = sorted(changed, key=lambda one: one.kind == "soft")
    said = [f"{one.field} {_value(one.before)} to {_value(one.after)}" for one in ordered[:_NAMED]]
    more = [f"{len(ordered) - _NAMED} more"] if ordered[_NAMED:] else []
    return f"with it changed: {', '.join([*said, *more])}"


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _print_case(case: str, found: Sequence[Series], judged: Judged, console: Console) -> None:
    console.print()
    if text := _case_text(case):
        console.print(text, soft_wrap=True, markup=False)
    console.print(Text(case, style="dim" if text else ""))
    head = ("", "history", "runs", "first", "last")
    rows = [_row(series, judged.findings[series.key.name]) for series in found]
    lines = aligned([head, *rows], right=(2, 3, 4))
    console.print(f"  [dim]{lines[0]}[/dim]", soft_wrap=True)
    for series, line in zip(found, lines[1:], strict=True):
        console.print(f"  {line}", soft_wrap=True, markup=False)
        for text in _found_texts(series, judged):
            _print_indented(text, console, by=4)


def _row(series: Series, findings: Findings) -> tuple[str, ...]:
    known = [value for value in series.values if value is not None]
    label = " ".join(filter(None, (series.key.implementation, series.key.cache_mode)))
    return (
        label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…",
        sparkline(series.values, _WIDTH),
        str(findings.runs),
        _value_text(known[0], series.unit),
        _value_text(known[-1], series.unit),
    )


def _value_text(value: float, unit: str) -> str:
    return fmt.seconds(value) if unit == _SECONDS else f"{value:.4g}"


def _found_texts(series: Series, judged: Judged) -> Iterable[str]:
    runs, findings = judged.history.runs, judged.findings[series.key.name]
    yield from change_texts(series, judged)
    for drift in findings.drifts:
        word = "climbed" if drift.change > 0 else "fell"
        first, last = (_commit(runs[index]) for index in (drift.first, drift.last))
        size = _interval_text(drift.change, drift.half_width)
        going = ", perhaps still" if drift.last == len(runs) - 1 else ""
        count = drift.last - drift.first + 1
        yield f"{word} slowly by {size} from {first} to {last} ({count} runs){going}"


def change_texts(series: Series, judged: Judged) -> list[str]:
    """Each change point of a series: by how much, and between which commits."""
    runs, (up, down) = judged.history.runs, _words([series])
    return [
        f"{up if change.change > 0 else down} by "
        f"{_interval_text(change.change, change.half_width)} "
        f"{range_text(runs[change.last_before], runs[change.index])}"
        for change in judged.findings[series.key.name].changes
    ]


def range_text(before: HistoryRun, after: HistoryRun) -> str:
    """Last good and first bad: `between 1a2b3c4..5d6e7f8`."""
    if before.commit and before.commit == after.commit:
        return f"at the same commit {_commit(after)}"
    return f"between {_commit(before)}..{_commit(after)}"


def _commit(run: HistoryRun) -> str:
    return run.commit[:7] or run.name


def _interval_text(change: float, half_width: float) -> str:
    ends = sorted(abs(change + sign * half_width) for sign in (-1, 1))
    low, high = (_size_text(math.copysign(end, change)) for end in ends)
    return f"{_size_text(change)} (95 %: {low} to {high})"


def _size_text(change: float) -> str:
    return fmt.share(abs(math.expm1(change)))


def _words(series: Iterable[Series]) -> tuple[str, str]:
    """For up and down: of times, and of whatever else a benchmark may track."""
    is_time = all(one.unit == _SECONDS for one in series)
    return ("slower", "faster") if is_time else ("higher", "lower")


def _case_text(case: str) -> str:
    parsed = case_if_any(case)
    return fmt.case_text(parsed) if parsed else ""


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _print_indented(text: str, console: Console, *, by: int = 2) -> None:
    console.print(Padding(Text(text), (0, 0, 0, by)))
