"""A layer with its groups against one group, timed in fresh worker processes. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.planning import DEFAULT, chosen_implementations
from gconvbench.report.explanation import layer_times, times_plan
from gconvbench.runner import device_lock, results_folder, run_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.cases import Case
    from gconvbench.protocol import Description
    from gconvbench.records import LayerTimes, Method, Plan
    from gconvbench.runner import Observer

__all__ = ["grouped_times"]


def grouped_times(  # noqa: PLR0913 (one argument per choice)
    case: Case,
    device: str,
    method: Method,
    *,
    rounds: int,
    timeout_s: float = 600.0,
    observer: Observer | None = None,
) -> LayerTimes:
    """Time all implementations of both, and keep what an explanation says of it.

    Args:
        case: the layer.
        device: where to measure.
        method: how to measure.
        rounds: of fresh processes.
        timeout_s: the most that one job may take, in seconds.
        observer: hears of what happens.

    Raises:
        UsageError: nothing of it can be done on the device.
        InstrumentError: another run is using the device.
    """

    def plan_of(known: Sequence[Description]) -> Plan:
        return times_plan(case, chosen_implementations(DEFAULT, known), rounds)

    with device_lock(device), results_folder() as folder:
        run = run_apart(device, method, plan_of, folder, timeout_s=timeout_s, observer=observer)
    return layer_times(run, case)
