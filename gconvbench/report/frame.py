"""A run as a pandas data frame, for notebooks and spreadsheets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from gconvbench.cases import Case, case_if_any, flops, min_bytes, parameters
from gconvbench.store import find_run, load_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

    from gconvbench.records import Record, Timing
    from gconvbench.store import Run

__all__ = ["COLUMNS", "SAMPLE_COLUMNS", "load", "to_frame"]

_FIELDS = Case.__struct_fields__
COLUMNS = (
    *("case", "implementation", "twin", "round", "outcome", "detail"),
    *_FIELDS,
    *("flops", "min_bytes", "parameters", "error", "first_launch_s", "peak_bytes"),
    *("workspace_bytes", "floor_s", "cache_mode", "time_s", "of_floor", "samples", "labels"),
)
SAMPLE_COLUMNS = ("sample", "sample_s")


def load(
    run: str | PathLike[str] = "latest",
    *,
    results: str | PathLike[str] = "results",
    samples: bool = False,
) -> pd.DataFrame:
    """Read a stored run: one row per record and cache mode, or one per sample.

    Needs no torch. Runs that were imported are read likewise; where the case is another tool's
    benchmark, what follows from a case is empty.

    Args:
        run: a file, a run's name or the start of it, `latest`, `latest~1`.
        results: the folder where runs are stored.
        samples: one row per sample instead, with two more columns.

    Returns:
        A table with these columns; empty cells are what is not known.

        `case`: the case id, or the name of another tool's benchmark.
        `implementation`: which way of computing it.
        `twin`: 1 for the second measuring of the same job in a round (A/A), else 0.
        `round`: which fresh process, counted from 1.
        `outcome`: `measured`, `checked`, `unsupported`, `wrong`, `failed` and so on.
        `detail`: the reason, where it was not measured.
        `operation`: `conv`, or `conv_shuffle` and its like.
        `groups`: of the convolution, as are the following.
        `batch`: images.
        `in_channels`: as in `torch.nn.Conv2d`.
        `out_channels`: likewise.
        `height`: of the input, in pixels.
        `width`: likewise.
        `kernel_size`: a pair (height, width), as are the following.
        `stride`: in pixels.
        `padding`: on each side, in pixels.
        `dilation`: 1 is none.
        `bias`: whether there is one.
        `dtype`: such as `float32`.
        `math_mode`: `ieee` or `tf32`.
        `memory_format`: `contiguous` or `channels_last`.
        `direction`: `fprop`, `dgrad`, `wgrad`, `training`.
        `flops`: floating-point operations of a launch.
        `min_bytes`: that a launch must move at the least.
        `parameters`: of the layer.
        `error`: the largest relative error of any group in any result.
        `first_launch_s`: seconds that preparing and the first launch took.
        `peak_bytes`: the most memory that a launch takes beside its operands.
        `workspace_bytes`: what of it is no result.
        `floor_s`: the least seconds per launch by the ceilings that the run's machine had
            (`gconvbench roofline`).
        `cache_mode`: the view, such as `hot`; empty where nothing was timed.
        `time_s`: the median of the samples, in seconds per launch.
        `of_floor`: `floor_s` over `time_s`; more than 1 where data stay in a cache.
        `samples`: how many there are.
        `labels`: what to know of them, separated by semicolons.
        `sample`: only with `samples`, the sample's number in its row, counted from 0.
        `sample_s`: only with `samples`, its value in seconds per launch.

    Raises:
        UsageError: no such run, or it cannot be read.
    """
    return to_frame(load_run(find_run(Path(results), str(run))), samples=samples)


def to_frame(run: Run, *, samples: bool = False) -> pd.DataFrame:
    """The table that `load` returns, of a run that was read already."""
    columns = (*COLUMNS, *SAMPLE_COLUMNS) if samples else COLUMNS
    rows = (row for record in run.records for row in _rows(record))
    if samples:
        return pd.DataFrame(_of_samples(rows), columns=list(columns))
    return pd.DataFrame((row for row, _ in rows), columns=list(columns))


def _rows(record: Record) -> Iterator[tuple[dict[str, Any], Timing | None]]:
    """One per cache mode, and the timing that it is of."""
    tensors = record.accuracy.tensors if record.accuracy else ()
    base = {
        "case": record.job.case,
        "implementation": record.job.implementation,
        "twin": record.job.twin,
        "round": record.round,
        "outcome": record.outcome,
        "detail": record.detail,
        **_of_case(record.job.case),
        "error": max((t.group_error for t in tensors if t.group_error is not None), default=None),
        "first_launch_s": record.first_launch_s,
        "peak_bytes": record.memory.peak_bytes if record.memory else None,
        "workspace_bytes": record.memory.workspace_bytes if record.memory else None,
        "floor_s": record.floor_s,
    }
    for timing in record.timings:
        row = base | {
            "cache_mode": timing.cache_mode,
            "time_s": timing.median_s,
            "of_floor": None if record.floor_s is None else record.floor_s / timing.median_s,
            "samples": len(timing.samples_s),
            "labels": "; ".join(timing.labels),
        }
        yield row, timing
    if not record.timings:
        untimed = {"cache_mode": None, "time_s": None, "of_floor": None, "samples": 0, "labels": ""}
        yield base | untimed, None


def _of_case(text: str) -> dict[str, Any]:
    """Its fields and costs; empty where it is no case."""
    case = case_if_any(text)
    if case is None:
        return dict.fromkeys((*_FIELDS, "flops", "min_bytes", "parameters"))
    return {
        **msgspec.structs.asdict(case),
        "flops": flops(case),
        "min_bytes": min_bytes(case),
        "parameters": parameters(case),
    }


def _of_samples(
    rows: Iterable[tuple[dict[str, Any], Timing | None]],
) -> Iterator[dict[str, Any]]:
    """One row per sample; one without where nothing was timed."""
    for row, timing in rows:
        if timing is None:
            yield row
            continue
        for number, sample_s in enumerate(timing.samples_s):
            yield row | {"sample": number, "sample_s": sample_s}
