"""A run as the list that github-action-benchmark draws (`customSmallerIsBetter`).

https://github.com/benchmark-action/github-action-benchmark
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from gconvbench.errors import UsageError
from gconvbench.interchange.jobs import jobs_of_run
from gconvbench.stats import estimate_over_rounds

if TYPE_CHECKING:
    from gconvbench.interchange.jobs import JobTimes, JobWhole
    from gconvbench.records import Header
    from gconvbench.store import Run

__all__ = ["UNIT", "github_action_text"]

UNIT = "µs"
"""The same for all times of all files: a chart's points must not change their unit."""
_PER_SECOND = 1e6


def github_action_text(run: Run) -> str:
    """JSON with one entry per job and cache mode with times: the median over rounds of medians.

    `range` is half the width of the 95 % interval over rounds, absent for a single round.

    Raises:
        UsageError: the run has no times.
    """
    entries = [
        _entry(one, mode, times, run.header)
        for one in jobs_of_run(run)
        for mode, times in one.times.items()
    ]
    if not entries:
        message = f"run {run.header.run} has no times; there is nothing to draw"
        raise UsageError(message)
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def _entry(one: JobWhole, mode: str, times: JobTimes, header: Header) -> dict[str, Any]:
    estimate = estimate_over_rounds(times.medians_s)
    tested = header.environment.under_test
    extra = {
        "case": one.job.case,
        "machine": header.machine,
        "torch": tested.get("torch"),
        "commit": tested.get("commit"),
    }
    entry = {
        "name": f"{one.job.case} {one.job.implementation} {mode}",
        "unit": UNIT,
        "value": estimate.median_s * _PER_SECOND,
    }
    if estimate.half_width is not None:
        half_width_s = estimate.median_s * math.expm1(estimate.half_width)
        entry["range"] = f"± {half_width_s * _PER_SECOND:.3g}"
    return {**entry, "extra": "\n".join(f"{key}: {value}" for key, value in extra.items() if value)}
