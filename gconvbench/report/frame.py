"""A run as a pandas data frame, for notebooks and spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from gconvbench.cases import flops, min_bytes, parameters, parse_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.records import Record
    from gconvbench.store import Run

__all__ = ["to_frame"]


def to_frame(run: Run) -> pd.DataFrame:
    """One row per record and cache mode: the job, the case's fields and costs, outcome and time.

    Columns `*_s` are seconds, `*_bytes` bytes; `time_s` is the median of the row's samples, empty
    where nothing was timed; `twin` is 1 for the second measuring of the same job in a round.
    """
    return pd.DataFrame([row for record in run.records for row in _rows(record)])


def _rows(record: Record) -> Iterator[dict[str, Any]]:
    case = parse_case(record.job.case)
    tensors = record.accuracy.tensors if record.accuracy else ()
    base = {
        "case": record.job.case,
        "implementation": record.job.implementation,
        "twin": record.job.twin,
        "round": record.round,
        "outcome": record.outcome,
        "detail": record.detail,
        **msgspec.structs.asdict(case),
        "flops": flops(case),
        "min_bytes": min_bytes(case),
        "parameters": parameters(case),
        "error": max((t.group_error for t in tensors if t.group_error is not None), default=None),
        "first_launch_s": record.first_launch_s,
        "peak_bytes": record.memory.peak_bytes if record.memory else None,
        "workspace_bytes": record.memory.workspace_bytes if record.memory else None,
    }
    for timing in record.timings:
        yield base | {
            "cache_mode": timing.cache_mode,
            "time_s": timing.median_s,
            "samples": len(timing.samples_s),
            "labels": "; ".join(timing.labels),
        }
    if not record.timings:
        yield base | {"cache_mode": None, "time_s": None, "samples": 0, "labels": ""}
