"""The ways of computing a grouped convolution: the explicit table, and users' own.

To add one to the package: a module here, and a line in `BUILT_IN`. From outside: a class derived
from `Implementation`, named by an entry point in the group `gconvbench.implementations`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from gconvbench.cases import OPERATIONS
from gconvbench.implementations.base import (
    MEMORY_FORMATS,
    RESULTS,
    Implementation,
    Launch,
    Operands,
    result_names,
)
from gconvbench.implementations.block_diagonal import BlockDiagonal
from gconvbench.implementations.compiled import Compiled
from gconvbench.implementations.cuda_graph import CudaGraph
from gconvbench.implementations.depthwise_mac import DepthwiseMac
from gconvbench.implementations.folded_shuffle import FoldedShuffle
from gconvbench.implementations.im2col_bmm import Im2colBmm
from gconvbench.implementations.in_mode import InMode
from gconvbench.implementations.merged_groups import MergedGroups
from gconvbench.implementations.native import Native
from gconvbench.implementations.native_channels_last import NativeChannelsLast
from gconvbench.implementations.native_channels_last_copies import NativeChannelsLastCopies
from gconvbench.implementations.native_gather_shuffle import NativeGatherShuffle
from gconvbench.implementations.native_index_shuffle import NativeIndexShuffle
from gconvbench.implementations.native_kernel_shuffle import NativeKernelShuffle
from gconvbench.implementations.native_view_shuffle import NativeViewShuffle
from gconvbench.implementations.pointwise_bmm import PointwiseBmm
from gconvbench.implementations.split_concat import SplitConcat
from gconvbench.implementations.split_contiguous import SplitContiguous
from gconvbench.implementations.split_devices import SplitDevices
from gconvbench.implementations.split_interleaved import SplitInterleaved
from gconvbench.implementations.split_preallocated import SplitPreallocated
from gconvbench.implementations.split_stack import SplitStack
from gconvbench.implementations.split_streams import SplitStreams
from gconvbench.implementations.tap_accumulate import TapAccumulate
from gconvbench.implementations.triton_fused_shuffle import TritonFusedShuffle
from gconvbench.implementations.triton_implicit_gemm import TritonImplicitGemm
from gconvbench.switches import why_no_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from gconvbench.cases import Case

__all__ = [
    "BUILT_IN",
    "BUILT_IN_SOURCE",
    "ENTRY_POINT_GROUP",
    "MEMORY_FORMATS",
    "RESULTS",
    "Implementation",
    "Launch",
    "Operands",
    "Table",
    "load_table",
    "result_names",
    "why_not_its_operation",
    "why_unsupported",
]

ENTRY_POINT_GROUP = "gconvbench.implementations"
BUILT_IN_SOURCE = "built in"

BUILT_IN: tuple[Implementation, ...] = (
    Native(),
    NativeChannelsLast(),
    NativeChannelsLastCopies(),
    SplitConcat(),
    SplitContiguous(),
    SplitPreallocated(),
    SplitStreams(),
    BlockDiagonal(),
    MergedGroups(2),
    MergedGroups(4),
    MergedGroups(8),
    Im2colBmm(),
    PointwiseBmm(),
    TapAccumulate(),
    DepthwiseMac(),
    NativeViewShuffle(),
    NativeIndexShuffle(),
    NativeGatherShuffle(),
    NativeKernelShuffle(),
    SplitStack(),
    SplitInterleaved(),
    FoldedShuffle(),
    CudaGraph(Native()),
    CudaGraph(SplitConcat()),
    CudaGraph(SplitStreams()),
    SplitDevices(),
    Compiled(Native()),
    Compiled(SplitConcat()),
    Compiled(DepthwiseMac()),
    InMode(Native(), "benchmark", {"cudnn_benchmark": True}),
    InMode(Native(), "deterministic", {"cudnn_deterministic": True}),
    InMode(
        Native(),
        "benchmark_deterministic",
        {"cudnn_benchmark": True, "cudnn_deterministic": True},
    ),
    InMode(Native(), "depthwise_cudnn", {"cudnn_depthwise_kernel": "cudnn"}),
    InMode(Native(), "depthwise_native", {"cudnn_depthwise_kernel": "native"}),
    InMode(Native(), "without_onednn", {"onednn_enabled": False}),
    TritonImplicitGemm(),
    TritonFusedShuffle(),
)


@dataclass
class Table:
    """All implementations by name, and what is wrong with those that could not be loaded."""

    implementations: dict[str, Implementation] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def load_table(announce: Callable[[str], object] = str) -> Table:
    """The built-in implementations and those of installed entry points.

    An entry point that cannot be imported, is no `Implementation` or takes a name already in use
    is kept with its problem, so that it can be shown and named; it harms no other.

    Args:
        announce: is told what is about to be loaded, for the case that it ends the process.
    """
    table = Table()
    for implementation in BUILT_IN:
        table.implementations[implementation.name] = implementation
        table.sources[implementation.name] = BUILT_IN_SOURCE
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        source = entry.dist.name if entry.dist else entry.value
        announce(f"it was loading implementation {entry.name!r} of {source}")
        try:
            implementation = _load(entry)
            if implementation.name in table.implementations:
                message = f"the name {implementation.name!r} is taken"
                raise ValueError(message)  # noqa: TRY301 (one place reports all problems)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (foreign code may raise anything)
            name = entry.name if entry.name not in table.sources else f"{entry.name} ({source})"
            table.problems[name] = f"{type(error).__name__}: {error}"
            table.sources[name] = source
        else:
            table.implementations[implementation.name] = implementation
            table.sources[implementation.name] = source
    return table


def why_unsupported(implementation: Implementation, case: Case, device: str) -> str | None:
    """The reason why `implementation` cannot compute `case` on `device`, or None where it can."""
    return why_not_its_operation(implementation, case) or implementation.why_unsupported(
        case, device
    )


def why_not_its_operation(implementation: Implementation, case: Case) -> str | None:
    """The part of the reason that is known without asking it."""
    if case.operation not in implementation.operations:
        return f"computes {' and '.join(implementation.operations)}, not {case.operation}"
    return None


def _load(entry: EntryPoint) -> Implementation:
    found = entry.load()
    implementation = found() if isinstance(found, type) else found
    if not isinstance(implementation, Implementation):
        message = f"{entry.value} is no gconvbench Implementation"
        raise TypeError(message)
    if not str(getattr(implementation, "name", "")).isidentifier():
        message = f"{entry.value} has no name of letters, digits and underscores"
        raise ValueError(message)
    if not isinstance(getattr(implementation, "idea", None), str):
        message = f"{entry.value} has no idea, which must be one line of text"
        raise TypeError(message)
    operations = implementation.operations
    if not isinstance(operations, tuple) or not set(operations) <= set(OPERATIONS):
        message = (
            f"{entry.value} has operations {operations!r}; allowed is a tuple of some of "
            f"{', '.join(OPERATIONS)}"
        )
        raise ValueError(message)
    if found := why_no_settings(implementation.modes):
        message = f"{entry.value} has modes of which {found}"
        raise ValueError(message)
    return implementation
