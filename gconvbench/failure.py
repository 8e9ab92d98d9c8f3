"""What an exception of an implementation becomes in a record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import Outcome

__all__ = ["is_out_of_memory", "one_line", "outcome_of"]

_OUT_OF_MEMORY_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "std::bad_alloc",  # of oneDNN's own buffers, as PyTorch passes it on
)
_POISONED_CONTEXT_WORDS = ("CUDA error", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")


def outcome_of(error: BaseException) -> Outcome:
    """`out_of_memory`, `crashed` where the device's context is lost, else `failed`."""
    if is_out_of_memory(error):
        return "out_of_memory"
    if isinstance(error, RuntimeError) and _says(error, _POISONED_CONTEXT_WORDS):
        return "crashed"
    return "failed"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was lacking, on the device or, where PyTorch has no type for it, the host."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and _says(error, _OUT_OF_MEMORY_WORDS)
    )


def _says(error: BaseException, any_of: tuple[str, ...]) -> bool:
    text = _text(error)
    return any(words in text for words in any_of)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (foreign code again)
        return ""


def one_line(error: BaseException) -> str:
    """Type and first line of an exception, without this machine's home and working directory."""
    first = _text(error).strip().splitlines()[:1]
    text = ": ".join([type(error).__name__, *first])
    for path, shown in ((sys.prefix, "<python>"), (_path(Path.cwd), "."), (_path(Path.home), "~")):
        text = text.replace(path, shown) if len(path) > 1 else text
    return text[:500]


def _path(find: Callable[[], Path]) -> str:
    try:
        return str(find())
    except (OSError, RuntimeError):  # a folder that was removed, a user without a home
        return ""
