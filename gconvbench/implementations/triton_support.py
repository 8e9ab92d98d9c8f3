"""Where the Triton implementations can run, and where not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from gconvbench.cases import Case

__all__ = ["OFFSETS", "is_interpreted", "why_no_triton"]

_CAPABILITY = (8, 0)
"""Ampere: bfloat16 and TF32 tensor cores, and the oldest that Triton's current versions support."""
OFFSETS = 1 << 31
"""Pixels, and the elements of one image, are counted in 32 bits; offsets in 64 where need be."""


def why_no_triton(case: Case, device: str) -> str | None:
    """The reason why these kernels cannot compute the case on the device, or None."""
    if importlib.util.find_spec("triton") is None:
        return "needs Triton, which is not installed: pip install 'gconvbench[triton]'"
    reason = _why_not_here(device)
    if reason:
        return reason
    images = (case.input_shape, case.output_shape)
    largest = max(max(n, k) * p * q for n, k, p, q in images)
    if largest >= OFFSETS:
        return f"counts pixels and an image's elements in 32 bits; {largest} are too many"
    return None


@lru_cache
def _why_not_here(device: str) -> str | None:
    interprets = is_interpreted()
    if device == "cpu":
        needs = "needs a CUDA device; on the CPU TRITON_INTERPRET=1 has it interpreted, slowly"
        return None if interprets else needs
    if interprets:
        return f"TRITON_INTERPRET=1 would interpret it, not run it on {device}"
    capability = torch.cuda.get_device_capability(device)
    if capability < _CAPABILITY:
        return "needs compute capability {}.{}, {} has {}.{}".format(
            *_CAPABILITY, device, *capability
        )
    compilers = (os.environ["CC"],) if os.environ.get("CC") else ("gcc", "clang")
    if not any(shutil.which(one) for one in compilers):
        return f"Triton needs a C compiler; none of {', '.join(compilers)} is found"
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        return "Triton compiles a launcher, which needs Python's headers (Python.h of python3-dev)"
    return None


def is_interpreted() -> bool:
    """By the variable as Triton reads it (triton.knobs, `env_bool`)."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in {"1", "true", "yes", "on", "y"}
