"""How much memory one launch takes beyond what was there before it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gconvbench.records import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gconvbench.implementations import Launch

__all__ = ["memory_of"]

_THERE_BEFORE = "results lie in memory that was there before the launch, as those of a graph do"
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_HIGH_WATER_MARK = "5"
"""proc(5), /proc/pid/clear_refs: the peak resident set size starts again from the present one."""
_FEWEST_UNEVEN_PAGES = 32
"""Linux counts resident pages per core, and adds them up only from so many on, or from twice the
number of cores (lib/percpu_counter.c, `percpu_counter_batch`)."""


def memory_of(launch: Launch, device: str) -> Memory:
    """Launch once and see what it takes: its results, and workspace that it gives back.

    On a GPU these are the caching allocator's statistics, cuDNN's workspace among them. On the CPU
    it is the resident set's high-water mark over its level before, once memory that was freed
    earlier has been handed back to the system; whatever the process does besides is in it, too.
    """
    if device == "cpu":
        return _on_cpu(launch)
    return _on_cuda(launch, device)


def _on_cuda(launch: Launch, device: str) -> Memory:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    results = launch()
    torch.cuda.synchronize(device)
    peak, result_bytes = torch.cuda.max_memory_allocated(device) - before, _bytes_of(results)
    is_told = peak >= result_bytes
    return Memory(
        peak_bytes=peak if is_told else None,
        result_bytes=result_bytes,
        resolution_bytes=0,
        source="torch.cuda.max_memory_allocated" if is_told else _THERE_BEFORE,
    )


def _on_cpu(launch: Launch) -> Memory:
    with contextlib.suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    before = _start_again()
    results = launch()
    after = _resident("VmHWM")
    return Memory(
        peak_bytes=None if before is None or after is None else max(0, after - before),
        result_bytes=_bytes_of(results),
        resolution_bytes=_resolution_bytes(),
        source="/proc/self/status VmHWM" if before else "this system has no high-water mark",
    )


def _resolution_bytes() -> int:
    """Both readings may be off by what one core has not added up."""
    pages = max(_FEWEST_UNEVEN_PAGES, 2 * (os.cpu_count() or 1))
    return 2 * pages * os.sysconf("SC_PAGE_SIZE")


def _start_again() -> int | None:
    """Let the high-water mark start from the present level, in bytes; None where it cannot."""
    try:
        _CLEAR_REFS.write_text(_RESET_HIGH_WATER_MARK, "ascii")
    except OSError:
        return None
    return _resident("VmRSS")


def _resident(field: str) -> int | None:
    """Bytes of a field of /proc/self/status, which is in KiB."""
    with contextlib.suppress(OSError, KeyError):
        lines = dict(line.split(":", 1) for line in _STATUS.read_text("ascii").splitlines())
        return int(lines[field].split()[0]) * 1024
    return None


def _bytes_of(results: Sequence[Tensor]) -> int:
    return sum(result.numel() * result.element_size() for result in results)
