"""What a launch takes: results, and workspace that it gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench import memory as memory_module
from gconvbench.memory import memory_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from torch import Tensor

MIB = 2**20
KEPT = 32 * MIB
"""Blocks beyond glibc's largest threshold go back to the system at once, whatever is set."""


def filled(size: int) -> Tensor:
    return torch.ones(size, dtype=torch.uint8)


def test_the_peak_of_a_launch_is_its_results_and_what_it_needed_for_itself() -> None:
    def launch() -> tuple[Tensor]:
        filled(3 * KEPT)
        return (filled(KEPT),)

    found = memory_of(launch, "cpu")
    assert found.result_bytes == KEPT
    assert found.peak_bytes is not None
    assert abs(found.peak_bytes - 3 * KEPT) < 4 * MIB
    assert found.workspace_bytes == found.peak_bytes - KEPT
    assert found.source == "/proc/self/status VmHWM"


def test_what_was_freed_before_is_not_taken_for_free() -> None:
    """The allocator keeps freed memory, which would hide what a launch takes of it."""
    blocks = [filled(MIB // 8) for _ in range(64)]
    del blocks
    found = memory_of(lambda: (filled(MIB // 8 * 60),), "cpu")
    assert found.peak_bytes is not None
    assert found.peak_bytes > 6 * MIB


def test_a_launch_without_results_of_its_own_takes_nearly_nothing() -> None:
    kept = filled(KEPT)
    found = memory_of(lambda: (kept,), "cpu")
    assert found.peak_bytes is not None
    assert found.peak_bytes < 2 * MIB
    assert found.workspace_bytes == 0


def test_where_there_is_no_high_water_mark_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory_module, "_CLEAR_REFS", tmp_path / "no" / "clear_refs")
    found = memory_of(lambda: (filled(MIB),), "cpu")
    assert (found.peak_bytes, found.workspace_bytes) == (None, None)
    assert found.result_bytes == MIB
    assert found.source == "this system has no high-water mark"
