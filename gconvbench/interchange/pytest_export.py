"""A stored run as the JSON document that pytest-benchmark itself writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gconvbench.errors import UsageError
from gconvbench.interchange.carried import KEY, carried
from gconvbench.interchange.jobs import jobs_of_run
from gconvbench.interchange.machine import machine_info
from gconvbench.interchange.pytest_statistics import statistics_of

if TYPE_CHECKING:
    from gconvbench.interchange.jobs import JobTimes, JobWhole
    from gconvbench.records import Header
    from gconvbench.store import Run

__all__ = ["VERSION", "pytest_document", "pytest_text"]

VERSION = "5.3.1"
"""Of pytest-benchmark, whose document this is."""


def pytest_text(run: Run) -> str:
    """The text of the file; of a run that was read from such a file that file, verbatim.

    Raises:
        UsageError: the run was read from files of another tool, or has no times.
    """
    origin = run.header.origin
    if origin is not None and origin.tool == "pytest-benchmark":
        return next(iter(origin.files.values()))
    return json.dumps(pytest_document(run), indent=2) + "\n"


def pytest_document(run: Run) -> dict[str, Any]:
    """One benchmark per job and cache mode with times, grouped by case; the run itself inside.

    Raises:
        UsageError: no job has times that pytest-benchmark could show.
    """
    jobs = jobs_of_run(run)
    names = {(one.job, mode): _fullname(one, mode) for one in jobs for mode in one.times}
    if not names:
        message = f"run {run.header.run} has no times; pytest-benchmark has nothing else"
        raise UsageError(message)
    header = run.header
    return {
        "machine_info": machine_info(header.environment, header.machine),
        "commit_info": _commit_info(header),
        "benchmarks": [
            _benchmark(one, mode, times, header)
            for one in jobs
            for mode, times in one.times.items()
        ],
        "datetime": header.created,
        "version": VERSION,
        KEY: carried(header, run.records, names),
    }


def _fullname(one: JobWhole, mode: str) -> str:
    return f"{one.job.case}[{_name(one, mode)}]"


def _name(one: JobWhole, mode: str) -> str:
    return f"{one.job.implementation}-{mode}"


def _commit_info(header: Header) -> dict[str, Any]:
    tested = header.environment.under_test
    return {
        "id": tested.get("commit") or "unversioned",
        "time": None,
        "author_time": None,
        "dirty": bool(tested.get("commit_dirty")),
        "project": KEY,
        "branch": "(unknown)",
    }


def _benchmark(one: JobWhole, mode: str, times: JobTimes, header: Header) -> dict[str, Any]:
    params = {
        "case": one.job.case,
        "implementation": one.job.implementation,
        "cache_mode": mode,
    }
    worst = one.worst_tensor
    return {
        "group": one.job.case,
        "name": _name(one, mode),
        "fullname": _fullname(one, mode),
        "params": params,
        "param": f"{one.job.case}-{_name(one, mode)}",
        "extra_info": {
            **params,
            "machine": header.machine,
            "error": worst.group_error if worst else None,
            "limit": worst.limit if worst else None,
            "labels": list(times.labels),
            "launches_per_sample": times.launches_per_sample,
        },
        "options": {},
        "stats": _stats(times),
    }


def _stats(times: JobTimes) -> dict[str, Any]:
    try:
        found = statistics_of(times.samples_s)
    except ArithmeticError:
        message = f"samples of {max(times.samples_s):g} s are too long to compute with"
        raise UsageError(message) from None
    return {**found, "data": list(times.samples_s), "iterations": 1}
