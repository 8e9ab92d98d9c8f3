"""Stored runs as sides: their jobs, their times, and what two of them can say of each other."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gconvbench.comparing.conclude import Row, findings_of, job_verdicts, with_judgement
from gconvbench.comparing.incomparable import other_environment, other_method, other_modes
from gconvbench.comparing.pairs import Offer, pair_up
from gconvbench.gate import Rule, judge, level
from gconvbench.records import Comparison, Finding, SideFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gconvbench.gate.processes import Floats
    from gconvbench.records import Job, Record
    from gconvbench.store import Run

__all__ = ["compare_runs", "facts_of", "offer_of", "records_by_job", "times_of"]


def records_by_job(run: Run) -> dict[Job, list[Record]]:
    """Each job's records in the order of its rounds; twins are left out."""
    found: dict[Job, list[Record]] = {}
    for record in sorted(run.records, key=lambda one: one.round):
        if not record.job.twin:
            found.setdefault(record.job, []).append(record)
    return found


def offer_of(run: Run) -> Offer:
    """What the run has: its jobs, and why some could not be done."""
    reasons = {
        job: next((r.detail for r in records if r.outcome == "unsupported"), None)
        for job, records in records_by_job(run).items()
    }
    return Offer(reasons, {planned.case: planned.name for planned in run.header.plan.cases})


def times_of(records: Mapping[Job, Sequence[Record]], rows: Sequence[Row], side: int) -> Floats:
    """What stands for each process, in seconds: (rows, rounds, 1); NaN where a round is missing.

    Args:
        records: of one side.
        rows: what is compared.
        side: 0 for the baseline's job of each row, 1 for the contender's.
    """
    jobs = [(row.pair.baseline, row.pair.contender)[side] for row in rows]
    rounds = max((r.round for job in jobs if job for r in records.get(job, ())), default=0)
    levels = np.full((len(rows), max(rounds, 1)), math.nan)
    for i, (row, job) in enumerate(zip(rows, jobs, strict=True)):
        for record in records.get(job, ()) if job else ():
            for timing in record.timings:
                if timing.cache_mode == row.cache_mode:
                    levels[i, record.round - 1] = level(np.array(timing.samples_s))
    return np.exp(levels)[..., None]


def facts_of(run: Run) -> SideFacts:
    """The run as a side."""
    header = run.header
    commit = str(header.environment.under_test.get("commit") or "")
    return SideFacts(
        what=f"stored run {header.run}",
        run=header.run,
        commit=commit,
        torch=str(header.environment.under_test.get("torch") or ""),
        machine=header.machine,
        processes=max((record.round for record in run.records), default=0),
    )


def compare_runs(before: Run, after: Run, *, selection: Sequence[str] = ()) -> Comparison:
    """What two stored runs can say of each other: at most that something looks slower.

    Args:
        before: the baseline.
        after: the contender.
        selection: the command line, to repeat it.
    """
    rule = Rule()
    records = (records_by_job(before), records_by_job(after))
    pairs = pair_up(offer_of(before), offer_of(after))
    modes = after.header.method.cache_modes
    rows = [Row(pair, mode) for pair in pairs if not pair.kind for mode in modes]
    findings = (
        *other_environment(before.header.environment, after.header.environment),
        *other_method(before.header.method, after.header.method),
        *other_modes(before.header.plan, after.header.plan),
    )
    found = Comparison(
        command="compare",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=after.header.device,
        baseline=facts_of(before),
        contender=facts_of(after),
        jobs=job_verdicts(pairs, {}, *records, modes),
        findings=findings,
        rule={name: getattr(rule, name) for name in rule.__dataclass_fields__},
        selection=tuple(selection),
    )
    if not rows:
        nothing = Finding("empty", "the two runs have no job in common")
        return msgspec.structs.replace(found, findings=(*findings, nothing))
    times_s = [times_of(side, rows, at) for at, side in enumerate(records)]
    judgement = judge(times_s[0], times_s[1], rule=rule)
    verdicts = {row: (judgement.cases[i], rule.minimum_effect) for i, row in enumerate(rows)}
    screened = Finding("only_screened", "gconvbench gate measures both sides, and decides")
    found = msgspec.structs.replace(
        found,
        jobs=job_verdicts(pairs, verdicts, *records, modes),
        findings=(*findings, *findings_of(judgement), screened),
    )
    return with_judgement(found, judgement)
