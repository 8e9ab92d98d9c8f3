"""Ceilings of a real card."""

from __future__ import annotations

import math

import pytest
import torch

from gconvbench.cases import Case, case_id, min_bytes
from gconvbench.ceilings import measure_ceilings
from gconvbench.device import set_math_mode
from gconvbench.engine import Engine
from gconvbench.environment import last_cache_bytes
from gconvbench.implementations import load_table
from gconvbench.protocol import CeilingsMeasured, Measure
from gconvbench.records import Ceilings, Job, Method

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.alone,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture(scope="module")
def ceilings() -> Ceilings:
    answer = measure_ceilings("cuda", budget_s=10.0)
    assert isinstance(answer, CeilingsMeasured), answer
    torch.cuda.empty_cache()
    return answer.ceilings


def test_every_dtype_of_the_card_has_a_rate(ceilings: Ceilings) -> None:
    always = {"float32", "float16", "float64"}
    ampere = {"float32:tf32", "bfloat16"}
    has_ampere = torch.cuda.get_device_capability() >= (8, 0)
    assert set(ceilings.flops_per_s) == (always | ampere if has_ampere else always)
    assert all(work in {"product", "transposed product"} for work in ceilings.work.values())


def test_half_precision_has_tensor_cores_and_tf32_is_what_it_was_asked_for(
    ceilings: Ceilings,
) -> None:
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no TF32 below compute capability 8.0")
    rates = ceilings.flops_per_s
    assert rates["float16"] > rates["float32"]
    assert rates["bfloat16"] > rates["float32"]
    assert rates["float32:tf32"] > rates["float32"]


def test_copies_are_larger_than_the_cache(ceilings: Ceilings) -> None:
    assert ceilings.sizes["copy_bytes"] >= 2 * (last_cache_bytes("cuda") or 0)


def test_a_launch_in_a_graph_takes_less_than_one_by_the_host(ceilings: Ceilings) -> None:
    assert ceilings.launch_s
    assert ceilings.replay_s
    assert 0 < ceilings.replay_s < ceilings.launch_s < 1e-3


def test_no_math_mode_is_left_behind(ceilings: Ceilings) -> None:
    a, b = (torch.randn(256, 256, device="cuda") for _ in range(2))
    error = (a @ b - (a.double() @ b.double())).norm() / (a @ b).norm()
    assert error < 1e-5  # TF32's is about 3e-4
    set_math_mode("ieee", "cuda")


def test_a_cold_convolution_that_moves_more_than_the_cache_stays_below_its_floor(
    ceilings: Ceilings,
) -> None:
    """Depthwise, in float32, of 200 MB; only what it writes can stay in the cache at its end."""
    case = Case(
        groups=64, in_channels=64, out_channels=64, batch=32, height=112, width=112,
        padding=(1, 1),
    )  # fmt: skip
    method = Method(clock="cuda_events", cache_modes=("cold",), target=0.02)
    record = Engine("cuda", method, load_table()).measure(Measure(Job(case_id(case), "native"), 1))
    assert record.outcome == "measured", record.detail
    floor = ceilings.floor(case)
    assert floor
    assert floor.bound == "memory"
    total, cache = min_bytes(case), last_cache_bytes("cuda")
    if cache is None:
        pytest.skip("the size of the last-level cache is not told")
    moved = total - min(cache, 4 * math.prod(case.output_shape))
    # A kernel that mostly reads may beat a copy a little; a quarter would be a wrong ceiling.
    assert floor.seconds / record.timings[0].median_s < 1.25 * total / moved
