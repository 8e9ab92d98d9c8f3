"""Do fresh processes choose the same algorithm for the same job, and take the same time?

With `cudnn.benchmark` each process times cuDNN's candidates once and keeps what won, so that chance
may choose; the plan that is kept does not depend on the switch any more. So it is on or off for the
whole life of a process, and processes are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.cases import Case, case_id
from gconvbench.records import Check, Job, Method, Record, dispatch_text
from gconvbench.runner.connection import WorkerLostError
from gconvbench.runner.process import WorkerProcess
from gconvbench.runner.side import Side
from gconvbench.store import with_kernels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gconvbench.records import CheckState, Scalar

__all__ = ["algorithm_stability", "stability_of"]

PROCESSES = {"off": 2, "on": 2}
"""By `cudnn.benchmark`. Two processes that differ are enough to tell; that two agree by chance is
possible, and each more costs an import of PyTorch and a context on the card, some seconds."""
ADVISABLE_SPREAD = 0.03
"""Longest over shortest median of the processes, less one. Fresh processes differ by several times
the spread within one, which on CUDA is asked to be 0.5 %."""
LARGEST_SPREAD = 0.10
"""Differences that people look for would be between processes, not between what they compare."""
_CASES = (
    Case(
        groups=32, in_channels=128, out_channels=128, height=28, width=28, batch=16,
        padding=(1, 1), dtype="float16",
    ),
    Case(in_channels=64, out_channels=64, height=28, width=28, batch=16, padding=(1, 1)),
)  # fmt: skip
"""A grouped layer and an ordinary one; cuDNN has several algorithms for both."""
_TIMEOUT_S = 60.0
_MAX_TIME_S = 0.2
"""Of samples per case: what is looked for is larger than what more of them would tell."""


def algorithm_stability(device: str, method: Method) -> Check:
    """Measure two cases in fresh processes, with `cudnn.benchmark` off and on.

    Raises:
        UsageError: the device cannot be used any more.
        NotMeasuredError: a worker did not start.
    """
    hot = replace(method, cache_modes=("hot",), max_time_s=_MAX_TIME_S, check_only=False)
    found: dict[str, list[Mapping[Job, Record]]] = {
        word: [_measured(device, hot, on=word == "on") for _ in range(count)]
        for word, count in PROCESSES.items()
    }
    return stability_of(found)


def _measured(device: str, method: Method, *, on: bool) -> dict[Job, Record]:
    side = Side(what="a fresh process", switches={"cudnn_benchmark": on})
    jobs = [Job(case_id(case), "native") for case in _CASES]
    with WorkerProcess(device, method, side) as worker:
        records = {job: _record(worker, job) for job in jobs}
        return {job: _seen(worker, record) for job, record in records.items()}


def _record(worker: WorkerProcess, job: Job) -> Record:
    try:
        return worker.measure(job, 1, timeout_s=_TIMEOUT_S)
    except WorkerLostError as error:
        return Record(job=job, round=1, outcome=error.outcome, detail=f"the worker {error}")


def _seen(worker: WorkerProcess, record: Record) -> Record:
    """With its kernels, which are looked at when the last time was taken; as it is without any."""
    if not record.timings:
        return record
    try:
        return with_kernels(record, worker.see_kernels(record.job, record.round))
    except WorkerLostError:
        return record


def stability_of(found: Mapping[str, Sequence[Mapping[Job, Record]]]) -> Check:
    """Judge what the processes measured.

    With the switch off other kernels, or times that lie far apart, make the instrument unfit: runs
    are measured so. With it on they are advice against the switch.

    Args:
        found: by the switch, `off` or `on`, per process its records by job.
    """
    words: list[str] = []
    figures: dict[str, Scalar] = {}
    worst: CheckState = "fine"
    for switch, processes in found.items():
        state, spread, told = _compared(processes)
        figures[f"{switch}_spread"] = spread
        figures[f"{switch}_processes"] = len(processes)
        words.append(f"cudnn.benchmark {switch}: {told}")
        if switch == "on" and state == "unfit":
            state = "advice"
        worst = max(worst, state, key=("fine", "advice", "unfit").index)
    return Check(
        name="algorithm_stability",
        state=worst,
        found="; ".join(words),
        advice="" if worst == "fine" else _ADVICE[worst],
        figures=figures,
    )


_ADVICE: dict[str, str] = {
    "advice": "leave cudnn.benchmark off, or compare over more --rounds of fresh processes, and "
    "look at the kernels beside each time",
    "unfit": "the same job is not the same work in each process: look at the kernels beside each "
    "time, and at what else runs on the card",
}


def _compared(processes: Sequence[Mapping[Job, Record]]) -> tuple[CheckState, float | None, str]:
    """How bad, how far apart at most, and in words."""
    spreads: list[float] = []
    for job in processes[0]:
        records = [one[job] for one in processes]
        if failed := [one for one in records if not one.timings]:
            return "unfit", None, f"{failed[0].outcome}: {failed[0].detail}"
        if other := _other_kernels(records):
            return "unfit", None, f"other kernels in another process: {other}"
        medians_s = [one.timings[0].median_s for one in records]
        spreads.append(max(medians_s) / min(medians_s) - 1)
    spread = max(spreads)
    told = f"{len(processes)} processes within {100 * spread:.2g} %{_unseen(processes)}"
    if spread > LARGEST_SPREAD:
        return "unfit", spread, told
    return ("advice" if spread > ADVISABLE_SPREAD else "fine"), spread, told


def _unseen(processes: Sequence[Mapping[Job, Record]]) -> str:
    """That nothing was seen to tell algorithms apart by, where it is so."""
    dispatches = [record.dispatch for one in processes for record in one.values()]
    are_seen = all(one is not None and one.kernels for one in dispatches)
    return "" if are_seen else " (their kernels were not seen)"


def _other_kernels(records: Sequence[Record]) -> str:
    first, *others = (record.dispatch for record in records)
    texts = (dispatch_text(first, one) for one in others if first and one)
    return next(filter(None, texts), "")
