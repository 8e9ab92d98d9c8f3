"""What a job is and what it leaves behind in one round."""

from __future__ import annotations

import math
import statistics
from typing import Annotated, Any, Literal, get_args

import msgspec

from gconvbench.records.accuracy import Accuracy
from gconvbench.records.dispatch import Dispatch

__all__ = [
    "CACHE_MODES",
    "FAILED_OUTCOMES",
    "MEASURED_OUTCOMES",
    "CacheMode",
    "ClockFacts",
    "Job",
    "KernelLine",
    "Memory",
    "Outcome",
    "Record",
    "Telemetry",
    "Timing",
]

CacheMode = Literal["cold", "hot", "graph", "as_called"]
"""The views of one job's time. On the device: `hot`, the same buffers again and again; `cold`, with
the last-level cache emptied before each sample; `graph`, replays of a CUDA graph of many launches,
without the host. `as_called` is the host's clock around many launches and one wait for the device;
on the CPU that is what `hot` is."""
CACHE_MODES: tuple[CacheMode, ...] = get_args(CacheMode)

Outcome = Literal[
    "measured",
    "checked",
    "unsupported",
    "wrong",
    "out_of_memory",
    "failed",
    "crashed",
    "timed_out",
    "not_reached",
]
"""How a job ended. `checked` is right but, as asked, not timed; `failed` raised an exception;
`crashed` took its process along; `not_reached` had no turn before the budget was spent. Only
`measured` has times."""
MEASURED_OUTCOMES = frozenset[str]({"measured", "checked"})
FAILED_OUTCOMES = frozenset[str]({"out_of_memory", "failed", "crashed", "timed_out", "not_reached"})
"""Asked for, supported, and not measured."""


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One case computed in one way.

    Attributes:
        case: a case id.
        implementation: its name.
        twin: 1 for the second measuring of the same within one round (A/A), else 0.
    """

    case: str
    implementation: str
    twin: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0


class Telemetry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine did meanwhile.

    Attributes:
        wall_s: duration.
        cpu_s: processor time of the worker over all its threads.
        main_s: that of its main thread alone, which launches; null in older files.
        involuntary_switches: times the worker was taken off its core.
        load: the system's 1-minute load average afterwards.
        waited_s: how long the worker's main thread was ready to run and had no core; null where
            the system does not tell.
        stolen_s: processor time that the hypervisor gave to others, over all cores; likewise.
        device: readings of the device before and after; empty on the CPU.
    """

    wall_s: float
    cpu_s: float
    involuntary_switches: int
    load: float
    waited_s: float | None = None
    stolen_s: float | None = None
    main_s: float | None = None
    device: dict[str, Any] = {}


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one launch takes beside what was there before it: operands, prepared or not.

    Attributes:
        peak_bytes: the high-water mark of the launch over the level before it; null where it
            cannot be told.
        result_bytes: of the results that it returns.
        resolution_bytes: a smaller peak cannot be told from none.
        source: where the mark was read, or why it was not.
    """

    peak_bytes: int | None
    result_bytes: int
    resolution_bytes: int
    source: str

    @property
    def told_bytes(self) -> int | None:
        """The peak as far as it can be told: the resolution, where it is smaller than that."""
        return None if self.peak_bytes is None else max(self.peak_bytes, self.resolution_bytes)

    @property
    def workspace_bytes(self) -> int | None:
        """What the launch needs for itself, beyond its results."""
        return None if self.peak_bytes is None else max(0, self.peak_bytes - self.result_bytes)


class ClockFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device's clock knows of its samples.

    Attributes:
        tick_s: the smallest difference that it was seen to show.
        empty_s: what it reads around nothing, which every sample has in it.
        sleep_s: how long the stream was kept busy before a sample, in the end.
        flush_bytes: of the buffer that empties the last-level cache; 0 where none does.
        buffers: sets of operands that launches took in turn.
        rotated_bytes: of all sets, as far as launches read them; 0 where there is but one.
        tried: samples taken, invalid ones too.
        idle: of these, samples in which the device had waited for the host.
        repeated_chunks: how often samples were thrown away and taken again for that, or because
            memory was taken from the device meanwhile.
    """

    tick_s: float
    empty_s: float
    sleep_s: float
    flush_bytes: int = 0
    buffers: int = 1
    rotated_bytes: int = 0
    tried: int = 0
    idle: int = 0
    repeated_chunks: int = 0


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samples of one job in one round and cache mode.

    Attributes:
        cache_mode: the view.
        samples_s: seconds per launch, in the order taken.
        launches_per_sample: launches that one sample is the mean of.
        target_reached: whether sampling stopped because the interval was narrow enough.
        labels: what a reader should know of these samples, such as `target not reached`.
        telemetry: what the machine did while they were taken.
        clock: what the clock knows of them; null on the host's.
    """

    cache_mode: CacheMode
    samples_s: tuple[float, ...]
    launches_per_sample: int
    target_reached: bool
    labels: tuple[str, ...] = ()
    telemetry: Telemetry | None = None
    clock: ClockFacts | None = None

    def __post_init__(self) -> None:
        """A time is made of samples, and a sample of time."""
        if not self.samples_s or not all(0 < sample_s < math.inf for sample_s in self.samples_s):
            message = "samples_s must be one or more positive numbers"
            raise ValueError(message)

    @property
    def median_s(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples_s)


class Record(msgspec.Struct, frozen=True, kw_only=True, tag="record", tag_field="kind"):
    """What one job left behind in one round (counted from 1).

    Attributes:
        job: which case, in which way.
        round: in which process.
        outcome: how it ended.
        detail: the reason, where it was no measurement.
        accuracy: the proof.
        proof_s: how long the proof took; the first job of a case bears the reference.
        first_launch_s: how long preparing and the first launch took.
        timings: one per cache mode.
        left_out: the cache modes that could not be timed, each with the reason.
        memory: what one launch takes.
        dispatch: what a launch runs; null where that was not looked at.
        telemetry: what the machine did meanwhile, proof, timing and all.
        waited_s: how long the runner waited for it, a new worker's start and all.
        floor_s: the least that the case can take by the run's ceilings; null where they are not
            known.
    """

    job: Job
    round: Annotated[int, msgspec.Meta(ge=1)]
    outcome: Outcome
    detail: str = ""
    accuracy: Accuracy | None = None
    proof_s: float | None = None
    first_launch_s: float | None = None
    timings: tuple[Timing, ...] = ()
    left_out: dict[str, str] = {}
    memory: Memory | None = None
    dispatch: Dispatch | None = None
    telemetry: Telemetry | None = None
    waited_s: float | None = None
    floor_s: float | None = None

    def __post_init__(self) -> None:
        """A time belongs to a measured job, and every other outcome has a reason."""
        if bool(self.timings) != (self.outcome == "measured"):
            message = f"a {self.outcome} record cannot have {len(self.timings)} timings"
            raise ValueError(message)
        if self.outcome not in MEASURED_OUTCOMES and not self.detail:
            message = f"a {self.outcome} record needs a reason"
            raise ValueError(message)


class KernelLine(msgspec.Struct, frozen=True, kw_only=True, tag="kernels", tag_field="kind"):
    """What a device's profiler saw of a job when all times of its process had been taken.

    Attributes:
        job: which case, in which way.
        round: in which process.
        dispatch: its kernels; empty where they could not be seen.
        detail: the reason for that.
    """

    job: Job
    round: int
    dispatch: Dispatch = Dispatch()
    detail: str = ""
