"""Launches captured into a CUDA graph, to be replayed without the host's part in them.

Autograd runs the backward pass of each operation on the stream of its forward pass, and a captured
stream may wait for no other. So gradients are captured only if their forward pass ran on the stream
that captures: launches are built within `capture_stream`, too.
"""

from __future__ import annotations

import contextlib
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    Launch = Callable[[], tuple[Tensor, ...]]

__all__ = ["Captured", "capture", "capture_stream"]

_WARM_UPS = 3
"""Launches before a capture choose kernels and allocate workspaces, which must not be captured (so
many are `torch.cuda.make_graphed_callables`'s)."""


class Captured(NamedTuple):
    """A graph, and what it writes to and reads from.

    Attributes:
        graph: replayed on whatever stream is current then.
        results: of the last launch in it; each replay writes them anew, to the same memory.
        launches: what was captured; they keep the operands, whose memory the graph reads.
    """

    graph: torch.cuda.CUDAGraph
    results: tuple[Tensor, ...]
    launches: tuple[Launch, ...]

    def replay(self) -> tuple[Tensor, ...]:
        """Enqueue everything that was captured, at once."""
        self.graph.replay()
        return self.results


@contextmanager
def capture_stream(device: torch.device) -> Iterator[torch.cuda.Stream]:
    """Within the block the stream that captures is the current one of the device.

    It waits for what was enqueued before the block, and what comes after the block waits for it.
    """
    outside = torch.cuda.current_stream(device)
    stream = _stream_of(outside.device_index)
    stream.wait_stream(outside)
    try:
        with torch.cuda.stream(stream):
            yield stream
    finally:
        outside.wait_stream(stream)


def capture(launches: Sequence[Launch], *, calls: int, device: torch.device) -> Captured:
    """Warm up, then capture `calls` launches, one after the other and in turn.

    Args:
        launches: built within `capture_stream` of the same device.
        calls: at least 1; several launches with operands of their own take turns.
        device: where they run.

    Raises:
        RuntimeError: something in them cannot be captured; the device is still usable.
    """
    with capture_stream(device) as stream:
        for _ in range(_WARM_UPS):
            for launch in launches:
                launch()
        graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
        errors: list[BaseException] = []
        try:
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                results = _in_turn(launches, calls, errors)
        except RuntimeError as error:
            _abandon(stream, pool)
            raise _told(*errors, error) from error
    return Captured(graph, results, tuple(launches))


def _in_turn(
    launches: Sequence[Launch], calls: int, errors: list[BaseException]
) -> tuple[Tensor, ...]:
    """The results of the last call, those of others are dropped; notes the error that it raises."""
    try:
        for call in range(calls - 1):
            launches[call % len(launches)]()
        return launches[(calls - 1) % len(launches)]()
    except BaseException as error:
        errors.append(error)
        raise


def _abandon(stream: torch.cuda.Stream, pool: tuple[int, int]) -> None:
    """Take back what a capture that failed has left behind in PyTorch; all of it may be gone.

    The allocator goes on to keep memory for the graph's pool, and the generator of random numbers
    to believe that it is captured (CUDAGraph.cpp, "all kinds of weird states").

    Raises:
        RuntimeError: the device is lost.
    """
    generator = torch.cuda.default_generators[stream.device_index]
    with contextlib.suppress(AttributeError, RuntimeError):
        torch._C._cuda_endAllocateToPool(stream.device_index, pool)  # noqa: SLF001 (no public one)
        torch._C._cuda_releasePool(stream.device_index, pool)  # noqa: SLF001 (a graph that ended would)
    with contextlib.suppress(AttributeError, RuntimeError):
        generator.graphsafe_set_state(generator.clone_state())
    torch.cuda.synchronize(stream.device)


def _told(first: BaseException, *_: BaseException) -> BaseException:
    """The first error, in words that say what was attempted.

    Not in CUDA's own, by which a lost device is known: this one is not.
    """
    if isinstance(first, torch.OutOfMemoryError) or not isinstance(first, RuntimeError):
        return first
    lines = str(first).strip().splitlines() or [type(first).__name__]
    return RuntimeError(f"cannot be captured in a CUDA graph: {lines[0].replace(' error:', '')}")


@cache
def _stream_of(index: int) -> torch.cuda.Stream:
    """One per device, so that the memory that belongs to it is used again."""
    return torch.cuda.Stream(index)
