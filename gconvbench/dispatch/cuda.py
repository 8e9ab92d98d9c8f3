"""CUDA's kernels, as PyTorch's profiler sees them on the device.

The profiler may leave launches slower behind than it found them. Whoever takes times in the same
process looks at kernels when the last one is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch._C._autograd import DeviceType

from gconvbench.dispatch.executions import Execution, dispatch_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import Dispatch

__all__ = ["cuda_kernels"]

_NO_WORK = frozenset({"Context Sync", "Stream Sync", "Event Sync"})
"""What the profiler lists among a device's events, and is none of its work."""


def cuda_kernels(launch: Callable[[], object], synchronize: Callable[[], object]) -> Dispatch:
    """Names of kernels, copies and fills on the device, how often and for what share of the time.

    Args:
        launch: already warm.
        synchronize: waits for the device.

    Raises:
        RuntimeError: there is another profiler at work, or this one saw nothing.
    """
    synchronize()
    cuda = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=cuda, acc_events=True) as profiler:
        launch()
        synchronize()
    executions = [_execution(event) for event in profiler.events() or () if _is_work(event)]
    if not executions:
        message = "PyTorch's profiler saw no kernels here; CUPTI may be missing or forbidden"
        raise RuntimeError(message)
    return dispatch_from(executions)


def _is_work(event: Any) -> bool:  # noqa: ANN401 (the profiler is not typed)
    return event.device_type == DeviceType.CUDA and event.name not in _NO_WORK


def _execution(event: Any) -> Execution:  # noqa: ANN401
    return Execution(event.name, event.time_range.elapsed_us() / 1e6)
