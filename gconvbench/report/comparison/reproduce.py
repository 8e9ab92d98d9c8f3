"""The commands that follow from a comparison: the same again, with more processes, accept."""

from __future__ import annotations

import itertools
import math
import shlex
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.errors import ExitCode
from gconvbench.records import ACCEPTABLE, FINDING_KINDS, JOB_KINDS
from gconvbench.report.comparison.ranking import (
    failing_notes,
    job_exit_code,
    jobs_worst_first,
)
from gconvbench.report.comparison.words import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gconvbench.records import Comparison, JobVerdict

__all__ = ["LOOK_AGAIN_PAIRS", "Command", "commands"]

LOOK_AGAIN_PAIRS = 10
"""Against 3 in a pull request: intervals shrink to about half of their width."""
_MORE_BUDGET = 4
"""Times the budget, for three times the pairs and a second look."""
_MOST_CASES = 3
_OF_TIMES = frozenset(
    name for name, kind in JOB_KINDS.items() if kind.verdict in {"slower", "uncertain"}
)
"""Kinds about which more processes tell more."""
_COMMIT_DIGITS = 10
_LONGEST = 2_000
"""Characters; longer ones are told in words."""
_CHOOSING = {
    "--case",
    "--cases",
    "--sweep",
    "-a",
    "--axis",
    "--implementation",
    "--pairs",
    "--budget",
}


class Command(NamedTuple):
    """What it is for, and how to write it in a shell.

    Attributes:
        purpose: such as `to reproduce`.
        pieces: the program's and the command's name, then each option with its value, quoted.
    """

    purpose: str
    pieces: tuple[str, ...]

    @property
    def line(self) -> str:
        """The whole command in one line."""
        return " ".join(self.pieces)


def commands(found: Comparison) -> list[Command]:
    """What to type next, in the order in which one would."""
    kept = (*_seeded(found), *_pinned(found))
    lines = [Command("to reproduce", _pieces(found.command, found.selection, kept))]
    failing = [job for job in jobs_worst_first(found) if job_exit_code(job, found.fail_on)]
    timed = [job for job in failing if job.kind in _OF_TIMES]
    if timed and found.command == "gate":
        lines.append(Command("to look again with more processes", _look_again(found, timed, kept)))
    if _can_be_accepted(found, failing):
        reason = ("--reason", "why this is intended")
        lines.append(Command("to accept what was found", _pieces("accept", reason)))
    return [one if len(one.line) <= _LONGEST else _too_long(one) for one in lines]


def _too_long(command: Command) -> Command:
    message = f"# {len(command.line):,} characters long: see 'selection' in comparison.json"
    return Command(command.purpose, (message,))


def _seeded(found: Comparison) -> tuple[str, ...]:
    is_given = any(word.partition("=")[0] == "--seed" for word in found.selection)
    return () if is_given or not found.seed else ("--seed", str(found.seed))


def _pinned(found: Comparison) -> tuple[str, ...]:
    """The baseline that was found because none was given: tomorrow it may be another."""
    names = [word for word in found.selection if word.startswith(("--baseline", "--contender"))]
    if names or found.command != "gate" or not found.baseline.commit:
        return ()
    return ("--baseline", found.baseline.commit[:_COMMIT_DIGITS])


def _look_again(
    found: Comparison, failing: Sequence[JobVerdict], kept: Sequence[str]
) -> tuple[str, ...]:
    """The first cases only: with all of them it would be the same run again."""
    cases = list(dict.fromkeys(job.case for job in failing))[:_MOST_CASES]
    chosen = [job for job in failing if job.case in cases]
    names = ",".join(dict.fromkeys(job.implementation for job in chosen))
    options = [word for case in cases for word in ("--case", case)]
    options += ["--implementation", names, "--pairs", str(LOOK_AGAIN_PAIRS)]
    if found.budget_s is not None:  # it may be what was short, and may come from a file
        options += ["--budget", f"{math.ceil(_MORE_BUDGET * found.budget_s)}s"]
    return _pieces(found.command, _without_choice(found.selection), kept, options)


def _without_choice(selection: Sequence[str]) -> list[str]:
    """The options that do not choose cases, implementations or the number of pairs."""
    left: list[str] = []
    words = iter(selection)
    for word in words:
        name, has_value, _ = word.partition("=")
        if name not in _CHOOSING:
            left.append(word)
        elif not has_value:
            next(words, None)
    return left


def _can_be_accepted(found: Comparison, failing: Iterable[JobVerdict]) -> bool:
    kinds = {job.kind for job in failing}
    kinds |= {note.kind for job in failing for note in failing_notes(job, found.fail_on)}
    kinds |= {
        finding.kind
        for finding in found.findings
        if FINDING_KINDS[finding.kind].exit_code == ExitCode.SLOWER
    }
    return bool(kinds & set(ACCEPTABLE))


def _pieces(command: str, *options: Sequence[str]) -> tuple[str, ...]:
    pieces = [f"gconvbench {command}"]
    takes_value = False
    for word in itertools.chain(*options):
        quoted = shlex.quote(clean(word))
        if takes_value and not word.startswith("-"):
            pieces[-1] += f" {quoted}"
        else:
            pieces.append(quoted)
        takes_value = word.startswith("-") and "=" not in word
    return tuple(pieces)
