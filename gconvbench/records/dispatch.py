"""What a launch was dispatched to, and where two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BOOKKEEPING", "Dispatch", "dispatch_text", "united_dispatch"]

_NAMED = 6
BOOKKEEPING = frozenset(
    f"aten::{name}"
    for name in (
        "_nnpack_available", "_unsafe_view", "alias", "as_strided", "as_strided_", "chunk",
        "detach", "empty", "empty_like", "empty_strided", "expand", "flatten", "narrow",
        "permute", "reshape", "resize_", "select", "slice", "split", "squeeze", "t", "transpose",
        "unflatten", "unsqueeze", "view",
    )
)  # fmt: skip
"""Operators that only allocate or look at memory in another way."""


class Dispatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a launch ran, each name once, in order of first use.

    Attributes:
        operators: of PyTorch, such as `aten::mkldnn_convolution`; empty where they were not seen.
        kernels: of libraries behind them, such as `onednn::convolution(jit:avx2)`, or on a GPU
            whatever ran there; empty where none were seen.
        counts: how often each kernel ran.
        shares: of the kernels' time; empty where it is not known.
        backends: that PyTorch gave the convolutions to, such as `Cudnn`; empty where they were not
            seen.
        choices: what an implementation chose by trying it out, such as sizes of tiles.
    """

    operators: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    shares: dict[str, float] = {}
    backends: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def kernel_launches(self) -> int | None:
        """Of all kernels together; None where they were not seen or counted."""
        return sum(self.counts.values()) or None


def united_dispatch(several: Iterable[Dispatch | None]) -> Dispatch:
    """What any of them ran; counts and shares are those of the first that has them."""
    known = [one for one in several if one]
    counted = next((one for one in known if one.counts), Dispatch())
    return Dispatch(
        operators=tuple(dict.fromkeys(name for one in known for name in one.operators)),
        kernels=tuple(dict.fromkeys(name for one in known for name in one.kernels)),
        counts=counted.counts,
        shares=counted.shares,
        backends=tuple(dict.fromkeys(name for one in known for name in one.backends)),
        choices=tuple(dict.fromkeys(name for one in known for name in one.choices)),
    )


def dispatch_text(before: Dispatch, after: Dispatch) -> str:
    """`operators aten::a no longer, aten::b now; kernels ...`: in which names they differ.

    Empty where they do not or it is not known. Operators that only allocate or look at memory in
    another way are named last.
    """
    operators = _text(before.operators, after.operators)
    kernels = _text(before.kernels, after.kernels)
    backends = _text(before.backends, after.backends)
    choices = _text(before.choices, after.choices)
    parts = {"operators": operators, "backends": backends, "kernels": kernels, "choices": choices}
    return "; ".join(f"{what} {text}" for what, text in parts.items() if text)


def _text(before: Sequence[str], after: Sequence[str]) -> str:
    if not before or not after:
        return ""
    gone = [(name in BOOKKEEPING, f"{name} no longer") for name in before if name not in after]
    come = [(name in BOOKKEEPING, f"{name} now") for name in after if name not in before]
    parts = [text for _, text in sorted([*gone, *come], key=lambda one: one[0])]
    more = [f"and {len(parts) - _NAMED} more"] if len(parts) > _NAMED else []
    return ", ".join(parts[:_NAMED] + more)
