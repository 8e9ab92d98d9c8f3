"""How large an error may be: a limit that knows the reduction length.

tau = sqrt(rho) u_out + 2 sqrt(L) u_acc + [tensor cores] u_acc ceil(L / k) + [TF32] 3 * 2^-11

The first term is the rounding of the result, rho times. The second is the random walk of L
roundings in the accumulator, for operands that are random with mean zero (Higham and Mary 2020,
*Sharper probabilistic backward error analysis for basic linear algebra kernels with random data*).
The third holds because tensor cores truncate, so that their error grows linearly in the number of
partial sums (Fasi, Higham, Mikaitis, Pranesh 2021, *Numerical behavior of NVIDIA tensor cores*,
section 4). The fourth is the rounding of two operands to TF32's 11 bits, with some room.

These are for norms over many elements. Over few, or of a single one, the norm of random errors
strays from what is expected of it, and each term is widened by how far it may; see `Rows`.
`docs/accuracy.md` argues it in full.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.cases import SIGNIFICAND_BITS, reduction_length

if TYPE_CHECKING:
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation

__all__ = [
    "Rows",
    "asked_precision",
    "error_limit",
    "precision_seen",
    "result_limit",
]

_ROUNDING, _SUM, _OPERANDS = 0.43, 0.3, 0.6
"""Standard deviations that are expected where the limit for many elements allows 1, 2 and 3: of a
rounding in u, of a sum of L products in sqrt(L) u, of two rounded operands in their u."""
_TRANSFORMED = 4
"""How much wider sums stray in kernels that transform their operands first, as by Winograd's
algorithm. By experiment: cuDNN 9.19's float32 weight gradients on an H200 had single elements that
were off by 1.7 times the limit without it, while their norms kept theirs."""
_FALSE_ALARMS = 1e-6
"""The share of proofs of a right result in which some norm may exceed the limit; an aim, for tails
of exp(-t), not a measured rate."""

_TF32_TERMS = 8
_HALF_TERMS = 16
"""Products that one tensor-core instruction sums before it truncates, k."""
_OPERAND_ROUNDING = {"tf32": 2.0**-11, "half": 2.0**-8}
"""u of operands rounded to 11 or 8 significand bits. (float16 rounds operands as TF32 does,
bfloat16 to 8 bits.)"""
_TERMS = {"ieee": None, "tf32": _TF32_TERMS, "half": _HALF_TERMS}
"""The precisions in falling order, and the k of their tensor-core instructions."""
_HALF_TYPES = frozenset({"float16", "bfloat16"})


class Rows(NamedTuple):
    """How many norms are compared with one limit, and over how many elements each is taken."""

    number: int
    elements: int

    @property
    def surprise(self) -> float:
        """How far the largest of these norms strays from what is expected of one, as a share.

        Minus the logarithm of the probability that each of them may have, over sqrt(m) for m
        elements. Errors have the tail exp(-t), not exp(-t^2 / 2): each is a rounding times a
        partial sum of products, which are random as well (Janson 1997, *Gaussian Hilbert Spaces*,
        theorem 6.7, on the tails of products of normal numbers).
        """
        return math.log(self.number / _FALSE_ALARMS) / math.sqrt(self.elements)


def asked_precision(case: Case) -> str:
    """`half` where results are stored in half precision, else the case's math mode."""
    return "half" if case.dtype in _HALF_TYPES else case.math_mode


def result_limit(  # noqa: PLR0913 (the limit depends on all of it)
    case: Case,
    tensor: str,
    implementation: Implementation,
    *,
    device: str,
    rows: Rows | None = None,
    precision: str | None = None,
) -> float:
    """The largest relative 2-norm error of one result of one implementation.

    Layers behind a shuffle bring their own: their output's on the way forward, their input
    gradient's on the way back. Independent errors add as squares.

    Args:
        case: the problem.
        tensor: which result.
        implementation: declares how often it rounds.
        device: `cpu` or `cuda...`.
        rows: which norms are compared; without them, one over very many elements.
        precision: `ieee`, `tf32` or `half`; the one that was asked for unless given.

    Raises:
        ValueError: no such number of roundings is possible.
    """
    through = "output" if tensor == "output" else "grad_input"
    parts = [(case, tensor), *((layer, through) for layer in case.following)]
    return math.hypot(
        *(
            error_limit(
                layer,
                name,
                device=device,
                roundings=_roundings(implementation, layer, name, device),
                rows=rows,
                precision=precision,
                is_last=len(parts) == 1,
            )
            for layer, name in parts
        )
    )


def _roundings(implementation: Implementation, case: Case, tensor: str, device: str) -> int:
    declared = implementation.roundings(case, tensor, device)
    most = 1 + max(reduction_length(case, tensor), math.prod(case.kernel_size))
    if not 1 <= declared <= most:
        message = (
            f"{implementation.name} declares {declared} roundings of {tensor}; 1 to {most} are "
            "possible, once per product and once for a bias"
        )
        raise ValueError(message)
    return declared


def error_limit(  # noqa: PLR0913
    case: Case,
    tensor: str,
    *,
    device: str,
    roundings: int,
    rows: Rows | None = None,
    precision: str | None = None,
    is_last: bool = True,
) -> float:
    """The largest relative 2-norm error that counts as right, of one layer.

    Args:
        case: the problem.
        tensor: which result; see `reduction_length`.
        device: `cpu` or `cuda...`; only the latter has tensor cores.
        roundings: rho, how often the implementation rounds to the storage type.
        rows: as in `result_limit`.
        precision: as in `result_limit`.
        is_last: nothing is summed after the rounding, which then is off by u at most.
    """
    surprise = rows.surprise if rows else 0.0
    precision = precision or asked_precision(case)
    length = reduction_length(case, tensor)
    storage = 2.0 ** -SIGNIFICAND_BITS[case.dtype]
    is_double = case.dtype == "float64" and precision == "ieee"
    accumulator = 2.0**-53 if is_double else 2.0**-24
    spread = _SUM * (_TRANSFORMED if _may_be_transformed(case, tensor, device) else 1)
    limit = max(2 * math.sqrt(length), spread * _largest(length, surprise)) * accumulator
    if roundings == 1 and is_last:
        limit += storage
    else:
        limit += max(math.sqrt(roundings), _ROUNDING * _largest(roundings, surprise)) * storage
    terms = _TERMS[precision]
    if terms and device.startswith("cuda"):
        limit += accumulator * math.ceil(length / terms)
    if case.dtype not in _HALF_TYPES:
        limit += max(3, _OPERANDS * _largest(1, surprise)) * _OPERAND_ROUNDING.get(precision, 0.0)
    return limit


def _may_be_transformed(case: Case, tensor: str, device: str) -> bool:
    """Whether cuDNN may choose such a kernel: it sums products over several taps, on a card."""
    is_summed_over_taps = tensor != "grad_bias" and math.prod(case.kernel_size) > 1
    return device.startswith("cuda") and is_summed_over_taps


def _largest(steps: int, surprise: float) -> float:
    """Of a walk of so many random steps: its expected length, by so much more, and one step."""
    return math.sqrt(steps) * (1 + surprise) + surprise


def precision_seen(  # noqa: PLR0913
    error: float | None,
    case: Case,
    tensor: str,
    implementation: Implementation,
    *,
    device: str,
    rows: Rows | None = None,
) -> str:
    """Which arithmetic an error bears witness of: `ieee`, `tf32`, `half` or `none` of them.

    The first whose limit the error keeps. Storage in half precision rounds the result to it, so
    nothing better than `half` can be seen there. `half` stands for operands rounded to 8 bits. Only
    8 times lie between those and TF32's, so errors over few elements are not given room for both.

    Args:
        error: of the whole result, relative in the 2-norm; None where it is not finite.
        case: the problem.
        tensor: which result.
        implementation: as in `result_limit`.
        device: as in `result_limit`.
        rows: the single norm that `error` is of.
    """
    if error is None:
        return "none"
    for precision in ("half",) if case.dtype in _HALF_TYPES else tuple(_TERMS):
        limit = result_limit(
            case,
            tensor,
            implementation,
            device=device,
            rows=rows if precision in {"ieee", asked_precision(case)} else None,
            precision=precision,
        )
        if error <= limit:
            return precision
    return "none"
