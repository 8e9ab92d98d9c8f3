"""`gconvbench.explain`: what groups mean in one layer, from a Python session or a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace

from gconvbench.arguments import meant_case, meant_device, whole_number
from gconvbench.grouped_times import grouped_times
from gconvbench.in_place import explain_in_place
from gconvbench.planning import make_method
from gconvbench.report.explanation import LayerExplained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.nn import Conv2d

    from gconvbench.cases import Case

__all__ = ["LayerExplained", "explain"]

_HINT = "time=True measures it here"


def explain(  # noqa: PLR0913 (one argument per option of `gconvbench explain`)
    what: Conv2d | Case | str,
    *,
    input_shape: Sequence[int] | None = None,
    direction: str | None = None,
    math_mode: str | None = None,
    device: str | None = None,
    time: bool = False,
    rounds: int = 3,
    threads: int | None = None,
    seed: int = 0,
) -> LayerExplained:
    """What the groups of one layer mean, each sentence backed by something computed now.

    The layer is launched in this very process, whose settings are left as they were found. The
    module's own weights are neither used nor touched: what groups mean does not depend on them.

    Args:
        what: a `torch.nn.Conv2d`, a `Case`, or a case id.
        input_shape: (N, C, H, W) of a module's input.
        direction: `fprop`, `dgrad`, `wgrad` or `training`; by default the case's, of a module
            `fprop`.
        math_mode: `ieee` or `tf32`; by default the case's, of a module `ieee`.
        device: `cpu`, `cuda` or `cuda:1`; by default the module's, of a case `cuda` where there is
            one.
        time: also measure it with groups and without, in fresh worker processes.
        rounds: of these.
        threads: of the CPU; by default as many as this process uses.
        seed: of operands and order.

    Raises:
        UsageError: something asked for does not exist or cannot be computed.
        InstrumentError: another run is using the device that is to be timed.
    """
    case = meant_case("explain", what, input_shape, direction=direction, math_mode=math_mode)
    where = meant_device(what, device)
    count = torch.get_num_threads() if threads is None else threads
    passes = whole_number("rounds", rounds)
    method = make_method(where, threads=whole_number("threads", count), seed=seed)
    found = explain_in_place(where, method, case)
    if time:
        times = grouped_times(replace(case, operation="conv"), where, method, rounds=passes)
        found = replace(found, times=times)
    return LayerExplained(found, _HINT)
