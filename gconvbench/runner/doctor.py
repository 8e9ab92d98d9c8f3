"""The full examination of an instrument, in as many processes as it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from gconvbench.records import Check, Examination
from gconvbench.runner.process import WorkerProcess
from gconvbench.runner.stability import algorithm_stability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gconvbench.protocol import Ready
    from gconvbench.records import Method

__all__ = ["examination_of", "examine_fully"]


def examination_of(scope: Literal["quick", "full"], checks: Iterable[Check]) -> Examination:
    """These checks, made now."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Examination(created=created, scope=scope, checks=tuple(checks))


def examine_fully(device: str, method: Method) -> tuple[Ready, Examination]:
    """Everything: first what one process finds out, then, on CUDA, whether others agree.

    The caller holds the device's lock. The first process has been through the profiler at the end,
    and measures nothing more.

    Raises:
        UsageError: the device cannot be used.
        NotMeasuredError: a worker was lost.
    """
    with WorkerProcess(device, method) as worker:
        checks = worker.examine("full")
        ready = worker.ready
    if device != "cpu":
        checks = (*checks, algorithm_stability(device, method))
    return ready, examination_of("full", checks)
