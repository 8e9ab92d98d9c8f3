"""Grouped convolutions, proved and timed: `pytest --benchmark-only`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gconvbench.adapters.pytest_fixture import GconvBenchmark

GROUPS = (2, 32, 128)
"""Of 128 channels: two halves, a layer of ResNeXt, a depthwise one."""


def _case(groups: int, rest: str) -> str:
    return f"g{groups}mb1ic128ih28oc128kh3ph1:{rest}"


@pytest.mark.parametrize("implementation", ["native", "native_channels_last", "split_concat"])
@pytest.mark.parametrize("direction", ["fprop", "training"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("groups", GROUPS)
def test_conv(
    gconv_benchmark: GconvBenchmark, groups: int, dtype: str, direction: str, implementation: str
) -> None:
    case = _case(groups, f"conv:{dtype}:contiguous:{direction}")
    gconv_benchmark(case, implementation=implementation)


@pytest.mark.parametrize(
    "implementation", ["native_view_shuffle", "native_index_shuffle", "split_interleaved"]
)
@pytest.mark.parametrize("direction", ["fprop", "training"])
@pytest.mark.parametrize("groups", GROUPS[:2])
def test_conv_shuffle(
    gconv_benchmark: GconvBenchmark, groups: int, direction: str, implementation: str
) -> None:
    case = _case(groups, f"conv_shuffle:float32:contiguous:{direction}")
    gconv_benchmark(case, implementation=implementation)
