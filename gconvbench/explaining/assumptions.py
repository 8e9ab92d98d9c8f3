"""How many groups has a convolution of which only the weight is known? Imports no torch.

A weight (K, C / g, R, S) does not tell g. Where the channels C that enter the layer are known, g is
C / (C / g); they are taken from what precedes the layer in the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.errors import UsageError, nearest_match
from gconvbench.records import Assumed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["CONVOLUTION_DIMENSIONS", "Named", "assume_groups", "convolution_names"]

CONVOLUTION_DIMENSIONS = 4
_BRANCH = re.compile("downsample|shortcut|skip|proj")
"""Parts of names of layers that look at what entered their block."""
_TRANSPOSED = re.compile(r"deconv|transpos|(^|\.)up")
"""Names that transposed convolutions often have."""
_POSSIBLE = 8
_NORMALISATION = (".weight", ".running_mean")


class Named(NamedTuple):
    """A tensor of a file: its name and shape."""

    name: str
    shape: tuple[int, ...]


class _Flow(NamedTuple):
    """Channels that flow on, and what they come from; none before the first layer."""

    channels: int = 0
    source: str = ""


def convolution_names(tensors: Sequence[Named]) -> list[str]:
    """The 4-dimensional weights without an empty side."""
    return [
        one.name for one in tensors if len(one.shape) == CONVOLUTION_DIMENSIONS and all(one.shape)
    ]


def assume_groups(
    tensors: Sequence[Named], given: Mapping[str, int], *, norms_precede: bool
) -> dict[str, Assumed]:
    """The groups of every convolution, by its name, with the reason.

    Args:
        tensors: in the order in which the layers follow each other.
        given: groups that the user knows, by the weight's name, with or without `.weight`.
        norms_precede: whether the order is the model's, so that a normalisation's length is that of
            what leaves it.

    Raises:
        UsageError: `given` names no convolution, or a number that the shape does not allow.
    """
    known = _given(convolution_names(tensors), given)
    found: dict[str, Assumed] = {}
    entered: dict[str, _Flow] = {}
    flow = _Flow()
    for one in tensors:
        is_convolution = len(one.shape) == CONVOLUTION_DIMENSIONS and all(one.shape)
        if is_convolution or _is_norm(one):
            for block in _blocks(one.name):
                entered.setdefault(block, flow)
        if is_convolution:
            found[one.name] = _assumed(one, flow, entered, known.get(one.name))
            flow = _Flow(one.shape[0], one.name)
        elif norms_precede and _is_norm(one) and one.shape[0] != flow.channels:
            flow = _Flow(one.shape[0], one.name)
    return found


def _given(names: Sequence[str], given: Mapping[str, int]) -> dict[str, int]:
    short = {name.removesuffix(".weight"): name for name in names}
    for name in given:
        if name not in names and name not in short:
            hint = f"; did you mean {near!r}?" if (near := nearest_match(name, short)) else ""
            message = (
                f"groups of {name!r}: the file has no such convolution{hint}; it has {len(names)}, "
                "shown without --groups"
            )
            raise UsageError(message)
    return {short.get(name, name): groups for name, groups in given.items()}


def _is_norm(one: Named) -> bool:
    return len(one.shape) == 1 and one.name.endswith(_NORMALISATION)


def _blocks(name: str) -> Iterator[str]:
    """What the name's layer is a part of: `a.b.c.weight` is in `a` and `a.b`."""
    parts = name.split(".")[:-2]
    return (".".join(parts[: i + 1]) for i in range(len(parts)))


def _assumed(one: Named, flow: _Flow, entered: Mapping[str, _Flow], given: int | None) -> Assumed:
    filters, per_group = one.shape[:2]
    possible = _divisors(filters)
    if given is not None:
        if filters % given:
            message = (
                f"groups of {one.name} ({given}) must divide its {filters} outputs; possible: "
                f"{', '.join(map(str, possible))}"
            )
            raise UsageError(message)
        return Assumed(groups=given, kind="given", why="given by --groups", possible=possible)
    block = _branch_of(one.name)
    kind = "previous" if block is None else "branch"
    before = flow if block is None else entered.get(block, flow)
    if not before.channels:
        why = "nothing precedes it: 1 is assumed"
        return Assumed(groups=1, kind="first", why=why, possible=possible)
    comes = f"{before.channels} channels come from {before.source.removesuffix('.weight')}"
    groups, rest = divmod(before.channels, per_group)
    if rest or filters % groups:
        why = f"{comes}, which does not fit {per_group} per group and {filters} outputs"
        return Assumed(groups=1, kind="impossible", why=why, possible=possible)
    doubt = "; by its name it may be transposed" if _TRANSPOSED.search(one.name) else ""
    return Assumed(groups=groups, kind=kind, why=f"{comes}{doubt}", possible=possible)


def _branch_of(name: str) -> str | None:
    """The block that a branch's layer belongs to, else None."""
    parts = name.split(".")
    at = next((i for i, part in enumerate(parts) if _BRANCH.search(part)), None)
    return ".".join(parts[:at]) if at else None


def _divisors(number: int) -> tuple[int, ...]:
    """The smallest ones, and the number itself."""
    small = [d for d in range(1, min(number, 4096) + 1) if number % d == 0]
    return tuple(dict.fromkeys([*small[:_POSSIBLE], number]))
