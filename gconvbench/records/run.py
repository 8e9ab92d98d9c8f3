"""Plan, method and environment of a run, and the lines that store it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gconvbench.errors import UsageError
from gconvbench.records.environment import Environment
from gconvbench.records.instrument import Ceilings, DoctorVerdict, Examination
from gconvbench.records.job import CacheMode, KernelLine, Record

__all__ = [
    "SCHEMA",
    "Footer",
    "Header",
    "Line",
    "Method",
    "Origin",
    "Plan",
    "PlannedCase",
    "decode_line",
    "encode_line",
]

SCHEMA = 4


class PlannedCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case of the plan, with its layer's name and occurrence count where it has them."""

    case: str
    name: str = ""
    count: int = 1


class Method(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How times were taken; a number without its method is not stored.

    Attributes:
        clock: `host` (`time.perf_counter`) or `cuda_events`.
        cache_modes: the views, see `CacheMode`, in the order taken.
        target: half-width of the 95 % interval of the median, as a share of the median, at which
            sampling stops.
        min_samples: never stop on the target before this many samples.
        max_samples: always stop at this many.
        min_time_s: never stop on the target before this much measured time.
        max_time_s: always stop after this much time per job, round and cache mode.
        warmup_time_s: launches before the first sample go on for this long.
        threads: CPU threads of the worker; 0 where another tool measured and does not say.
        cores: the CPU cores that the worker may run on; empty where the system chooses.
        seed: of inputs and of the order of jobs.
        inputs: distribution of the operands.
        check_only: accuracy without timing.
        budget_s: rounds go on while they are worth it and this much time lasts; null where the
            plan's rounds are all carried out.
    """

    clock: Literal["host", "cuda_events"]
    cache_modes: tuple[CacheMode, ...]
    target: float
    min_samples: int = 10
    max_samples: int = 200
    min_time_s: float = 0.02
    max_time_s: float = 1.0
    warmup_time_s: float = 0.02
    threads: int = 1
    cores: tuple[int, ...] = ()
    seed: int = 0
    inputs: str = "standard normal, weights divided by sqrt(C / g * R * S)"
    check_only: bool = False
    budget_s: float | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a run is to do: every case with every implementation, `rounds` times.

    Attributes:
        cases: in the order asked for.
        implementations: by name.
        rounds: fresh worker processes; with a budget the most there may be.
        sweeps: the names of those that the cases came from.
        twins: the implementations that are measured twice in each round (A/A).
        modes: by implementation the settings of torch that it is measured with, in worker
            processes of their own; others have those of the environment.
    """

    cases: tuple[PlannedCase, ...]
    implementations: tuple[str, ...]
    rounds: int
    sweeps: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    modes: dict[str, dict[str, bool | str]] = {}


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another tool's files that a run was read from, whole, so that nothing of them is lost.

    Attributes:
        tool: `asv` or `pytest-benchmark`.
        files: by their path below what was named, the text of each.
    """

    tool: Literal["asv", "pytest-benchmark"]
    files: dict[str, str]


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="kind"):
    """The first line: what the run was to do, where, and how.

    Attributes:
        run: its name.
        created: when, in UTC.
        plan: what it was to do.
        method: how times were taken.
        environment: where.
        device: `cpu`, `cuda` or `cuda:1`.
        machine: the folder's name.
        start_s: how long the first worker took to start, import of torch and all.
        gate_side: of which side of a gate it is; None for a run of its own.
        origin: what it was read from; None where gconvbench measured.
        ceilings: of the device, by the newest roofline of this machine; None without one.
        examination: of the instrument when the run began; None where there was none.
        doctor: what the newest full examination of this machine had found before; None without one.
        schema: what a reader must understand.
    """

    run: str
    created: str
    plan: Plan
    method: Method
    environment: Environment
    device: Annotated[str, msgspec.Meta(pattern=r"^(cpu|cuda(:[0-9]{1,3})?)$")]
    machine: str
    start_s: float | None = None
    gate_side: Literal["baseline", "contender"] | None = None
    origin: Origin | None = None
    ceilings: Ceilings | None = None
    examination: Examination | None = None
    doctor: DoctorVerdict | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """A reader of this schema could misread a newer one."""
        if self.schema > SCHEMA:
            message = f"schema {self.schema} is newer than {SCHEMA}"
            raise ValueError(message)


class Footer(msgspec.Struct, frozen=True, kw_only=True, tag="footer", tag_field="kind"):
    """The last line of a complete run: records per outcome, and a checksum of all bytes above."""

    counts: dict[str, int]
    sha256: str


Line = Header | Record | KernelLine | Footer

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
