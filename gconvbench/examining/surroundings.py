"""What the process was started with: environment variables, and PyTorch's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.environment.reading import Reader
from gconvbench.environment.software import settings
from gconvbench.environment.variables import VARIABLES
from gconvbench.examining.subject import finding
from gconvbench.records import UNSET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check, Scalar

__all__ = ["environment_variables", "torch_settings"]

_FALSIFYING = {
    ("CUDA_LAUNCH_BLOCKING", "1"): "each launch waits for the device, so that none is ever hidden",
    **{
        ("TRITON_INTERPRET", value): "times of Triton's kernels are those of their interpreter"
        for value in ("1", "true", "yes", "on", "y")
    },
}
"""With these a time is not what it is called (CUDA C++ Programming Guide, "CUDA Environment
Variables")."""
_CHANGING = {
    "ATEN_CPU_CAPABILITY": "PyTorch computes by other instructions than the processor has",
    "CUBLAS_WORKSPACE_CONFIG": "cuBLAS may take other algorithms",
    "DNNL_DEFAULT_FPMATH_MODE": "oneDNN may compute float32 in less precision",
    "DNNL_MAX_CPU_ISA": "oneDNN computes by other instructions than the processor has",
    "NVIDIA_TF32_OVERRIDE": "it decides about TF32, whatever a case asks for",
    "ONEDNN_DEFAULT_FPMATH_MODE": "oneDNN may compute float32 in less precision",
    "ONEDNN_MAX_CPU_ISA": "oneDNN computes by other instructions than the processor has",
    "TORCHDYNAMO_DISABLE": "nothing is compiled",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "products may run in TF32 where none is asked for",
    "TORCH_COMPILE_DISABLE": "nothing is compiled",
    "TORCH_CUDNN_V8_API_DISABLED": "cuDNN's algorithms are chosen in the older way",
}
"""These decide what is computed, or by what. They are part of a run's identity, so that nothing is
confused; but who forgot them measures something else than they think."""
_AS_IF_UNSET = {"0", "all", "default", "strict"}
"""What these say where they are off, in the words of those that have such."""
_NEVER_OFF = {"ATEN_CPU_CAPABILITY", "NVIDIA_TF32_OVERRIDE"}
"""`default` is the least of the processor's capabilities, and 0 turns TF32 off for all."""
_SLOWING = ("asan", "tsan")
"""Preloaded sanitizers: every access to memory is checked."""
_ON_THE_CARD = ("CUBLAS_", "CUDA_", "NVIDIA_", "TORCH_ALLOW_TF32_", "TORCH_CUDNN_")
_OFF = {UNSET, ""}

_EXPECTED = {
    "cudnn_enabled": True,
    "cudnn_benchmark": False,
    "cudnn_deterministic": False,
    "cudnn_depthwise_kernel": "auto",
    "deterministic_algorithms": False,
    "matmul_fp16_accumulation": False,
    "onednn_enabled": True,
    "onednn_deterministic": False,
}
"""What PyTorch has in a fresh process (its documentation, `torch.backends`). TF32 is set anew for
each case, so its default is none of these."""


def environment_variables(subject: Subject) -> Check:
    """Those on the environment's list that falsify times, or change what is computed."""
    name, values = "environment_variables", Reader().read(VARIABLES)
    is_set = {
        variable: value
        for variable, value in values.items()
        if value not in _OFF and not (subject.on_cpu and variable.startswith(_ON_THE_CARD))
    }
    falsifying = _falsifying(is_set)
    changing = {one: why for one, why in _CHANGING.items() if _is_changing(one, is_set.get(one))}
    if not falsifying and not changing:
        return finding(name, "fine", "none that changes results or falsifies times is set")
    told = {one: is_set[one] for one in (*falsifying, *changing)}
    reasons = "; ".join(f"{one}={told[one]}: {why}" for one, why in (falsifying | changing).items())
    return finding(
        name,
        "unfit" if falsifying else "advice",
        reasons,
        f"unset {', '.join(told)}, unless that is what you want to measure",
        **told,
    )


def _is_changing(variable: str, value: Scalar) -> bool:
    """Some decide whatever they say."""
    if value is None:
        return False
    return variable in _NEVER_OFF or str(value).lower() not in _AS_IF_UNSET


def _falsifying(is_set: Mapping[str, Scalar]) -> dict[str, str]:
    found = {
        variable: why
        for (variable, value), why in _FALSIFYING.items()
        if str(is_set.get(variable)).lower() == value
    }
    preloaded = str(is_set.get("preloaded", ""))
    if any(f"lib{one}" in preloaded for one in _SLOWING):
        found["preloaded"] = "a sanitizer checks every access to memory"
    return found


def torch_settings(subject: Subject) -> Check:
    """PyTorch's switches as in a fresh process: a plugin may turn some when it is imported."""
    name = "torch_settings"
    values = Reader().read(settings(subject.method.threads))
    other = {
        one: values[one]
        for one, wanted in _EXPECTED.items()
        if values.get(one) is not None and values[one] != wanted
    }
    if not other:
        return finding(name, "fine", "as in a fresh process")
    turned = ", ".join(f"{one} is {value}" for one, value in other.items())
    return finding(
        name,
        "advice",
        f"{turned}, other than in a fresh process",
        "find what turns it when it is imported, such as a plugin with implementations; each job "
        "is measured with gconvbench's own settings where it sets them",
        **other,
    )
