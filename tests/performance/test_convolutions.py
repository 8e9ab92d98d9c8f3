"""Grouped convolutions, proved and timed: `pytest --benchmark-only`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gconvbench.adapters.pytest_fixture import GconvBenchmark

_SHAPES = ("g2mb1ic128ih28oc128kh3ph1", "g32mb1ic128ih28oc128kh3ph1", "g128mb1ic128ih28oc128kh3ph1")
"""ResNeXt-like layers of 2 and 32 groups, and a depthwise one."""


@pytest.mark.parametrize("implementation", ["native", "native_channels_last", "split_concat"])
@pytest.mark.parametrize("direction", ["fprop", "training"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", _SHAPES)
def test_conv(
    gconv_benchmark: GconvBenchmark, shape: str, dtype: str, direction: str, implementation: str
) -> None:
    gconv_benchmark(f"{shape}:conv:{dtype}:contiguous:{direction}", implementation=implementation)


@pytest.mark.parametrize(
    "implementation", ["native_view_shuffle", "native_index_shuffle", "split_interleaved"]
)
@pytest.mark.parametrize("direction", ["fprop", "training"])
@pytest.mark.parametrize("shape", _SHAPES[:2])
def test_conv_shuffle(
    gconv_benchmark: GconvBenchmark, shape: str, direction: str, implementation: str
) -> None:
    case = f"{shape}:conv_shuffle:float32:contiguous:{direction}"
    gconv_benchmark(case, implementation=implementation)
