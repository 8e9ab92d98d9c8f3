"""Messages between runner and worker, one JSON document per line. Imports no torch.

The runner writes requests to the worker's standard input; each has exactly one reply on a pipe of
its own, so that nothing an implementation prints can be taken for one.
"""

from __future__ import annotations

import msgspec

from gconvbench.records import Environment, Job, Method, Record

__all__ = [
    "Description",
    "Explain",
    "Measure",
    "Measured",
    "Ready",
    "Refused",
    "Reply",
    "Request",
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
    """

    name: str
    idea: str
    operations: tuple[str, ...]
    source: str
    problem: str = ""
    on_request: bool = False


class SetUp(msgspec.Struct, frozen=True, tag=True):
    """The first request: which device, and how to measure."""

    device: str
    method: Method


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Prove and time one job; the reply is a `Record`."""

    job: Job
    round: int


class Explain(msgspec.Struct, frozen=True, tag=True):
    """Which of these jobs are unsupported, and why; the reply is a `Support`."""

    jobs: tuple[Job, ...]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Reply to `SetUp`: what the worker has and where it is."""

    environment: Environment
    machine: str
    implementations: tuple[Description, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Reply to `SetUp` where the worker cannot serve: one line for the user."""

    reason: str


class Support(msgspec.Struct, frozen=True, tag=True):
    """Reply to `Explain`: per job the reason why it is unsupported, or None."""

    reasons: tuple[str | None, ...]


class Measured(msgspec.Struct, frozen=True, tag=True):
    """Reply to `Measure`."""

    record: Record


Request = SetUp | Measure | Explain
Reply = Ready | Refused | Support | Measured
