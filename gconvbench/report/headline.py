"""The answer first: what a machine's runs say, in a few sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gconvbench.records import FAILED_OUTCOMES, MEASURED_OUTCOMES
from gconvbench.report.answer import answer_networks
from gconvbench.report.cells import speedup_text
from gconvbench.report.comparison.words import counted, word
from gconvbench.report.summary import NATIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gconvbench.report.answer import NetworkAnswer
    from gconvbench.report.gather import Machine
    from gconvbench.report.summary import CaseSummary, Row

__all__ = ["headline", "machine_title", "network_answers"]

_NAMED = 4
"""So many implementations; the table has the rest."""


def machine_title(machine: Machine) -> str:
    """Device and PyTorch of the newest run."""
    environment = machine.runs[-1].header.environment
    device = environment.identity.get("device_name") or "unknown device"
    threads = machine.runs[-1].header.method.threads
    words = [str(device)]
    if machine.runs[-1].header.device == "cpu" and threads:
        words.append(counted(threads, "thread"))
    if torch := environment.under_test.get("torch"):
        words.append(f"torch {torch}")
    return ", ".join(words)


def headline(machine: Machine) -> list[str]:
    """What is fastest, how surely, and whether all of it is right."""
    summaries = [entry.summary for entry in machine.entries]
    return [*_speed(summaries), _right(machine)]


def _speed(summaries: Sequence[CaseSummary]) -> Iterator[str]:
    rivals = [one for one in summaries if len(one.measured) > 1 and one.row_of(NATIVE)]
    if known := [one for one in rivals if one.has_intervals]:
        yield _surely(known)
    if single := [one for one in rivals if not one.has_intervals]:
        names = Counter(one.measured[0].implementation for one in single)
        listed = ", ".join(f"{name} in {count}" for name, count in names.most_common(_NAMED))
        yield (
            f"In {counted(len(single), 'case')} a single round tells which was fastest, not how "
            f"surely: {listed}."
        )


def _surely(known: Sequence[CaseSummary]) -> str:
    won = [one for one in known if one.advised != one.row_of(NATIVE)]
    if not won:
        return f"In all of {counted(len(known), 'case')} native is as good as any."
    said = (
        f"In {len(won)} of {counted(len(known), 'case')} another implementation is clearly faster "
        f"than native: {_winners(won)}."
    )
    others = len(known) - len(won)
    return f"{said} In the other {others} native is as good as any." if others else said


def _winners(won: Sequence[CaseSummary]) -> str:
    """Each winner with its number of cases and its largest speedup."""
    rows: dict[str, list[Row]] = {}
    for summary in won:
        if (row := summary.advised) is not None:
            rows.setdefault(row.implementation, []).append(row)
    ranked = sorted(rows.items(), key=lambda item: -len(item[1]))
    texts = [
        f"{name} in {len(found)} (up to {speedup_text(max(found, key=_speedup))})"
        for name, found in ranked[:_NAMED]
    ]
    more = ranked[_NAMED:]
    if more:
        texts.append(f"{len(more)} others in {sum(len(found) for _, found in more)}")
    return ", ".join(texts)


def _speedup(row: Row) -> float:
    return row.speedup or 0.0


def _right(machine: Machine) -> str:
    rows = [(row, entry) for entry in machine.entries for row in entry.summary.rows]
    outcomes = Counter(row.outcome for row, _ in rows)
    good = [(row, entry) for row, entry in rows if row.outcome in MEASURED_OUTCOMES]
    proved = sum(
        any(record.accuracy for record in entry.records[row.implementation]) for row, entry in good
    )
    bad = [
        f"{outcomes[name]} {word(name)}"
        for name in ("wrong", *sorted(FAILED_OUTCOMES))
        if outcomes[name]
    ]
    said = f"{counted(proved, 'job')} proved right against a float64 reference"
    if unproved := len(good) - proved:
        said += f", {unproved:,} of another tool without a proof"
    return f"{said}; {', '.join(bad) or 'none wrong, none failed'}."


def network_answers(machine: Machine) -> list[NetworkAnswer]:
    """What groups save and cost in the networks of each run, the newest first."""
    by_run = {id(entry.run): entry.run for entry in machine.timed if entry.run.footer}
    return [
        answer
        for run in by_run.values()
        for answer in answer_networks([e.summary for e in machine.timed if e.run is run])
    ]
