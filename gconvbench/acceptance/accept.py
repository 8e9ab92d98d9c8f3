"""Accepting what a comparison found: entries for the reviewed file."""

from __future__ import annotations

import math
import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gconvbench.acceptance.apply import side_name
from gconvbench.acceptance.entry import SIZED, Acceptance, entry_text, read_acceptances, read_text
from gconvbench.errors import ExitCode, UsageError
from gconvbench.records import ACCEPTABLE, JOB_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from gconvbench.records import CacheMode, Comparison, JobVerdict

__all__ = ["accept"]

_HEAD = """\
# Changes of times and results that were agreed to: reviewed, and read by `gconvbench gate`.
# An entry silences its own step only; once the baseline has it, it can go.
"""
_GLOB = re.compile(r"([*?[])")


def accept(  # noqa: PLR0913 (one argument per key of an entry)
    found: Comparison,
    *,
    path: Path,
    reason: str,
    expires: date,
    cases: str | None = None,
    implementations: str | None = None,
    largest_change: float | None = None,
) -> tuple[Acceptance, ...]:
    """Append to the file at `path` what accepts the failing jobs, and return it.

    Without globs each job gets an entry of its own, so that the review sees every one, and a slower
    suite one more; with a glob there is one entry for all that fails within.

    Args:
        found: the comparison, as a gate wrote it.
        path: the reviewed file, made where it is missing.
        reason: for the reviewer; not empty.
        expires: the last day on which the entries hold.
        cases: glob over case ids.
        implementations: glob over implementations' names.
        largest_change: as a share; the upper end of the interval, rounded up to a per cent, where
            it is not given.

    Raises:
        UsageError: nothing to accept, too small a `largest_change`, or a file that does not parse.
    """
    if not reason.strip():
        message = "reason is empty; say in words why this is intended"
        raise UsageError(message)
    entries = _entries(found, cases, implementations, largest_change, (reason, expires))
    if not entries:
        raise UsageError(_why_nothing(found, cases, implementations))
    _refuse_too_small(found, entries)
    _append(path, entries)
    return entries


def _entries(
    found: Comparison,
    cases: str | None,
    implementations: str | None,
    largest_change: float | None,
    why: tuple[str, date],
) -> tuple[Acceptance, ...]:
    failing = [
        (job, kinds)
        for job in found.jobs
        if fnmatchcase(job.case, cases or "*")
        and fnmatchcase(job.implementation, implementations or "*")
        and (kinds := _failing_kinds(job, found.fail_on))
    ]
    has_modes = len({job.cache_mode for job in found.jobs}) > 1
    drafts: list[tuple[str, str, CacheMode | None, list[str], list[float]]] = []
    if cases is None and implementations is None:
        for job, kinds in failing:
            names = _GLOB.sub(r"[\1]", job.case), _GLOB.sub(r"[\1]", job.implementation)
            mode = job.cache_mode if has_modes else None
            drafts.append((*names, mode, kinds, _sizes(job, kinds)))
        if any(finding.kind == "suite_slower" for finding in found.findings):
            high = found.suite.high if found.suite else 0.0
            drafts.append(("*", "*", None, ["suite_slower"], [high]))
    elif failing:
        together = list(dict.fromkeys(kind for _, kinds in failing for kind in kinds))
        sizes = [size for job, kinds in failing for size in _sizes(job, kinds)]
        drafts.append((cases or "*", implementations or "*", None, together, sizes))
    return tuple(
        Acceptance(
            cases=case,
            implementations=implementation,
            cache_mode=mode,
            kinds=tuple(kinds),
            from_=side_name(found.baseline),
            to=side_name(found.contender),
            largest_change=_largest(sizes, largest_change) if set(kinds) & set(SIZED) else None,
            reason=why[0].strip(),
            expires=why[1],
        )
        for case, implementation, mode, kinds, sizes in drafts
    )


def _failing_kinds(job: JobVerdict, fail_on: Sequence[str]) -> list[str]:
    """What of a job makes the exit code other than 0 and can be accepted."""
    kinds = [note.kind for note in job.notes if note.kind in fail_on]
    if JOB_KINDS[job.kind].exit_code != ExitCode.FINE or job.kind in fail_on:
        kinds.insert(0, job.kind)
    return [kind for kind in dict.fromkeys(kinds) if kind in ACCEPTABLE]


def _sizes(job: JobVerdict, kinds: Sequence[str]) -> list[float]:
    high = job.change.high if job.change and set(kinds) & set(SIZED) else None
    return [] if high is None else [high - 1]


def _largest(sizes: Sequence[float], given: float | None) -> float:
    """The size to write: what is given, else the largest rounded up to a per cent."""
    found = max(sizes, default=0.0)
    if given is None:
        return max(1, math.ceil(round(100 * found, 6))) / 100
    return given


def _refuse_too_small(found: Comparison, entries: Sequence[Acceptance]) -> None:
    """An entry that allows less than what was found would silence nothing."""
    for entry in entries:
        changes = [
            job.change.ratio - 1
            for job in found.jobs
            if job.kind == "slower"
            and job.change
            and entry.covers(job.case, job.implementation, job.cache_mode)
        ]
        if "suite_slower" in entry.kinds and found.suite:
            changes = [found.suite.shift]
        worst = max(changes, default=0.0)
        if entry.largest_change is not None and not entry.allows(worst):
            message = (
                f"largest change ({100 * entry.largest_change:g} %) must be at least what was "
                f"found, {100 * worst:.1f} %; give more, or narrow --case"
            )
            raise UsageError(message)


def _why_nothing(found: Comparison, cases: str | None, implementations: str | None) -> str:
    failing = {job.kind for job in found.jobs if JOB_KINDS[job.kind].exit_code != ExitCode.FINE}
    within = f" within {cases or '*'} {implementations or '*'}" if cases or implementations else ""
    other = ", ".join(sorted(failing - set(ACCEPTABLE)))
    never = f"; what fails is {other}, which cannot be accepted" if other else ""
    return f"nothing to accept{within}: no job there fails by an acceptable kind{never}"


def _append(path: Path, entries: Sequence[Acceptance]) -> None:
    """Write them behind what the file has, and only if the whole can be read back."""
    old = read_text(path) if path.exists() else _HEAD
    known = read_acceptances(old, str(path))
    if all(entry in known for entry in entries):
        message = f"{str(path)!r} has all {len(entries)} of these entries already"
        raise UsageError(message)
    added = [entry for entry in entries if entry not in known]
    text = "\n".join([old.rstrip("\n") + "\n", *(f"{entry_text(entry)}\n" for entry in added)])
    if read_acceptances(text, str(path)) != (*known, *added):
        message = f"{str(path)!r} cannot be appended to; write its entries as [[accepted]] tables"
        raise UsageError(message)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, "utf-8")
    partial.replace(path)
