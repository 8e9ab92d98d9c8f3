"""The arithmetic that float32 convolutions are computed in: is it the one that was asked for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.accuracy import Proof, prove
from gconvbench.cases import MATH_MODES, Case
from gconvbench.device import set_math_mode, why_device_lacks
from gconvbench.examining.subject import finding
from gconvbench.implementations import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.examining.subject import Subject
    from gconvbench.implementations import Implementation
    from gconvbench.records import Check, CheckState

__all__ = ["math_modes", "math_modes_of"]

_CASE = Case(batch=4, in_channels=256, out_channels=256, kernel_size=(1, 1))
"""Dense and 1 x 1, which is a product: Winograd's algorithm and FFT have no part in it, and tensor
cores are taken wherever they are allowed. Over a sum of 256 products the limits of IEEE's error and
TF32's are a factor of several hundred apart (`accuracy.limit`)."""


def math_modes(subject: Subject, native: Implementation = BUILT_IN[0]) -> Check:
    """One small float32 convolution in each math mode that the device has, against float64.

    What switches and variables say is no proof: the error bears witness (`accuracy.limit`).
    """
    cases = [replace(_CASE, math_mode=mode) for mode in MATH_MODES]
    try:
        seen = {
            case.math_mode: _precision(case, subject, native)
            for case in cases
            if not why_device_lacks(case, subject.device)
        }
    finally:
        set_math_mode("ieee", subject.device)
    return math_modes_of(seen)


def _precision(case: Case, subject: Subject, native: Implementation) -> str:
    """As of `TensorAccuracy.precision`; `none` where the result is no result at all."""
    set_math_mode(case.math_mode, subject.device)
    proof = Proof.of(case, device=subject.device, seed=subject.method.seed)
    tensors = prove(native, proof).tensors
    return tensors[0].precision if tensors else "none"


def math_modes_of(seen: Mapping[str, str]) -> Check:
    """Judge by math mode the precision that was seen.

    Less than was asked for makes the label of every float32 result wrong. More is slower than it
    might be, and says so.
    """
    coarser = [mode for mode, precision in seen.items() if precision not in {mode, "ieee"}]
    finer = [mode for mode, precision in seen.items() if precision == "ieee" != mode]
    state: CheckState = "unfit" if coarser else "advice" if finer else "fine"
    told = ", ".join(f"{mode} asked for, {_WORDS[found]}" for mode, found in seen.items())
    return finding(
        "math_modes",
        state,
        f"float32 convolutions: {told}",
        _TOO_COARSE if coarser else _TOO_FINE,
        **seen,
    )


_WORDS = {
    "ieee": "ieee computed",
    "tf32": "tf32 computed",
    "half": "half precision computed",
    "none": "the result is wrong",
}
_TOO_COARSE = (
    "float32 results are not what their label says, and neither are their times; unset "
    "NVIDIA_TF32_OVERRIDE, and find what turns torch.backends.cudnn.allow_tf32 or "
    "torch.backends.cudnn.conv.fp32_precision back on, such as a plugin"
)
_TOO_FINE = (
    "times of tf32 are those of ieee: NVIDIA_TF32_OVERRIDE=0 forbids it whatever a case asks for, "
    "see environment variables; else this cuDNN has no such kernel"
)
