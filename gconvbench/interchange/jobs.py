"""What became of each job over all rounds of a run, as other tools want to have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gconvbench.records import MEASURED_OUTCOMES, CacheMode, Job, Memory, Record

if TYPE_CHECKING:
    from gconvbench.records import TensorAccuracy
    from gconvbench.store import Run

__all__ = ["JobTimes", "JobWhole", "jobs_of_run"]


class JobTimes(msgspec.Struct, frozen=True):
    """The times of a job in one cache mode.

    Attributes:
        samples_s: of all rounds, one after the other, in seconds.
        medians_s: one per round.
        launches_per_sample: in the first round.
        labels: of any round.
    """

    samples_s: tuple[float, ...]
    medians_s: tuple[float, ...]
    launches_per_sample: int
    labels: tuple[str, ...]


class JobWhole(msgspec.Struct, frozen=True, kw_only=True):
    """A job over all rounds; with times only where every round went well, and never of twins.

    Attributes:
        job: which.
        state: `good`, or `unsupported`, or `bad` where any round went wrong.
        records: of all rounds.
        times: by cache mode.
    """

    job: Job
    state: Literal["good", "unsupported", "bad"]
    records: tuple[Record, ...]
    times: dict[CacheMode, JobTimes]

    @property
    def worst_tensor(self) -> TensorAccuracy | None:
        """The result with the largest error; None where none is known or one is not finite."""
        tensors = [t for one in self.records if one.accuracy for t in one.accuracy.tensors]
        if not tensors or any(one.group_error is None for one in tensors):
            return None
        return max(tensors, key=lambda one: one.group_error or 0.0)

    @property
    def memories(self) -> tuple[Memory, ...]:
        """What a launch took in each round, where that is known."""
        found = (one.memory for one in self.records)
        return tuple(one for one in found if one and one.told_bytes is not None)


def jobs_of_run(run: Run) -> list[JobWhole]:
    """Every job that is no twin, in the order in which the run came to them."""
    found: dict[Job, list[Record]] = {}
    for record in run.records:
        if not record.job.twin:
            found.setdefault(record.job, []).append(record)
    return [_whole(job, records) for job, records in found.items()]


def _whole(job: Job, records: list[Record]) -> JobWhole:
    outcomes = {record.outcome for record in records}
    state: Literal["good", "unsupported", "bad"] = "good"
    if outcomes - MEASURED_OUTCOMES:
        state = "unsupported" if outcomes == {"unsupported"} else "bad"
    times = _times(records) if state == "good" else {}
    return JobWhole(job=job, state=state, records=tuple(records), times=times)


def _times(records: list[Record]) -> dict[CacheMode, JobTimes]:
    timings = [timing for record in records for timing in record.timings]
    found: dict[CacheMode, JobTimes] = {}
    for mode in dict.fromkeys(timing.cache_mode for timing in timings):
        of_mode = [timing for timing in timings if timing.cache_mode == mode]
        found[mode] = JobTimes(
            samples_s=tuple(sample_s for timing in of_mode for sample_s in timing.samples_s),
            medians_s=tuple(timing.median_s for timing in of_mode),
            launches_per_sample=of_mode[0].launches_per_sample,
            labels=tuple(sorted({label for timing in of_mode for label in timing.labels})),
        )
    return found
