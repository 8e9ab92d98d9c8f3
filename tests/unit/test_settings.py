"""What measuring in place leaves of a process: everything."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gconvbench
from gconvbench import start
from gconvbench.cases import Case
from gconvbench.device import set_math_mode
from gconvbench.implementations import BUILT_IN, Implementation, Table
from gconvbench.settings import preserved_settings

TINY = Case(groups=2, in_channels=2, out_channels=2, height=4, width=4)


class Vandal(Implementation):
    name = "vandal"
    idea = "changes whatever it can"
    operations = ("conv",)

    def __init__(self, error: type[BaseException] | None) -> None:
        self.error = error

    def forward(self, case: Case, x: Any, weight: Any, bias: Any) -> Any:
        change_settings()
        if self.error:
            raise self.error
        return BUILT_IN[0].forward(case, x, weight, bias)


def change_settings(*, odd: bool = False) -> None:
    """To values that are neither the defaults nor, with and without `odd`, each other's."""
    backends: Any = torch.backends
    memory: Any = torch.utils.deterministic
    torch.set_num_threads(3 if odd else 2)
    torch.set_default_dtype(torch.float64 if odd else torch.float16)
    torch.set_default_device("cpu" if odd else "meta")
    torch.set_flush_denormal(True)
    for kind in ("cpu", "cuda"):
        torch.set_autocast_enabled(kind, True)  # noqa: FBT003
    torch.set_deterministic_debug_mode(1 if odd else 2)
    memory.fill_uninitialized_memory = not odd
    backends.mkldnn.enabled = not odd
    torch.backends.cudnn.enabled = False
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = True
    if hasattr(backends.cudnn, "depthwise_kernel"):
        backends.cudnn.depthwise_kernel = "native" if odd else "cudnn"
    torch.set_float32_matmul_precision("medium" if odd else "high")
    if hasattr(torch.backends.cudnn, "conv"):
        backends.cudnn.conv.fp32_precision = "ieee" if odd else "tf32"
        backends.mkldnn.conv.fp32_precision = "bf16"
    else:
        torch.backends.cudnn.allow_tf32 = not odd
    torch.set_grad_enabled(False)
    (gc.disable if odd else gc.enable)()
    seed = 1 if odd else 2
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    warnings.simplefilter("default" if odd else "always")


def seen_settings() -> dict[str, Any]:
    backends: Any = torch.backends
    memory: Any = torch.utils.deterministic
    owners = [backends.cuda.matmul]
    if hasattr(torch.backends.cudnn, "conv"):
        owners += [backends.cudnn.conv, backends.mkldnn.conv, backends.mkldnn.matmul]
    return {
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "device": getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None) is not None,
        "denormals": bool(torch.tensor(5e-324, dtype=torch.float64) + 0 == 0),
        "autocast": [torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")],
        "deterministic": torch.get_deterministic_debug_mode(),
        "filled": memory.fill_uninitialized_memory,
        "mkldnn": torch.backends.mkldnn.enabled,
        "cudnn": [getattr(backends.cudnn, n) for n in ("enabled", "benchmark", "deterministic")],
        "depthwise": getattr(backends.cudnn, "depthwise_kernel", None),
        "precision": torch.get_float32_matmul_precision(),
        "precisions": [getattr(owner, "fp32_precision", None) for owner in owners],
        "tf32": torch.backends.cudnn.allow_tf32 if len(owners) == 1 else None,
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "gc": gc.isenabled(),
        "torch": torch.get_rng_state().tolist(),
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),  # noqa: NPY002
        "warnings": list(warnings.filters),
    }


def bench_among(error: type[BaseException] | None) -> str:
    """The text of a table of `native` and the vandal, measured among odd settings."""
    vandal = Vandal(error)
    table = Table({one.name: one for one in (BUILT_IN[0], vandal)}, {"native": "", "vandal": ""})
    module: Any = start
    module.load_table = lambda announce: table
    change_settings(odd=True)
    before = seen_settings()
    try:
        return str(gconvbench.bench(TINY, device="cpu", rounds=1, threads=1, target=0.5))
    except KeyboardInterrupt:
        return "interrupted"
    finally:
        after = seen_settings()
        assert after == before, [name for name in before if before[name] != after[name]]


def fresh_settings_within() -> str:
    """Within a block, and what a process that never set anything is like afterwards."""
    before = seen_settings()
    with torch.inference_mode(), preserved_settings("cpu"):
        assert not torch.is_inference_mode_enabled()
        torch.ones(2, requires_grad=True).sum().backward()
        change_settings()
    assert seen_settings() == before
    return "fresh"


def mixed_interfaces() -> str:
    """The older interface to the precision of products cannot even be read after the newer."""
    backends: Any = torch.backends
    if not hasattr(torch.backends.cudnn, "conv"):
        return "fine"
    backends.mkldnn.matmul.fp32_precision = "bf16"
    with preserved_settings("cpu"):
        assert torch.get_float32_matmul_precision() == "highest"
    assert backends.mkldnn.matmul.fp32_precision == "bf16"
    return "fine"


def one_precision_by_two_interfaces() -> str:
    """What asks the older interface, as a compiler does, is answered and told the same."""
    for mode in ("tf32", "ieee", "tf32"):
        set_math_mode(mode, "cuda")
        assert torch.backends.cuda.matmul.allow_tf32 == (mode == "tf32")
        expected = "high" if mode == "tf32" else "highest"
        assert torch.get_float32_matmul_precision() == expected
    return "fine"


def in_own_process(call: str) -> str:
    """What a call of this module's returns, in a process whose settings may be spoilt."""
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.unit.test_settings import *; print({call})"],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        ("None", "use "),
        ("ValueError", "vandal failed: ValueError"),
        ("KeyboardInterrupt", "interrupted"),
    ],
)
def test_settings_are_left_as_they_were_found(error: str, seen: str) -> None:
    assert seen in in_own_process(f"bench_among({error})")


def test_a_block_has_the_settings_of_a_fresh_process() -> None:
    assert "fresh" in in_own_process("fresh_settings_within()")


def test_a_math_mode_is_the_same_by_both_interfaces() -> None:
    assert "fine" in in_own_process("one_precision_by_two_interfaces()")


def test_precisions_set_by_two_interfaces_are_left_as_they_were_found() -> None:
    assert "fine" in in_own_process("mixed_interfaces()")
