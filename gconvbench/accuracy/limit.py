"""How large an error may be: a limit that knows the reduction length.

tau = sqrt(rho) u_out + 2 sqrt(L) u_acc + [tensor cores] u_acc ceil(L / k) + [TF32] 3 * 2^-11

The first term is the rounding of the result, rho times. The second is the random walk of L
roundings in the accumulator (Higham and Mary 2019, *A new approach to probabilistic rounding error
analysis*, theorem 2.4, with lambda = 2). The third holds because tensor cores truncate, so that
their error grows linearly in the number of partial sums (Fasi, Higham, Mikaitis, Pranesh 2021,
*Numerical behavior of NVIDIA tensor cores*, section 4). The fourth is the rounding of two operands
to TF32's 11 bits, with some room.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gconvbench.cases import reduction_length

if TYPE_CHECKING:
    from gconvbench.cases import Case

__all__ = ["SIGNIFICAND_BITS", "error_limit"]

SIGNIFICAND_BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
"""Significand bits p, the leading one included; unit roundoff is 2^-p (IEEE 754-2019)."""

_TF32_TERMS = 8
_HALF_TERMS = 16
"""Products that one tensor-core instruction sums before it truncates, k."""


def error_limit(case: Case, tensor: str, *, device: str, roundings: int) -> float:
    """The largest relative 2-norm error that counts as right.

    Args:
        case: the problem.
        tensor: which result; see `reduction_length`.
        device: `cpu` or `cuda...`; only the latter has tensor cores.
        roundings: rho, how often the implementation rounds to the storage type.
    """
    length = reduction_length(case, tensor)
    storage = 2.0 ** -SIGNIFICAND_BITS[case.dtype]
    accumulator = 2.0**-53 if case.dtype == "float64" else 2.0**-24
    limit = math.sqrt(roundings) * storage + 2 * math.sqrt(length) * accumulator
    half = case.dtype in {"float16", "bfloat16"}
    if device.startswith("cuda") and (half or case.math_mode == "tf32"):
        limit += accumulator * math.ceil(length / (_HALF_TERMS if half else _TF32_TERMS))
    if case.math_mode == "tf32":
        limit += 3 * 2.0**-11
    return limit
