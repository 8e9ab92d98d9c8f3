"""One convolution per group on several CUDA streams, then one concatenation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.split import group_operands

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["SplitStreams"]

_STREAMS = 8
"""As many as there are connections to a device by default (CUDA C++ Programming Guide,
`CUDA_DEVICE_MAX_CONNECTIONS`); work of more streams would queue behind that of others."""


class SplitStreams(Implementation):
    """Groups that leave the device idle can run beside each other.

    The streams wait for what was enqueued before, and what is enqueued after waits for them.
    Autograd runs the backward pass of each operation on the stream of its forward pass and orders
    streams by events of its own, so that the gradients are split in the same way.

    Args:
        streams: at most so many; groups take turns on them.
    """

    def __init__(self, streams: int = _STREAMS) -> None:
        self._streams = streams
        self.name = "split_streams" if streams == _STREAMS else f"split_streams_{streams}"
        self.idea = f"one dense convolution per group on up to {streams} CUDA streams, torch.cat"

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """Streams are CUDA's, and one group needs one."""
        if device == "cpu":
            return "streams need a CUDA device"
        return "with groups=1 this would be split_concat once more" if case.groups == 1 else None

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """G + 1 launches, and an event per stream."""
        outside = torch.cuda.current_stream(x.device)
        streams = _streams_of(outside.device_index, self._streams)[: case.groups]
        begun = outside.record_event()
        for stream in streams:
            stream.wait_event(begun)
            _lend((x, weight, bias), stream)
        parts = []
        for group, operands in enumerate(group_operands(case, x, weight, bias)):
            with torch.cuda.stream(streams[group % len(streams)]):
                parts.append(F.conv2d(*operands, case.stride, case.padding, case.dilation))
        for stream in streams:
            outside.wait_event(stream.record_event())
        _lend(parts, outside)
        return torch.cat(parts, dim=1)


def _lend(tensors: list[Tensor] | tuple[Tensor | None, ...], stream: torch.cuda.Stream) -> None:
    """Tell the allocator that memory of another stream is in use on this one, too."""
    for tensor in tensors:
        if tensor is not None:
            tensor.detach().record_stream(stream)


@cache
def _streams_of(device: int, count: int) -> tuple[torch.cuda.Stream, ...]:
    """Always the same ones, so that the memory that belongs to them is used again."""
    return tuple(torch.cuda.Stream(device) for _ in range(count))
