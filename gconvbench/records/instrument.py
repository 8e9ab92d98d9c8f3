"""What is known of the instrument: what a device can do at most, and whether to trust its times."""

from __future__ import annotations

from typing import Literal

import msgspec

from gconvbench.records.environment import Environment, Scalar

__all__ = [
    "Ceilings",
    "Check",
    "CheckState",
    "DoctorDocument",
    "Examination",
    "Fitness",
    "InstrumentDocument",
    "RooflineDocument",
]

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


class Ceilings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The highest rates that were measured on a device, and the least that a launch takes.

    Attributes:
        created: when, in UTC.
        bytes_per_s: of a large copy, bytes read plus bytes written.
        flops_per_s: of large matrix products, by dtype; TF32 as `float32:tf32`.
        launch_s: host time of a launch that does next to nothing, as called; null where unknown.
        replay_s: device time of such a launch within a replayed CUDA graph; null without CUDA.
        sizes: what the highest rates were reached with, such as the edge of the matrices.
    """

    created: str
    bytes_per_s: float
    flops_per_s: dict[str, float]
    launch_s: float | None = None
    replay_s: float | None = None
    sizes: dict[str, int] = {}

    def floor_s(self, *, flops: int, min_bytes: int, dtype: str, math_mode: str) -> float | None:
        """The longer of the times for the operations and for the bytes, in seconds.

        max(FLOPs / peak, bytes / bandwidth), the roofline of Williams et al. 2009
        (doi:10.1145/1498765.1498785); None where no peak was measured for the dtype.
        """
        key = f"{dtype}:tf32" if math_mode == "tf32" else dtype
        peak = self.flops_per_s.get(key)
        return None if not peak else max(flops / peak, min_bytes / self.bytes_per_s)


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
    """What `gconvbench roofline` stores."""

    ceilings: Ceilings


class DoctorDocument(_Document, frozen=True, kw_only=True, tag="doctor"):
    """What `gconvbench doctor` stores."""

    examination: Examination


InstrumentDocument = RooflineDocument | DoctorDocument
