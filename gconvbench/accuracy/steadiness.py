"""Is it the same every time: repeated launches, memory full of NaN, deterministic algorithms."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.implementations import Launch

__all__ = ["Repeats", "digest", "poisoned_memory", "repeat", "same_bits"]

_FEWEST_REPEATS = 2
_MOST_REPEATS = 12
"""A race that spoils one launch in four is seen with 97 % probability."""
_REPEATED_FLOPS = 1 << 30
"""Work to spend on repeating: fewer launches of larger problems."""


_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""By bytes of an element."""


class Repeats(NamedTuple):
    """How many more launches there were, and the results of those that had other bits."""

    launches: int
    different: tuple[tuple[Tensor, ...], ...]


def repeat(launch: Launch, first: tuple[Tensor, ...], *, flops: int) -> Repeats:
    """Launch again and again, and compare with the results of the first time, bit by bit.

    Args:
        launch: what is repeated.
        first: its results the first time.
        flops: that one launch executes.
    """
    count = max(_FEWEST_REPEATS, min(_MOST_REPEATS, _REPEATED_FLOPS // max(1, flops)))
    repeated = (tuple(result.clone() for result in launch()) for _ in range(count))
    return Repeats(count, tuple(one for one in repeated if not same_bits(one, first)))


def same_bits(some: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> bool:
    """Whether all results have the same bits, wherever they lie; 0.0 and -0.0 have not."""
    return all(torch.equal(_bits(a), _bits(b)) for a, b in zip(some, others, strict=True))


def _bits(result: Tensor) -> Tensor:
    return result.detach().resolve_neg().view(_INTEGERS[result.element_size()])


def digest(result: Tensor) -> str:
    """Sixteen hexadecimal digits that stand for the values' bits, whatever their layout."""
    plain = torch.empty(result.numel(), dtype=result.dtype).copy_(result.detach().flatten())
    return hashlib.blake2b(plain.view(torch.uint8).numpy().data, digest_size=8).hexdigest()


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """Within the block new tensors are full of NaN, and algorithms deterministic where possible.

    PyTorch ties the first to the second (`torch.utils.deterministic.fill_uninitialized_memory`).
    """
    mode = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic  # its attribute is made at run time
    was_filled = memory.fill_uninitialized_memory
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each operation without such an algorithm warns
        torch.set_deterministic_debug_mode("warn")
        memory.fill_uninitialized_memory = True
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(mode)
            memory.fill_uninitialized_memory = was_filled
