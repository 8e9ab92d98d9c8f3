"""Which of PyTorch's operators a launch runs: what an implementation is dispatched to."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["operators_of"]

_OPERATOR = re.compile(r"\w+::\w+")


def operators_of(
    launch: Callable[[], object], synchronize: Callable[[], object]
) -> tuple[str, ...]:
    """Names such as `aten::mkldnn_convolution`, each once, in the order of their first use.

    Seen by PyTorch's older profiler on the host, which starts in less than a millisecond, prints
    nothing and leaves nothing behind that slows later launches down. Which kernels a library
    chooses behind an operator is not seen. Empty where this PyTorch has no such profiler, or
    another one is at work.

    Args:
        launch: of the timed code.
        synchronize: waits for the device.
    """
    try:
        from torch.autograd.profiler_legacy import profile  # noqa: PLC0415 (may go one day)
    except ImportError:
        return ()
    with ExitStack() as stack:
        try:
            seen = stack.enter_context(profile())
        except RuntimeError:  # there is one at work already
            return ()
        launch()
        synchronize()
    names = (event.name for event in seen.function_events)
    return tuple(dict.fromkeys(name for name in names if _OPERATOR.fullmatch(name)))
