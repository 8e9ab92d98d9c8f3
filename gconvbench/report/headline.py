"""The answer first: what a machine's runs say, in a few sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gconvbench.records import FAILED_OUTCOMES, MEASURED_OUTCOMES
from gconvbench.report.answer import answer_of
from gconvbench.report.cells import speedup_text
from gconvbench.report.comparison.words import counted, word
from gconvbench.report.networks import whole_networks
from gconvbench.report.ranking import is_told_apart
from gconvbench.report.summary import NATIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gconvbench.report.answer import NetworkAnswer
    from gconvbench.report.gather import Machine
    from gconvbench.report.networks import Network
    from gconvbench.report.summary import CaseSummary, Row
    from gconvbench.store import Run

__all__ = ["headline", "machine_title", "network_answers", "networks_of_machine"]

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
    rivals = [one for one in summaries if len(one.measured) > 1]
    native = [one for one in rivals if one.row_of(NATIVE)]
    if known := [one for one in native if is_told_apart(one)]:
        yield _surely(known)
    if single := [one for one in native if not is_told_apart(one)]:
        yield (
            f"In {counted(len(single), 'case')} a single round tells which was fastest, not how "
            f"surely: {_fastest(single)}."
        )
    if without := [one for one in rivals if not one.row_of(NATIVE)]:
        yield f"In {counted(len(without), 'case')} native has no time; {_fastest(without)}."


def _fastest(summaries: Sequence[CaseSummary]) -> str:
    ranked = Counter(one.measured[0].implementation for one in summaries).most_common()
    texts = [f"{name} in {count}" for name, count in ranked[:_NAMED]]
    if more := ranked[_NAMED:]:
        texts.append(f"{len(more)} others in {sum(count for _, count in more)}")
    return ", ".join(texts)


def _surely(known: Sequence[CaseSummary]) -> str:
    won = [one for one in known if one.advised != one.row_of(NATIVE)]
    if not won:
        return f"In {counted(len(known), 'case')} none is clearly faster than native."
    said = (
        f"In {len(won)} of {counted(len(known), 'case')} another implementation is clearly faster "
        f"than native: {_winners(won)}."
    )
    others = len(known) - len(won)
    return f"{said} In the other {others} none is clearly faster." if others else said


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
    good = [(row, entry) for row, entry in rows if row.outcome in MEASURED_OUTCOMES]
    proved = sum(
        any(record.accuracy for record in entry.records[row.implementation]) for row, entry in good
    )
    said = [f"{counted(proved, 'job')} proved right against a float64 reference"] if proved else []
    if unproved := len(good) - proved:
        said.append(f"{counted(unproved, 'job')} measured by another tool, without a proof")
    bad = list(_bad([row for row, _ in rows]))
    return f"{'; '.join([*said, *(bad or (['none wrong, none failed'] if proved else []))])}."


def _bad(rows: Sequence[Row]) -> Iterator[str]:
    """What went wrong: how often, and of which implementations."""
    for name in ("wrong", *sorted(FAILED_OUTCOMES)):
        whose = Counter(row.implementation for row in rows if row.outcome == name)
        if whose:
            listed = [one for one, _ in whose.most_common(_NAMED)]
            listed += ["others"] if len(whose) > _NAMED else []
            yield f"{whose.total()} {word(name)} ({', '.join(listed)})"


def network_answers(machine: Machine) -> list[NetworkAnswer]:
    """What groups save and cost in each network, of the newest run that has all of it."""
    found: dict[str, NetworkAnswer] = {}
    for _, network in networks_of_machine(machine):
        if network.is_varied and network.title not in found:
            found[network.title] = answer_of(network)
    return list(found.values())


def networks_of_machine(machine: Machine) -> Iterator[tuple[Run, Network]]:
    """Every network of every run that came to its end, the newest run first.

    Sums over rounds are of one run, so no layer is taken from another.
    """
    for run, summaries in zip(reversed(machine.runs), reversed(machine.summaries), strict=True):
        if run.footer and not run.header.method.check_only:
            yield from ((run, network) for network in whole_networks(run, summaries))
