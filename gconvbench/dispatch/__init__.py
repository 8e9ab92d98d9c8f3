"""What a launch is dispatched to: PyTorch's operators and backends, and the kernels behind them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gconvbench.dispatch.backends import backends_of
from gconvbench.dispatch.cuda import cuda_kernels
from gconvbench.dispatch.executions import Execution, dispatch_from
from gconvbench.dispatch.onednn import kernels
from gconvbench.dispatch.operators import is_innermost, is_operator, operators

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import Dispatch

__all__ = [
    "CountedDispatch",
    "backends_of",
    "counted_dispatch",
    "cuda_kernels",
    "dispatch_of",
]


def dispatch_of(launch: Callable[[], object], synchronize: Callable[[], object]) -> Dispatch:
    """Operators such as `aten::mkldnn_convolution`, kernels such as `onednn::convolution(jit_dw)`.

    Operators are seen by PyTorch's older profiler on the host, kernels in the lines that oneDNN
    writes about what it executes. Both together take about a millisecond, print nothing and leave
    nothing behind that slows later launches down. No operators are told where this PyTorch has no
    such profiler or another one is at work; no kernels where oneDNN's lines are not to be had or
    somebody else wants them. Kernels of CUDA's libraries are `cuda_kernels`'.

    Args:
        launch: of the timed code.
        synchronize: waits for the device.
    """
    events, executions = _seen(launch, synchronize)
    names = [event.name for event in events or () if is_operator(event)]
    found = dispatch_from(executions or [])
    return msgspec.structs.replace(found, operators=tuple(dict.fromkeys(names)))


class CountedDispatch(NamedTuple):
    """What a launch ran, and how often, in order of first use.

    Attributes:
        operators: PyTorch's innermost ones that compute something; None where they were not seen.
        kernels: of oneDNN; None where its lines are not to be had.
    """

    operators: dict[str, int] | None
    kernels: dict[str, int] | None


def counted_dispatch(
    launch: Callable[[], object], synchronize: Callable[[], object]
) -> CountedDispatch:
    """The counts of what `dispatch_of` names, without operators that only call others or allocate.

    Args:
        launch: what to look at.
        synchronize: waits for the device.
    """
    events, executions = _seen(launch, synchronize)
    computing = None if events is None else [one.name for one in events if is_innermost(one)]
    return CountedDispatch(
        operators=None if computing is None else dict(Counter(computing)),
        kernels=None if executions is None else dispatch_from(executions).counts,
    )


def _seen(
    launch: Callable[[], object], synchronize: Callable[[], object]
) -> tuple[list[Any] | None, list[Execution] | None]:
    """The profiler's events and the kernels' executions; None for what cannot be seen."""
    events: list[list[Any]] = []
    executions: list[list[Execution]] = []
    with operators(events), kernels(executions):
        launch()
        synchronize()
    return next(iter(events), None), next(iter(executions), None)
