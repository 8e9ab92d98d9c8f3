"""What a launch is dispatched to: PyTorch's operators, and oneDNN's kernels behind them."""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from torch.backends import mkldnn

from gconvbench.records import Dispatch
from gconvbench.records.dispatch import BOOKKEEPING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CountedDispatch", "counted_dispatch", "dispatch_of"]

_OPERATOR = re.compile(r"\w+::\w+")
_WRAPPING = BOOKKEEPING | {
    f"aten::{name}" for name in ("_to_copy", "clone", "contiguous", "resize_as_", "to")
}
"""What only calls others, or nothing."""
_COPYING = frozenset(f"aten::{name}" for name in ("copy_", "fill_", "zero_"))
"""What operators call to bring their operands and results into form."""
_VERBOSE = b"onednn_verbose,"
_VERBOSE_VARIABLES = ("ONEDNN_VERBOSE", "DNNL_VERBOSE", "MKLDNN_VERBOSE")
"""Whoever sets one of these wants to read oneDNN's lines (oneDNN, "Verbose Mode")."""
_STDOUT = 1


def dispatch_of(launch: Callable[[], object], synchronize: Callable[[], object]) -> Dispatch:
    """Operators such as `aten::mkldnn_convolution`, kernels such as `onednn::convolution(jit_dw)`.

    Operators are seen by PyTorch's older profiler on the host, kernels in the lines that oneDNN
    writes about what it executes. Both together take about a millisecond, print nothing and leave
    nothing behind that slows later launches down. No operators are told where this PyTorch has no
    such profiler or another one is at work; no kernels where oneDNN's lines are not to be had or
    somebody else wants them. Kernels of CUDA's libraries are not seen.

    Args:
        launch: of the timed code.
        synchronize: waits for the device.
    """
    events, kernels = _seen(launch, synchronize)
    operators = [event.name for event in events or () if _is_operator(event)]
    return Dispatch(operators=_each_once(operators), kernels=_each_once(kernels or []))


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
    events, kernels = _seen(launch, synchronize)
    computing = None if events is None else [one.name for one in events if _is_innermost(one)]
    return CountedDispatch(
        operators=None if computing is None else dict(Counter(computing)),
        kernels=None if kernels is None else dict(Counter(kernels)),
    )


def _seen(
    launch: Callable[[], object], synchronize: Callable[[], object]
) -> tuple[list[Any] | None, list[str] | None]:
    """The profiler's events and the kernels' names; None for what cannot be seen."""
    events: list[list[Any]] = []
    kernels: list[list[str]] = []
    with _operators(events), _kernels(kernels):
        launch()
        synchronize()
    return next(iter(events), None), next(iter(kernels), None)


def _is_operator(event: Any) -> bool:  # noqa: ANN401 (the profiler is not typed)
    return _OPERATOR.fullmatch(event.name) is not None


def _is_innermost(event: Any) -> bool:  # noqa: ANN401
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
    return _is_operator(event) and event.name not in _WRAPPING


def _above(event: Any) -> Iterator[Any]:  # noqa: ANN401
    while (event := event.cpu_parent) is not None:
        yield event


def _below(event: Any) -> Iterator[Any]:  # noqa: ANN401
    for child in event.cpu_children:
        yield child
        yield from _below(child)


@contextmanager
def _operators(found: list[list[Any]]) -> Iterator[None]:
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


@contextmanager
def _kernels(found: list[list[str]]) -> Iterator[None]:
    """Appends the names once, or nothing where oneDNN's lines are not to be had."""
    if not mkldnn.is_available() or any(map(os.environ.get, _VERBOSE_VARIABLES)):
        yield
        return
    lines: list[bytes] = []
    with ExitStack() as stack:
        # OSError: there is no standard output; AssertionError: oneDNN cannot be set
        try:
            stack.enter_context(_printed(lines))
            stack.enter_context(mkldnn.verbose(mkldnn.VERBOSE_ON))
            is_told = True
        except (OSError, AssertionError):
            is_told = False
        yield
    if is_told:
        found.append([name for name in map(_kernel, lines) if name])


@contextmanager
def _printed(found: list[bytes]) -> Iterator[None]:
    """The lines that oneDNN writes to standard output meanwhile; all others are passed on."""
    os.fstat(_STDOUT)  # there is one
    with tempfile.TemporaryFile() as file:
        _flush()
        kept = os.dup(_STDOUT)
        os.dup2(file.fileno(), _STDOUT)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, _STDOUT)
            os.close(kept)
            file.seek(0)
            parts = [line.partition(_VERBOSE) for line in file]
            found += (told for _, begin, told in parts if begin)
            with suppress(OSError), open(_STDOUT, "wb", closefd=False) as out:
                out.writelines(before for before, _, _ in parts)  # a whole line without a `begin`


def _flush() -> None:
    with suppress(ValueError):  # Python's side of it may be closed
        print(end="", flush=True)


def _kernel(line: bytes) -> str:
    """Of a line about an execution; else empty.

    `v1,primitive,exec,cpu,convolution,jit:avx512_core,...` follows `_VERBOSE`: the fields before
    `exec` are not the same in all versions; after it stand engine, primitive and implementation
    (oneDNN, "Verbose Mode").
    """
    _, executed, about = f",{line.decode(errors='replace')}".partition(",exec,")
    _, primitive, implementation, *_ = [*about.split(","), "", "", ""]
    return f"onednn::{primitive}({implementation})" if executed else ""


def _each_once(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
