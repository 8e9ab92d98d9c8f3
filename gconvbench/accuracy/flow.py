"""Information flow: which results does poison in one group reach?

One channel per group is poisoned, all groups together, in sets chosen by the bits of the group's
number: each bit once where it is 1 and once where it is 0. A result that is poisoned in exactly one
of the two for every bit depends on exactly one group, and the pattern names it. So 2 log2(g)
launches prove that nothing leaks between groups and that nothing is lost, for any g.

There are two poisons. A one in otherwise zero operands, against weights of ones so that nothing can
cancel, shows which finite numbers reach which results: this must be exact. NaN (infinity where the
bit is 1) on normal operands also shows what is multiplied by zero: an implementation that pads
groups with zero weights is right for finite data, yet leaks NaN (0 * NaN) between groups, and that
is said of it.

A dense layer behind the shuffle lets everything reach everything, and that must be so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from gconvbench.accuracy.judge import fitting
from gconvbench.accuracy.reference import output_groups, valid_taps
from gconvbench.implementations import Operands, result_names
from gconvbench.operands import case_generator
from gconvbench.records import ISOLATED_IF_FINITE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation

__all__ = ["BROKEN", "ISOLATED", "check_flow"]

_GROUPS_SHOWN = 4
ISOLATED = "isolated"
BROKEN = "broken"

_SOURCES = {
    "fprop": ("x",),
    "dgrad": ("grad_output",),
    "wgrad": ("x", "grad_output"),
    "training": ("x", "grad_output"),
}
_REACHED = {
    "x": ("output", "grad_weight"),
    "grad_output": ("grad_input", "grad_weight", "grad_bias"),
}


@dataclass(frozen=True)
class _Poison:
    """Which channels of which operand are poisoned.

    Attributes:
        source: `x` or `grad_output`.
        channels: the poisoned channels of the source, one per poisoned group.
        groups: `(g,)`, True for poisoned groups.
        value: NaN or infinity, where the poison is not finite.
        local: `(g,)`, each group's chosen channel within the group.
    """

    source: str
    channels: Tensor
    groups: Tensor
    value: float
    local: Tensor


def check_flow(
    implementation: Implementation, case: Case, operands: Operands, *, seed: int
) -> tuple[str, str | None]:
    """Launch with each poison and compare with the definition of a grouped convolution.

    Returns what was found (`ISOLATED`, `ISOLATED_IF_FINITE` or `BROKEN`), and the fault if any.
    """
    leak = None
    for poison in _poisons(case, seed):
        for is_finite in (True, False):
            poisoned = _poisoned(case, operands, poison, is_finite=is_finite)
            launch = implementation.launch(case, poisoned)
            results = fitting(case, launch(), poisoned.x.device)
            for name, result in zip(result_names(case), results, strict=True):
                if name not in _REACHED[poison.source]:
                    continue
                seen = _seen(name, result, is_finite=is_finite)
                expected = _expected(case, name, poison)
                only_leaks = not is_finite and not (expected & ~seen).any()
                if fault := _fault(name, seen, expected, poison):
                    if not only_leaks:
                        return BROKEN, fault
                    leak = fault
    return (ISOLATED_IF_FINITE if leak else ISOLATED), None


def _poisons(case: Case, seed: int) -> Iterator[_Poison]:
    generator = case_generator(case, seed + 2)
    number = torch.arange(case.groups)
    bits = range(max(1, (case.groups - 1).bit_length()))
    for source in _SOURCES[case.direction]:
        per_group = case.group_in_channels if source == "x" else case.group_out_channels
        for bit in bits:
            for value in (0, 1):
                groups = (number >> bit) & 1 == value
                if groups.any():
                    local = torch.randint(0, per_group, (case.groups,), generator=generator)
                    channels = _channels(case, source, local)[groups]
                    not_finite = torch.inf if value else torch.nan
                    yield _Poison(source, channels, groups, not_finite, local)


def _channels(case: Case, source: str, local: Tensor) -> Tensor:
    """The channel of each group's `local`-th member in the source, `(g,)`."""
    number = torch.arange(case.groups)
    if source == "x":
        return number * case.group_in_channels + local
    if case.shuffles:
        return local * case.groups + number
    return number * case.group_out_channels + local


def _poisoned(case: Case, operands: Operands, poison: _Poison, *, is_finite: bool) -> Operands:
    source = getattr(operands, poison.source)
    channels = poison.channels.to(source.device)
    changed: dict[str, Any] = {}
    if is_finite:
        changed = vars(operands.mapped(torch.ones_like)) | {
            "bias": None if operands.bias is None else torch.zeros_like(operands.bias),
            "grad_output": torch.full_like(operands.grad_output, _gradient(case)),
        }
        changed[poison.source] = torch.zeros_like(source)
        changed[poison.source][:, channels] = _gradient(case) if poison.source != "x" else 1.0
    else:
        changed[poison.source] = source.clone()
        changed[poison.source][:, channels] = poison.value
    return replace(operands, **changed)


def _gradient(case: Case) -> float:
    """A power of two for the gradient's entries, of which a whole batch sums to less than 2^15.

    A sum that overflows float16 would turn into NaN where it meets the zeros of a block diagonal.
    """
    pixels = case.batch * math.prod(case.output_size)
    return 2.0 ** -max(0, pixels.bit_length() - 15)


def _seen(name: str, result: Tensor, *, is_finite: bool) -> Tensor:
    """Where the poison arrived: `(K,)`, `(C,)`, or `(K, C / g)` for the weight's gradient."""
    marks = (result != 0 if is_finite else ~torch.isfinite(result)).cpu()
    if name == "grad_bias":
        return marks
    if name == "grad_weight":
        return marks.any(dim=-1).any(dim=-1)
    return marks.any(dim=-1).any(dim=-1).any(dim=0)


def _expected(case: Case, name: str, poison: _Poison) -> Tensor:
    """Where the poison must arrive, by the definition of a grouped convolution."""
    poisoned, local = poison.groups, poison.local
    if case.following and (name == "output" or poison.source == "grad_output"):
        poisoned = torch.ones_like(poisoned)
    if name != "grad_bias" and not valid_taps(case):  # every window lies on padding
        poisoned = torch.zeros_like(poisoned)
    if name == "output":
        return poisoned[output_groups(case)]
    if name == "grad_input":
        return poisoned.repeat_interleave(case.group_in_channels)
    hit = torch.nonzero(poisoned).flatten()
    if name == "grad_bias":
        reached = torch.zeros(case.groups, case.group_out_channels, dtype=torch.bool)
        reached[hit, slice(None) if case.following else local[hit]] = True
        return reached.flatten()
    reached = torch.zeros(
        case.groups, case.group_out_channels, case.group_in_channels, dtype=torch.bool
    )
    if poison.source == "x":
        reached[hit, :, local[hit]] = True
    elif case.following:
        reached[hit] = True
    else:
        reached[hit, local[hit], :] = True
    return reached.flatten(0, 1)


def _fault(name: str, seen: Tensor, expected: Tensor, poison: _Poison) -> str | None:
    if torch.equal(seen, expected):
        return None
    leaked, lost = int((seen & ~expected).sum()), int((expected & ~seen).sum())
    groups = torch.nonzero(poison.groups).flatten().tolist()
    shown = ", ".join(map(str, groups[:_GROUPS_SHOWN]))
    shown += ", ..." if len(groups) > _GROUPS_SHOWN else ""
    return (
        f"information flow: poison in {poison.source} of groups {shown} reaches {leaked} of "
        f"{seen.numel()} entries of {name} that it must not, and misses {lost} that it must reach"
    )
