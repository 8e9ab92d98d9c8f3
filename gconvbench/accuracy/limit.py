"""How large an error may be: a limit that knows the reduction length.

tau = sqrt(rho) u_out + 2 sqrt(L) u_acc + [tensor cores] u_acc ceil(L / k) + [TF32] 3 * 2^-11

The first term is the rounding of the result, rho times. The second is the random walk of L
roundings in the accumulator (Higham and Mary 2019, *A new approach to probabilistic rounding error
analysis*, theorem 2.4, with lambda = 2). The third holds because tensor cores truncate, so that
their error grows linearly in the number of partial sums (Fasi, Higham, Mikaitis, Pranesh 2021,
*Numerical behavior of NVIDIA tensor cores*, section 4). The fourth is the rounding of two operands
to TF32's 11 bits, with some room. `docs/accuracy.md` argues it in full.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gconvbench.cases import SIGNIFICAND_BITS, reduction_length

if TYPE_CHECKING:
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation

__all__ = [
    "asked_precision",
    "error_limit",
    "precision_seen",
    "result_limit",
]

_TF32_TERMS = 8
_HALF_TERMS = 16
"""Products that one tensor-core instruction sums before it truncates, k."""
_OPERAND_ROUNDING = {"tf32": 3 * 2.0**-11, "half": 3 * 2.0**-8}
"""What rounding both operands to 11 or 8 significand bits adds: sqrt(2) u for independent
roundings, with some room. (float16 rounds operands as TF32 does, bfloat16 to 8 bits.)"""
_TERMS = {"ieee": None, "tf32": _TF32_TERMS, "half": _HALF_TERMS}
"""The precisions in falling order, and the k of their tensor-core instructions."""
_HALF_TYPES = frozenset({"float16", "bfloat16"})


def asked_precision(case: Case) -> str:
    """`half` where results are stored in half precision, else the case's math mode."""
    return "half" if case.dtype in _HALF_TYPES else case.math_mode


def result_limit(
    case: Case,
    tensor: str,
    implementation: Implementation,
    *,
    device: str,
    precision: str | None = None,
) -> float:
    """The largest relative 2-norm error of one result of one implementation.

    Layers behind a shuffle bring their own: their output's on the way forward, their input
    gradient's on the way back. Independent relative errors add as squares; weights are random, so
    that a layer does not favour the error over the signal.

    Args:
        case: the problem.
        tensor: which result.
        implementation: declares how often it rounds.
        device: `cpu` or `cuda...`.
        precision: `ieee`, `tf32` or `half`; the one that was asked for unless given.
    """
    through = "output" if tensor == "output" else "grad_input"
    parts = [(case, tensor), *((layer, through) for layer in case.following)]
    return math.hypot(
        *(
            error_limit(
                layer,
                name,
                device=device,
                roundings=implementation.roundings(layer, name, device),
                precision=precision,
            )
            for layer, name in parts
        )
    )


def error_limit(
    case: Case, tensor: str, *, device: str, roundings: int, precision: str | None = None
) -> float:
    """The largest relative 2-norm error that counts as right, of one layer.

    Args:
        case: the problem.
        tensor: which result; see `reduction_length`.
        device: `cpu` or `cuda...`; only the latter has tensor cores.
        roundings: rho, how often the implementation rounds to the storage type.
        precision: as in `result_limit`.
    """
    precision = precision or asked_precision(case)
    length = reduction_length(case, tensor)
    storage = 2.0 ** -SIGNIFICAND_BITS[case.dtype]
    is_double = case.dtype == "float64" and precision == "ieee"
    accumulator = 2.0**-53 if is_double else 2.0**-24
    limit = math.sqrt(roundings) * storage + 2 * math.sqrt(length) * accumulator
    terms = _TERMS[precision]
    if terms and device.startswith("cuda"):
        limit += accumulator * math.ceil(length / terms)
    if case.dtype not in _HALF_TYPES:
        limit += _OPERAND_ROUNDING.get(precision, 0.0)
    return limit


def precision_seen(
    error: float | None, case: Case, tensor: str, implementation: Implementation, *, device: str
) -> str:
    """Which arithmetic an error bears witness of: `ieee`, `tf32`, `half` or `none` of them.

    The first whose limit the error keeps. Storage in half precision rounds the result to it, so
    nothing better than `half` can be seen there. `half` stands for operands rounded to 8 bits.
    """
    if error is None:
        return "none"
    for precision in ("half",) if case.dtype in _HALF_TYPES else tuple(_TERMS):
        limit = result_limit(case, tensor, implementation, device=device, precision=precision)
        if error <= limit:
            return precision
    return "none"
