"""From a judgement and the records behind it to the verdicts that are shown."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from gconvbench.records import (
    MEASURED_OUTCOMES,
    Change,
    Comparison,
    Finding,
    JobVerdict,
    Suite,
    dispatch_text,
    united_dispatch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gconvbench.comparing.pairs import Pair
    from gconvbench.gate import CaseVerdict, Judgement
    from gconvbench.records import CacheMode, Job, Record

__all__ = ["Row", "findings_of", "job_verdicts", "median_s", "suite_of", "with_judgement"]

_LARGER_ERROR = 1.5
_MORE_MEMORY, _LEAST_BYTES = 1.05, 1 << 20
"""A larger change of these is noted (a launch's peak varies by an allocator's blocks)."""


class Row(NamedTuple):
    """What is judged as one case: a pair of jobs in one cache mode."""

    pair: Pair
    cache_mode: CacheMode


def job_verdicts(
    pairs: Sequence[Pair],
    verdicts: Mapping[Row, tuple[CaseVerdict, float]],
    baseline: Mapping[Job, Sequence[Record]],
    contender: Mapping[Job, Sequence[Record]],
    modes: Sequence[CacheMode],
) -> tuple[JobVerdict, ...]:
    """One verdict per pair and cache mode, in the order of the pairs.

    Args:
        pairs: all of them.
        verdicts: of those that were judged, with the minimum effect.
        baseline: records by job.
        contender: likewise.
        modes: the method's cache modes.
    """
    found = []
    for pair in pairs:
        records = (
            baseline.get(pair.baseline, ()) if pair.baseline else (),
            contender.get(pair.contender, ()) if pair.contender else (),
        )
        for mode in modes:
            row = Row(pair, mode)
            found.append(_job_verdict(row, verdicts.get(row), *records))
    return tuple(found)


def _job_verdict(
    row: Row,
    judged: tuple[CaseVerdict, float] | None,
    baseline: Sequence[Record],
    contender: Sequence[Record],
) -> JobVerdict:
    pair = row.pair
    kind, detail = pair.kind, pair.detail
    if not kind or (kind == "new" and _failure(contender)):
        kind, detail = _measured_kind(pair, judged, baseline, contender)
    if kind == "new" and contender and not detail:
        detail = "it is right, and there is nothing to compare it with"
    other = pair.baseline.implementation if pair.baseline else ""
    return JobVerdict(
        case=pair.job.case,
        implementation=pair.job.implementation,
        baseline_implementation=other if other != pair.job.implementation else "",
        cache_mode=row.cache_mode,
        name=pair.name,
        kind=kind,
        change=_change(row, judged, baseline, contender),
        detail=detail,
        notes=(
            *_accuracy_note(baseline, contender),
            *_memory_note(baseline, contender),
            *(() if other != pair.job.implementation else _dispatch_note(baseline, contender)),
        ),
    )


def _measured_kind(
    pair: Pair,
    judged: tuple[CaseVerdict, float] | None,
    baseline: Sequence[Record],
    contender: Sequence[Record],
) -> tuple[str, str]:
    """How a pair ended that was to be measured."""
    was, now = _failure(baseline), _failure(contender)
    if now:
        return _failed_kind(pair, now, baseline)
    if was and _is_unsupported(baseline):
        return "new", f"unsupported by the baseline: {was.detail}"
    if was:
        return "no_baseline", f"the baseline {was.outcome}: {was.detail}"
    if judged is None or judged[0].word == "missing":
        return "not_reached", "fewer than two processes (rounds of a run) of a side have a time"
    return judged[0].word, judged[0].why


def _failed_kind(pair: Pair, now: Record, baseline: Sequence[Record]) -> tuple[str, str]:
    """Why the contender has no time.

    What comes from outside says only within its own jobs that it does not support a case.
    """
    if now.outcome == "unsupported":
        if pair.baseline is None or _is_unsupported(baseline):
            return "unsupported", now.detail
        return "missing", f"unsupported now: {now.detail}"
    is_nan = now.outcome == "wrong" and _is_not_finite(now)
    return ("not_finite" if is_nan else now.outcome), now.detail


def _is_unsupported(records: Sequence[Record]) -> bool:
    """Whether that is all that was ever said; what was also measured is not unsupported."""
    return bool(records) and all(one.outcome == "unsupported" for one in records)


def _failure(records: Iterable[Record]) -> Record | None:
    return next((one for one in records if one.outcome not in MEASURED_OUTCOMES), None)


def _is_not_finite(record: Record) -> bool:
    tensors = record.accuracy.tensors if record.accuracy else ()
    return any(tensor.error is None for tensor in tensors)


def median_s(records: Iterable[Record], mode: CacheMode) -> float | None:
    """The time as tables show it: the median over processes of the medians within."""
    found = [t.median_s for record in records for t in record.timings if t.cache_mode == mode]
    return statistics.median(found) if found else None


def _change(
    row: Row,
    judged: tuple[CaseVerdict, float] | None,
    baseline: Sequence[Record],
    contender: Sequence[Record],
) -> Change | None:
    before, after = (median_s(records, row.cache_mode) for records in (baseline, contender))
    if judged is None or before is None or after is None or not math.isfinite(judged[0].ratio):
        return None
    verdict, minimum = judged
    return Change(
        baseline_s=before,
        contender_s=after,
        ratio=verdict.ratio,
        low=_known(verdict.low),
        high=_known(verdict.high),
        p=verdict.p,
        baseline_processes=verdict.processes[0],
        contender_processes=verdict.processes[1],
        decided=verdict.p is not None,
        minimum_effect=minimum,
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _accuracy_note(baseline: Sequence[Record], contender: Sequence[Record]) -> tuple[Finding, ...]:
    before, after = _largest_error(baseline), _largest_error(contender)
    if before is None or after is None or after <= _LARGER_ERROR * max(before, 1e-300):
        return ()
    text = (
        f"error {before:.2g} times its limit before, {after:.2g} times now; up to "
        f"{_LARGER_ERROR:g} times as much is usual"
    )
    return (Finding("accuracy", text),)


def _largest_error(records: Sequence[Record]) -> float | None:
    errors = [
        tensor.error / tensor.limit
        for record in records
        if record.accuracy
        for tensor in record.accuracy.tensors
        if tensor.error is not None
    ]
    return max(errors, default=None)


def _memory_note(baseline: Sequence[Record], contender: Sequence[Record]) -> tuple[Finding, ...]:
    before, after = _peak_bytes(baseline), _peak_bytes(contender)
    if before is None or after is None:
        return ()
    if after <= _MORE_MEMORY * before or after - before <= _LEAST_BYTES:
        return ()
    text = f"peak of a launch {before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB now"
    return (Finding("memory", text),)


def _dispatch_note(baseline: Sequence[Record], contender: Sequence[Record]) -> tuple[Finding, ...]:
    """Of the same implementation only: two run different code by design."""
    sides = (baseline, contender)
    text = dispatch_text(*(united_dispatch(one.dispatch for one in side) for side in sides))
    return (Finding("dispatch", text),) if text else ()


def _peak_bytes(records: Sequence[Record]) -> float | None:
    peaks = [r.memory.peak_bytes for r in records if r.memory and r.memory.peak_bytes is not None]
    return statistics.median(peaks) if peaks else None


def suite_of(found: Judgement) -> Suite | None:
    """The common shift as it is shown."""
    if found.suite is None:
        return None
    suite = found.suite
    return Suite(
        shift=suite.ratio - 1,
        low=suite.low - 1,
        high=suite.high - 1,
        p=suite.p,
        confirmed=suite.confirmed,
        controls=suite.controls,
        controls_shift=None if suite.controls_ratio is None else suite.controls_ratio - 1,
        anchors_shift=None if found.anchors is None else found.anchors.ratio - 1,
    )


def findings_of(found: Judgement) -> tuple[Finding, ...]:
    """What is true of the whole."""
    findings = []
    if found.machine_moved and found.anchors:
        percent = 100 * (found.anchors.ratio - 1)
        findings.append(
            Finding("machine_moved", f"by {percent:+.1f} %; see what else runs, and gate again")
        )
    suite = found.suite
    if suite is not None and suite.confirmed:
        kind = "suite_slower" if suite.ratio > 1 else "suite_faster"
        findings.append(Finding(kind, f"by {100 * (suite.ratio - 1):+.1f} %, median over jobs"))
    if not found.enough:
        refused = f"{sum(found.refused)} of {sum(found.processes)} refused"
        findings.append(Finding("too_noisy", f"{refused}; gate again on a quieter machine"))
    return tuple(findings)


def with_judgement(found: Comparison, judgement: Judgement) -> Comparison:
    """The comparison with what a judgement says of all jobs together."""
    known = judgement.detectable[np.isfinite(judgement.detectable)]
    return msgspec.structs.replace(
        found,
        suite=suite_of(judgement),
        detectable=float(np.median(known)) if known.size else None,
        extra=round(judgement.extra, 3),
    )
