"""Messages between runner and worker, one JSON document per line. Imports no torch.

The runner writes requests to the worker's standard input; each has exactly one reply on a pipe of
its own, so that nothing an implementation prints can be taken for one.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gconvbench.records import (
    Ceilings,
    Check,
    Environment,
    Explanation,
    FileExplanation,
    Job,
    KernelLine,
    Method,
    Record,
)

__all__ = [
    "Anchored",
    "AskSupport",
    "CeilingsMeasured",
    "Description",
    "Examine",
    "Examined",
    "ExplainFile",
    "ExplainLayer",
    "Explained",
    "FileExplained",
    "KernelsSeen",
    "Measure",
    "MeasureAnchors",
    "MeasureCeilings",
    "Measured",
    "Ready",
    "Refused",
    "Reply",
    "Request",
    "SeeKernels",
    "SetUp",
    "Support",
]


class Description(msgspec.Struct, frozen=True):
    """An implementation as `gconvbench list --implementations` shows it.

    Attributes:
        name: unique among all.
        idea: one line.
        operations: which it can compute.
        source: `built in`, or the distribution that brought it.
        problem: why it cannot be used at all, such as an import error; else empty.
        on_request: left out unless it is named or all are asked for.
        modes: settings of torch that it is measured with, in processes of its own.
        is_under_test: whether its code lies in the checkout that is under test.
        module: where its class was imported from, such as `package.module`.
    """

    name: str
    idea: str
    operations: tuple[str, ...]
    source: str
    problem: str = ""
    on_request: bool = False
    modes: dict[str, bool | str] = {}
    is_under_test: bool = False
    module: str = ""


class SetUp(msgspec.Struct, frozen=True, tag=True):
    """The first request: which device, and how to measure.

    Attributes:
        device: `cpu`, `cuda` or `cuda:1`.
        method: how.
        switches: settings of torch that every job is to have, by the environment's names.
        code: the checkout that is under test; empty where there is none.
    """

    device: str
    method: Method
    switches: dict[str, bool | str] = {}
    code: str = ""


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Prove and time one job; the reply is a `Record`."""

    job: Job
    round: int


class SeeKernels(msgspec.Struct, frozen=True, tag=True):
    """Which kernels does this job, measured before, run? The reply is a `KernelsSeen`.

    To be asked when nothing more is timed in the process.
    """

    job: Job
    round: int


class KernelsSeen(msgspec.Struct, frozen=True, tag=True):
    """Reply to `SeeKernels`."""

    line: KernelLine


class AskSupport(msgspec.Struct, frozen=True, tag=True):
    """Which of these jobs are unsupported, and why; the reply is a `Support`.

    Attributes:
        jobs: what to ask about.
        modes_apart: whether a job whose modes are not this process's will get another that has
            them.
    """

    jobs: tuple[Job, ...]
    modes_apart: bool = False


class ExplainLayer(msgspec.Struct, frozen=True, tag=True):
    """What do the groups of this layer mean? The reply is an `Explained`.

    Attributes:
        case: its id.
        name: of the layer; may be empty.
    """

    case: str
    name: str = ""


class ExplainFile(msgspec.Struct, frozen=True, tag=True):
    """What convolutions does this checkpoint hold? The reply is a `FileExplained`.

    Attributes:
        path: of the file.
        groups: of some weights by name, where the user knows them.
    """

    path: str
    groups: dict[str, int] = {}


class MeasureAnchors(msgspec.Struct, frozen=True, tag=True):
    """Time work that runs neither torch nor the code under test; the reply is an `Anchored`."""

    samples: int


class MeasureCeilings(msgspec.Struct, frozen=True, tag=True):
    """What can the device do at most? The reply is a `CeilingsMeasured` or a `Refused`.

    Attributes:
        budget_s: about how long that may take, in seconds.
    """

    budget_s: float


class CeilingsMeasured(msgspec.Struct, frozen=True, tag=True):
    """Reply to `MeasureCeilings`."""

    ceilings: Ceilings


class Examine(msgspec.Struct, frozen=True, tag=True):
    """Is the instrument fit? The reply is an `Examined`.

    Attributes:
        scope: `quick` checks take a fraction of a second in all, `full` ones may take seconds.
    """

    scope: Literal["quick", "full"]


class Examined(msgspec.Struct, frozen=True, tag=True):
    """Reply to `Examine`: what one process can find out."""

    checks: tuple[Check, ...]


class Anchored(msgspec.Struct, frozen=True, tag=True):
    """Reply to `MeasureAnchors`: per anchor its samples, in seconds."""

    samples_s: dict[str, tuple[float, ...]]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Reply to `SetUp`: what the worker has and where it is."""

    environment: Environment
    machine: str
    implementations: tuple[Description, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Reply where the worker cannot serve or explain.

    Attributes:
        reason: one line for the user.
        was_tried: whether it failed in the attempt, which is no wrong use.
    """

    reason: str
    was_tried: bool = False


class Support(msgspec.Struct, frozen=True, tag=True):
    """Reply to `AskSupport`: per job the reason why it is unsupported, or None."""

    reasons: tuple[str | None, ...]


class Explained(msgspec.Struct, frozen=True, tag=True):
    """Reply to `ExplainLayer`."""

    explanation: Explanation


class FileExplained(msgspec.Struct, frozen=True, tag=True):
    """Reply to `ExplainFile`."""

    file: FileExplanation


class Measured(msgspec.Struct, frozen=True, tag=True):
    """Reply to `Measure`."""

    record: Record


Request = (
    SetUp
    | Measure
    | AskSupport
    | MeasureAnchors
    | ExplainLayer
    | ExplainFile
    | MeasureCeilings
    | Examine
    | SeeKernels
)
Reply = (
    Ready
    | Refused
    | Support
    | Measured
    | Anchored
    | Explained
    | FileExplained
    | CeilingsMeasured
    | Examined
    | KernelsSeen
)
