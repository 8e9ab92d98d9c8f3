"""Plan, method, environment, and what a job leaves behind: the lines of a stored run."""

from __future__ import annotations

import math
import statistics
from typing import Annotated, Any, Literal

import msgspec

from gconvbench.errors import UsageError
from gconvbench.records.accuracy import Accuracy
from gconvbench.records.environment import Environment

__all__ = [
    "FAILED_OUTCOMES",
    "MEASURED_OUTCOMES",
    "SCHEMA",
    "Footer",
    "Header",
    "Job",
    "Line",
    "Method",
    "Outcome",
    "Plan",
    "PlannedCase",
    "Record",
    "Telemetry",
    "Timing",
    "decode_line",
    "encode_line",
]

SCHEMA = 2

Outcome = Literal[
    "measured",
    "checked",
    "unsupported",
    "wrong",
    "out_of_memory",
    "failed",
    "crashed",
    "timed_out",
]
"""How a job ended. `checked` is right but, as asked, not timed; `failed` raised an exception;
`crashed` took its process along. Only `measured` has times."""
MEASURED_OUTCOMES = frozenset[str]({"measured", "checked"})
FAILED_OUTCOMES = frozenset[str]({"out_of_memory", "failed", "crashed", "timed_out"})
"""Asked for, supported, and not measured."""


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case computed in one way. `case` is a case id."""

    case: str
    implementation: str


class PlannedCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case of the plan, with its layer's name and occurrence count where it has them."""

    case: str
    name: str = ""
    count: int = 1


class Method(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How times were taken; a number without its method is not stored.

    Attributes:
        clock: `host` (`time.perf_counter`) or `cuda_events`.
        cache_modes: `hot` (same buffers again and again), `cold` (last-level cache emptied before
            each sample).
        target: half-width of the 95 % interval of the median, as a share of the median, at which
            sampling stops.
        min_samples: never stop on the target before this many samples.
        max_samples: always stop at this many.
        min_time_s: never stop on the target before this much measured time.
        max_time_s: always stop after this much time per job, round and cache mode.
        warmup_time_s: launches before the first sample go on for this long.
        threads: CPU threads of the worker.
        seed: of inputs and of the order of jobs.
        inputs: distribution of the operands.
        check_only: accuracy without timing.
    """

    clock: Literal["host", "cuda_events"]
    cache_modes: tuple[Literal["hot", "cold"], ...]
    target: float
    min_samples: int = 10
    max_samples: int = 200
    min_time_s: float = 0.02
    max_time_s: float = 1.0
    warmup_time_s: float = 0.02
    threads: int = 1
    seed: int = 0
    inputs: str = "standard normal, weights divided by sqrt(C / g * R * S)"
    check_only: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a run is to do: every case with every implementation, `rounds` times."""

    cases: tuple[PlannedCase, ...]
    implementations: tuple[str, ...]
    rounds: int
    sweeps: tuple[str, ...] = ()


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samples of one job in one round and cache mode.

    Attributes:
        samples_s: seconds per launch, in the order taken.
        launches_per_sample: launches that one sample is the mean of.
        target_reached: whether sampling stopped because the interval was narrow enough.
        labels: what a reader should know of these samples, such as `target not reached`.
    """

    cache_mode: Literal["hot", "cold"]
    samples_s: tuple[float, ...]
    launches_per_sample: int
    target_reached: bool
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A time is made of samples, and a sample of time."""
        if not self.samples_s or not all(0 < sample_s < math.inf for sample_s in self.samples_s):
            message = "samples_s must be one or more positive numbers"
            raise ValueError(message)

    @property
    def median_s(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples_s)


class Telemetry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine did during one job, timing and proof together.

    Attributes:
        wall_s: duration of the job in the worker.
        cpu_s: processor time of the worker over all its threads.
        involuntary_switches: times the worker was taken off its core.
        load: the system's 1-minute load average after the job.
        device: readings of the device before and after; empty on the CPU.
    """

    wall_s: float
    cpu_s: float
    involuntary_switches: int
    load: float
    device: dict[str, Any] = {}


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="kind"):
    """The first line: what the run was to do, where, and how."""

    run: str
    created: str
    plan: Plan
    method: Method
    environment: Environment
    device: Annotated[str, msgspec.Meta(pattern=r"^(cpu|cuda(:[0-9]{1,3})?)$")]
    machine: str
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """A reader of this schema could misread a newer one."""
        if self.schema > SCHEMA:
            message = f"schema {self.schema} is newer than {SCHEMA}"
            raise ValueError(message)


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
        telemetry: what the machine did meanwhile.
    """

    job: Job
    round: Annotated[int, msgspec.Meta(ge=1)]
    outcome: Outcome
    detail: str = ""
    accuracy: Accuracy | None = None
    proof_s: float | None = None
    first_launch_s: float | None = None
    timings: tuple[Timing, ...] = ()
    telemetry: Telemetry | None = None

    def __post_init__(self) -> None:
        """A time belongs to a measured job, and every other outcome has a reason."""
        if bool(self.timings) != (self.outcome == "measured"):
            message = f"a {self.outcome} record cannot have {len(self.timings)} timings"
            raise ValueError(message)
        if self.outcome not in MEASURED_OUTCOMES and not self.detail:
            message = f"a {self.outcome} record needs a reason"
            raise ValueError(message)


class Footer(msgspec.Struct, frozen=True, kw_only=True, tag="footer", tag_field="kind"):
    """The last line of a complete run: records per outcome, and a checksum of all bytes above."""

    counts: dict[str, int]
    sha256: str


Line = Header | Record | Footer

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def encode_line(line: Line) -> bytes:
    """One JSON line without its newline."""
    return _encoder.encode(line)


def decode_line(data: bytes) -> Line:
    """Read one line of a stored run.

    Raises:
        UsageError: not JSON, or not a line of this schema.
    """
    try:
        return _decoder.decode(data)
    except (ValueError, RecursionError) as error:  # msgspec.MsgspecError is a ValueError
        message = f"not a line of a stored run: {error}"
        raise UsageError(message) from None
