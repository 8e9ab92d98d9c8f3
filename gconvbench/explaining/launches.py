"""What one launch runs, and how often: as far as this device lets one see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.device import synchronizer
from gconvbench.dispatch import counted_dispatch, cuda_kernels
from gconvbench.failure import one_line
from gconvbench.records import Launched, Launches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Operands

__all__ = ["launches_of"]

_NO_OPERATORS = "another profiler is at work, or this torch has none that sees operators"
_NO_KERNELS = "oneDNN tells nothing here: it is absent, or ONEDNN_VERBOSE is set"


def launches_of(
    implementation: Implementation, case: Case, operands: Operands, *, device: str
) -> Launches:
    """Launch once to prepare, then under observation.

    Args:
        implementation: what to launch.
        case: the layer.
        operands: of it.
        device: where they are.
    """
    launch, synchronize = implementation.launch(case, operands), synchronizer(device)
    launch()
    synchronize()
    seen = counted_dispatch(launch, synchronize)
    notes = [_NO_OPERATORS] if seen.operators is None else []
    kernels = seen.kernels
    if device == "cpu":
        notes += [_NO_KERNELS] if kernels is None else []
    else:
        kernels, reason = _on_card(launch, synchronize)
        notes += [f"kernels were not seen: {reason}"] if reason else []
    return Launches(
        operators=_counted(seen.operators), kernels=_counted(kernels), note="; ".join(notes)
    )


def _on_card(
    launch: Callable[[], object], synchronize: Callable[[], object]
) -> tuple[dict[str, int] | None, str]:
    """How often each kernel ran, or None and the reason."""
    try:
        return cuda_kernels(launch, synchronize).counts, ""
    except RuntimeError as error:
        return None, one_line(error)


def _counted(counts: Mapping[str, int] | None) -> tuple[Launched, ...] | None:
    if counts is None:
        return None
    return tuple(Launched(name, count) for name, count in counts.items())
