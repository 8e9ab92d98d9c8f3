"""The device under test: is it there, what does it lack, how much memory is free."""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from gconvbench.accuracy.reference import BLOCK_BYTES
from gconvbench.cases import Case
from gconvbench.implementations import BUILT_IN
from gconvbench.operands import normal_operands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "free_bytes",
    "reset_settings",
    "set_math_mode",
    "set_switches",
    "synchronizer",
    "why_device_lacks",
    "why_memory_lacks",
    "why_switches_lack",
    "why_unavailable",
]

_DEPTHWISE = "cudnn_depthwise_kernel"
_TF32_CAPABILITY = (8, 0)
"""Compute capability with TF32 and bfloat16 arithmetic: Ampere (CUDA C++ Programming Guide)."""


def why_unavailable(device: str) -> str | None:
    """One line where the device cannot be used at all, else None."""
    if device == "cpu":
        return None
    if not torch.cuda.is_available():
        build = "has no CUDA" if torch.version.cuda is None else "finds no usable CUDA device"
        return (
            f"device {device!r} is not available: torch {torch.__version__} {build}; "
            "use --device cpu"
        )
    count = torch.cuda.device_count()
    if (torch.device(device).index or 0) >= count:
        return f"device {device!r} does not exist; there are {count}: cuda:0 to cuda:{count - 1}"
    return None


def why_device_lacks(case: Case, device: str) -> str | None:
    """The reason why no implementation can run `case` on the device, or None."""
    is_cpu = device == "cpu"
    if case.math_mode == "tf32" and (is_cpu or not _is_ampere(device)):
        return f"math_mode tf32 does not exist on {device}"
    if case.dtype == "bfloat16" and not is_cpu and not _is_ampere(device):
        return f"dtype bfloat16 is only emulated on {device}"
    return _why_not_computed(case.dtype, case.direction, device)


def why_memory_lacks(case: Case, device: str) -> str | None:
    """One line where operands and reference do not fit into free memory, else None.

    Counts each operand and result seven times in float64 (drawn, rounded, expected of normal
    numbers and of integers, and three temporary ones of a comparison): a rough figure, meant to
    refuse what would take the machine down.
    """
    shapes = (case.input_shape, case.weight_shape, case.output_shape)
    needed = 7 * 8 * sum(map(math.prod, shapes)) + 2 * BLOCK_BYTES
    free = free_bytes(device)
    if needed > free:
        return (
            f"operands and reference need about {needed / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free"
        )
    return None


def reset_settings(threads: int) -> None:
    """Undo what an earlier implementation may have done to these settings of the process.

    What is not among them, such as a function of PyTorch that it replaced, lasts until the worker
    ends, with the round.
    """
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_flush_denormal(False)
    for device in ("cpu", "cuda"):
        torch.set_autocast_enabled(device, False)  # noqa: FBT003
    torch.set_deterministic_debug_mode("default")  # its other setter imports the compiler: a second
    torch.backends.mkldnn.set_flags(_enabled=True)
    torch.backends.cudnn.enabled = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = False
    if not why_switches_lack({_DEPTHWISE: "auto"}):
        set_switches({_DEPTHWISE: "auto"})
    if dynamo := sys.modules.get("torch._dynamo"):
        dynamo.config.fail_on_recompile_limit_hit = False


def set_switches(switches: Mapping[str, bool | str]) -> None:
    """Turn what a side or a mode declares, by the environment's names (`switches.SWITCHES`)."""
    turn: dict[str, Callable[[Any], object]] = {
        "cudnn_benchmark": lambda on: setattr(torch.backends.cudnn, "benchmark", on),
        _DEPTHWISE: lambda kind: setattr(torch.backends.cudnn, "depthwise_kernel", kind),
        "cudnn_deterministic": lambda on: setattr(torch.backends.cudnn, "deterministic", on),
        "cudnn_enabled": lambda on: setattr(torch.backends.cudnn, "enabled", on),
        "deterministic_algorithms": lambda on: torch.set_deterministic_debug_mode(
            "error" if on else "default"
        ),
        "onednn_enabled": lambda on: torch.backends.mkldnn.set_flags(_enabled=on),
    }
    for name, on in switches.items():
        turn[name](on)


def why_switches_lack(switches: Mapping[str, bool | str]) -> str | None:
    """One line where this torch lacks one of the settings, else None."""
    if _DEPTHWISE in switches and not hasattr(torch.backends.cudnn, "depthwise_kernel"):
        return f"{_DEPTHWISE} cannot be set: torch {torch.__version__} has no such setting"
    return None


def set_math_mode(math_mode: str, device: str) -> None:
    """Allow or forbid TF32 in convolutions and products, by the setting that this torch has."""
    if device == "cpu":
        if torch.get_float32_matmul_precision() != "highest":
            torch.set_float32_matmul_precision("highest")
        return
    convolution = getattr(torch.backends.cudnn, "conv", None)
    if convolution is not None and hasattr(convolution, "fp32_precision"):
        # Inductor asks the older interface, which raises where the two say different things.
        torch.set_float32_matmul_precision("high" if math_mode == "tf32" else "highest")
        convolution.fp32_precision = math_mode
        torch.backends.cuda.matmul.fp32_precision = math_mode
    else:
        torch.backends.cudnn.allow_tf32 = math_mode == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = math_mode == "tf32"


def synchronizer(device: str) -> Callable[[], None]:
    """A function that returns when the device has done all its work."""
    if device == "cpu":
        return lambda: None
    return lambda: torch.cuda.synchronize(device)


def _is_ampere(device: str) -> bool:
    return torch.cuda.get_device_capability(device) >= _TF32_CAPABILITY


@lru_cache
def _why_not_computed(dtype: str, direction: str, device: str) -> str | None:
    """Try a tiny convolution; the first line of what PyTorch says against it."""
    tiny = Case(in_channels=2, out_channels=2, height=4, width=4, dtype=dtype, direction=direction)
    try:
        BUILT_IN[0].launch(tiny, normal_operands(tiny, seed=0, device=device))()
        synchronizer(device)()
    except RuntimeError as error:
        return f"{dtype} {direction} is not available on {device}: {str(error).splitlines()[0]}"
    return None


def free_bytes(device: str) -> int:
    """On a card what the driver has free, and what torch's allocator holds unused."""
    if device == "cpu":
        return _available_bytes()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + unused


def _available_bytes() -> int:
    """`MemAvailable` of /proc/meminfo (proc(5)), in bytes."""
    with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123 (a kernel interface)
        fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024
