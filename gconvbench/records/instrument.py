"""What is known of the instrument: what a device can do at most, and whether to trust its times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec

from gconvbench.cases import flops, min_bytes
from gconvbench.records.environment import Environment, Scalar

if TYPE_CHECKING:
    from gconvbench.cases import Case

__all__ = [
    "COPY",
    "REPLAY",
    "CaseFloor",
    "Ceilings",
    "Check",
    "CheckState",
    "DoctorDocument",
    "DoctorVerdict",
    "Examination",
    "Fitness",
    "InstrumentDocument",
    "RooflineDocument",
    "peak_name",
]

_Positive = Annotated[float, msgspec.Meta(gt=0)]
CheckState = Literal["fine", "advice", "unfit", "skipped"]
"""`advice` is worth mending, and times can be believed all the same; `skipped` does not apply here
or could not be done, with the reason."""
Fitness = Literal["fit", "fit_with_advice", "unfit"]


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One property of the instrument.

    Attributes:
        name: in snake case, such as `timer_linearity`.
        state: how it came out.
        found: what was seen, in a sentence with its figures.
        advice: what to do about it; empty where it is fine.
        figures: the numbers behind it, in SI units, by names that end with theirs (`tick_s`).
    """

    name: str
    state: CheckState
    found: str
    advice: str = ""
    figures: dict[str, Scalar] = {}


class Examination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an examination of the instrument found.

    Attributes:
        created: when, in UTC.
        scope: `quick` takes part in the start of every run, `full` is what `doctor` does.
        checks: in the order made.
    """

    created: str
    scope: Literal["quick", "full"]
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Fitness:
        """The worst of the checks; skipped ones say nothing."""
        states = {check.state for check in self.checks}
        if "unfit" in states:
            return "unfit"
        return "fit_with_advice" if "advice" in states else "fit"

    @property
    def unfit(self) -> tuple[Check, ...]:
        """The checks for which the instrument is not fit."""
        return tuple(check for check in self.checks if check.state == "unfit")


class DoctorVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run says of the newest `gconvbench doctor` of its machine.

    Attributes:
        name: the document's, beside the run's file.
        created: when, in UTC.
        verdict: the worst of its checks.
        unfit: by the name of each check that makes it so, what was found.
    """

    name: str
    created: str
    verdict: Fitness
    unfit: dict[str, str] = {}


class CaseFloor(NamedTuple):
    """The least that a case can take by the ceilings of its device.

    Attributes:
        seconds: per launch.
        bound: what takes that long.
    """

    seconds: float
    bound: Literal["compute", "memory"]


COPY, REPLAY = "copy", "replay"
"""By what `Ceilings.labels` has the bandwidth and the launch in a graph."""


def peak_name(dtype: str, math_mode: str) -> str:
    """By what `Ceilings.flops_per_s` has it: `float32:tf32` for TF32, else the dtype."""
    return dtype if math_mode == "ieee" else f"{dtype}:{math_mode}"


class Ceilings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The highest rates that were measured on a device, and the least that a launch takes.

    Attributes:
        created: when, in UTC.
        bytes_per_s: of a large copy, bytes read plus bytes written.
        flops_per_s: of large matrix products, by dtype; TF32 as `float32:tf32`.
        launch_s: host time of a launch that does next to nothing, as called; null where unknown.
        replay_s: device time of such a launch within a replayed CUDA graph; null without CUDA.
        sizes: with how much the highest rates were reached: `copy_bytes` of each buffer, and by
            dtype the edge of the matrices or the channels of the convolution.
        work: by dtype what reached it: `product` of two square matrices, and so on.
        labels: what the clock said of the samples behind a rate, by dtype, `copy` or `replay`;
            only of those that earned any.
    """

    created: str
    bytes_per_s: _Positive
    flops_per_s: dict[str, _Positive]
    launch_s: _Positive | None = None
    replay_s: _Positive | None = None
    sizes: dict[str, int] = {}
    work: dict[str, str] = {}
    labels: dict[str, tuple[str, ...]] = {}

    def floor(self, case: Case) -> CaseFloor | None:
        """The longer of the times for the operations and for the bytes of a case.

        max(FLOPs / peak, bytes / bandwidth), the roofline of Williams et al. 2009
        (doi:10.1145/1498765.1498785); None where no peak was measured for the case's dtype.
        """
        peak = self.flops_per_s.get(peak_name(case.dtype, case.math_mode))
        if peak is None:
            return None
        compute_s, memory_s = flops(case) / peak, min_bytes(case) / self.bytes_per_s
        return CaseFloor(max(compute_s, memory_s), "compute" if compute_s > memory_s else "memory")


class _Document(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all documents about an instrument have.

    Attributes:
        name: UTC time and commit, as of a run.
        created: when, in UTC.
        device: `cpu`, `cuda` or `cuda:1`.
        machine: the folder's name.
        environment: where.
        schema: what a reader must understand.
    """

    name: str
    created: str
    device: str
    machine: str
    environment: Environment
    schema: int = 1


class RooflineDocument(_Document, frozen=True, kw_only=True, tag="roofline"):
    """What `gconvbench roofline` stores.

    Attributes:
        ceilings: what was measured.
        examination: of the instrument before; None where there was none.
        budget_s: about how long the search was allowed to take.
    """

    ceilings: Ceilings
    examination: Examination | None = None
    budget_s: float | None = None


class DoctorDocument(_Document, frozen=True, kw_only=True, tag="doctor"):
    """What `gconvbench doctor` stores."""

    examination: Examination

    @property
    def in_short(self) -> DoctorVerdict:
        """What a run says of it."""
        return DoctorVerdict(
            name=self.name,
            created=self.created,
            verdict=self.examination.verdict,
            unfit={check.name: check.found for check in self.examination.unfit},
        )


InstrumentDocument = RooflineDocument | DoctorDocument
