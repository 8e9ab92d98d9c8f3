"""The 24 convolutions of `peers.py`, the same for every tool.

Each takes 0.5 to 1.2 ms in one thread of an AMD EPYC with torch 2.13 (calibrated once).
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONVOLUTIONS", "Convolution", "chosen", "launch"]

_SHAPES = (
    (1, 128, 14), (1, 128, 20), (1, 192, 14),
    (2, 128, 20), (2, 128, 28), (2, 256, 14),
    (4, 256, 14), (4, 256, 20), (4, 384, 14),
    (8, 256, 20), (8, 256, 28), (8, 512, 14),
)  # fmt: skip
"""Groups, channels in and out, height and width."""


class Convolution(NamedTuple):
    """A forward pass in float32 of one image with kernel 3x3 and padding 1."""

    groups: int
    channels: int
    size: int
    bias: bool

    @property
    def case(self) -> str:
        """Its case id."""
        shape = f"g{self.groups}mb1ic{self.channels}ih{self.size}oc{self.channels}kh3ph1"
        return f"{shape}:conv:float32:contiguous:fprop{':bias' if self.bias else ''}"


_ALL = (Convolution(*shape, bias) for shape in _SHAPES for bias in (False, True))
CONVOLUTIONS = {f"g{c.groups}c{c.channels}s{c.size}{'b' if c.bias else ''}": c for c in _ALL}


def chosen() -> list[str]:
    """The names of as many convolutions as the variable COMBINATIONS asks for."""
    return list(CONVOLUTIONS)[: int(os.environ.get("COMBINATIONS", len(CONVOLUTIONS)))]


@functools.cache
def launch(name: str) -> Callable[[], Any]:
    """A call of `conv2d`; the operands are made once per process."""
    import torch  # noqa: PLC0415 (the report does without)
    from torch.nn.functional import conv2d  # noqa: PLC0415

    torch.set_num_threads(1)
    groups, channels, size, bias = CONVOLUTIONS[name]
    x = torch.randn(1, channels, size, size)
    weight = torch.randn(channels, channels // groups, 3, 3)
    b = torch.randn(channels) if bias else None
    return functools.partial(conv2d, x, weight, b, padding=1, groups=groups)
