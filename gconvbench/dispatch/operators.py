"""PyTorch's operators, as its older profiler sees them on the host."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from gconvbench.records.dispatch import BOOKKEEPING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_innermost", "is_operator", "operators"]

_OPERATOR = re.compile(r"\w+::\w+")
_WRAPPING = BOOKKEEPING | {
    f"aten::{name}" for name in ("_to_copy", "clone", "contiguous", "resize_as_", "to")
}
"""What only calls others, or nothing."""
_COPYING = frozenset(f"aten::{name}" for name in ("copy_", "fill_", "zero_"))
"""What operators call to bring their operands and results into form."""


@contextmanager
def operators(found: list[list[Any]]) -> Iterator[None]:
    """Appends the events once, or nothing where there is no profiler."""
    with ExitStack() as stack:
        try:
            from torch.autograd.profiler_legacy import profile  # noqa: PLC0415 (may go one day)

            seen = stack.enter_context(profile())
        except (ImportError, RuntimeError):  # RuntimeError: there is one at work already
            seen = None
        yield
    if seen is not None:
        found.append(list(seen.function_events))


def is_operator(event: Any) -> bool:  # noqa: ANN401 (the profiler is not typed)
    """Whether it is one of PyTorch's operators, such as `aten::add`."""
    return _OPERATOR.fullmatch(event.name) is not None


def is_innermost(event: Any) -> bool:  # noqa: ANN401
    """Whether it does something itself; copies that it makes for that are its own."""
    if not _computes(event) or event.name not in _COPYING:
        return _does_the_work(event)
    is_last = not any(map(_computes, _below(event)))
    return is_last and not any(map(_does_the_work, _above(event)))


def _does_the_work(event: Any) -> bool:  # noqa: ANN401
    """Whether no operator below it does, copies aside."""
    if not _computes(event) or event.name in _COPYING:
        return False
    return not any(_computes(one) and one.name not in _COPYING for one in _below(event))


def _computes(event: Any) -> bool:  # noqa: ANN401
    return is_operator(event) and event.name not in _WRAPPING


def _above(event: Any) -> Iterator[Any]:  # noqa: ANN401
    while (event := event.cpu_parent) is not None:
        yield event


def _below(event: Any) -> Iterator[Any]:  # noqa: ANN401
    for child in event.cpu_children:
        yield child
        yield from _below(child)
