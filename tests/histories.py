"""Histories of stored runs, made of one real run again and again with scaled times."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from gconvbench.records import encode_line
from gconvbench.store import load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gconvbench.records import Dispatch, Header, Record

__all__ = ["SOURCE", "commit_of", "store_history"]

SOURCE = (
    Path(__file__).parents[1]
    / "results/runs/amd-epyc-8d7ad4d3/20261125T155407Z-1b83af3.jsonl"
)  # fmt: skip
"""Three cases by three implementations in three rounds."""
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_NOISE = 0.01


def commit_of(index: int) -> str:
    """The commit of the so manyth run."""
    return hashlib.sha1(str(index).encode(), usedforsecurity=False).hexdigest()


def store_history(  # noqa: PLR0913 (one argument per thing that changes)
    results: Path,
    runs: int,
    factor: Callable[[int, Record], float] = lambda _index, _record: 1.0,
    *,
    under_test: Callable[[int], Mapping[str, str]] = lambda _index: {},
    machine: str = "box-cpu",
    dispatch: Callable[[int], Dispatch | None] = lambda _index: None,
) -> list[str]:
    """One run a day, each at a commit of its own; their names.

    Args:
        results: the folder under which `runs/` is made.
        runs: how many.
        factor: by which each record's times are multiplied, beside noise of 1 % per record.
        under_test: facts of the environment that each run changes.
        machine: whose.
        dispatch: of every launch of a run.
    """
    source = load_run(SOURCE)
    rng = np.random.default_rng(0)
    folder = results / "runs" / machine
    folder.mkdir(parents=True)
    names = []
    for index in range(runs):
        header = _header(source.header, index, machine, under_test(index))
        records = (
            replace(
                _scaled(record, factor(index, record) * float(np.exp(rng.normal(0, _NOISE)))),
                dispatch=dispatch(index),
            )
            for record in source.records
        )
        lines = [one + b"\n" for one in (encode_line(header), *map(encode_line, records))]
        (folder / f"{header.run}.jsonl").write_bytes(b"".join(lines))
        names.append(header.run)
    return names


def _header(header: Header, index: int, machine: str, under_test: Mapping[str, str]) -> Header:
    when, commit = _FIRST + timedelta(days=index), commit_of(index)
    facts = {**header.environment.under_test, "commit": commit, **under_test}
    return replace(
        header,
        run=f"{when:%Y%m%dT%H%M%SZ}-{commit[:7]}",
        created=when.isoformat(),
        machine=machine,
        environment=replace(header.environment, under_test=facts),
    )


def _scaled(record: Record, factor: float) -> Record:
    return replace(
        record,
        timings=tuple(
            replace(timing, samples_s=tuple(factor * one for one in timing.samples_s))
            for timing in record.timings
        ),
    )
