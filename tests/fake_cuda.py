"""Streams and graphs of a CUDA device, played on the CPU."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from gconvbench import capture
from gconvbench.implementations import split_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from torch import Tensor


class FakeEvent:
    """What was recorded: a stream, and how far it had come."""

    def __init__(self, stream: FakeStream) -> None:
        self.seen = {**stream.seen, stream: stream.done}


class FakeStream:
    """Counts its work, and remembers how much of others' it has waited for."""

    device_index = 0
    device = torch.device("cpu")

    def __init__(self, *_: object) -> None:
        self.done = 0
        self.seen: dict[FakeStream, int] = {}

    def record_event(self) -> FakeEvent:
        return FakeEvent(self)

    def wait_event(self, event: FakeEvent) -> None:
        for stream, done in event.seen.items():
            self.seen[stream] = max(done, self.seen.get(stream, 0))

    def wait_stream(self, stream: FakeStream) -> None:
        self.wait_event(stream.record_event())

    def has_waited_for(self, stream: FakeStream) -> bool:
        return stream is self or self.seen.get(stream, 0) >= stream.done


class FakeGraph(TorchDispatchMode):
    """Writes down the operators that run within it; replays them into the same memory."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operators: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        self.operators.append((func, args, kwargs or {}, results))
        return results

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, results in self.operators:
                again = func(*args, **kwargs)
                kept = iter(_tensors(results))
                for new in _tensors(again):
                    old = next(kept)
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def _tensors(results: Any) -> list[Tensor]:
    found: list[Tensor] = []
    tree_map_only(torch.Tensor, found.append, results)
    return found


class FakeCuda:
    """One device with streams; work is done as soon as it is enqueued.

    Attributes:
        outside: the stream that is current to begin with.
        current: the stream that is current.
        lent: per stream the memory that was lent to it.
        captures: all graphs.
        why_not: what ending a capture is to raise.
        abandoned: what the allocator was told of captures that failed.
    """

    def __init__(self) -> None:
        self.outside = self.current = FakeStream()
        self.lent: dict[FakeStream, set[int]] = {}
        self.captures: list[FakeGraph] = []
        self.why_not: Exception | None = None
        self.abandoned: list[object] = []

    @contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def graph(self, graph: FakeGraph, *, pool: object, stream: FakeStream) -> Iterator[None]:
        """As torch's: where the capture cannot be ended, the stream stays current."""
        self.captures.append(graph)
        before, self.current = self.current, stream
        try:
            with graph:
                yield
        finally:
            if self.why_not:
                raise self.why_not
            self.current = before

    def lend(self, tensor: Tensor, stream: FakeStream) -> None:
        assert not tensor.requires_grad
        self.lent.setdefault(stream, set()).add(tensor.untyped_storage().data_ptr())


@contextmanager
def play_cuda(patch: pytest.MonkeyPatch) -> Iterator[FakeCuda]:
    """Within the block torch's CUDA streams and graphs are the fakes."""
    cuda = FakeCuda()

    def record_stream(tensor: Tensor, stream: FakeStream) -> None:
        cuda.lend(tensor, stream)

    def abandon(*what: object) -> None:
        cuda.abandoned.append(what)

    for name, fake in {
        "current_stream": lambda _=None: cuda.current,
        "Stream": FakeStream,
        "stream": cuda.stream,
        "CUDAGraph": FakeGraph,
        "graph": cuda.graph,
        "graph_pool_handle": lambda: (0, 1),
        "synchronize": lambda _=None: None,
        "default_generators": [torch.Generator()],
    }.items():
        patch.setattr(torch.cuda, name, fake)
    patch.setattr(torch.Tensor, "record_stream", record_stream)
    patch.setattr(torch._C, "_cuda_endAllocateToPool", abandon, raising=False)
    caches = (split_streams._streams_of, capture._stream_of)
    for cached in caches:
        cached.cache_clear()
    yield cuda
    for cached in caches:  # no stream of a fake outlives it
        cached.cache_clear()
