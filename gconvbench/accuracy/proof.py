"""What all implementations of one case are held against, made once per case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.accuracy.expected import expect
from gconvbench.accuracy.integers import integer_operands
from gconvbench.cases import flops
from gconvbench.operands import normal_operands

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.accuracy.expected import Expected
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Operands

__all__ = ["Peer", "Proof"]

_PROBE_FLOPS = 1 << 31
"""Larger problems are cut down for what takes many launches and does not depend on their size."""


class Peer(NamedTuple):
    """An implementation that was found right, and its results."""

    implementation: Implementation
    results: tuple[Tensor, ...]


@dataclass(frozen=True)
class Proof:
    """The operands of a case and what must come out of them.

    Attributes:
        case: the problem.
        device: where the operands are.
        seed: of the operands.
        operands: normal operands, also used for timing.
        expected: the results on them, by name.
        integers: operands for the exact check, or None.
        expected_integers: the exact results on them.
        probe: the case itself, or a smaller one with the same channels, for the checks that take
            many launches.
        peers: implementations that were found right, with their results.
    """

    case: Case
    device: str
    seed: int
    operands: Operands
    expected: dict[str, Expected]
    integers: Operands | None
    expected_integers: dict[str, Expected]
    probe: Case
    peers: list[Peer] = field(default_factory=list)

    @classmethod
    def of(cls, case: Case, *, device: str, seed: int) -> Proof:
        """Draw operands and compute what is expected of them."""
        operands = normal_operands(case, seed=seed, device=device)
        integers = integer_operands(case, seed=seed, device=device)
        return cls(
            case=case,
            device=device,
            seed=seed,
            operands=operands,
            expected=expect(case, operands, seed=seed),
            integers=integers,
            expected_integers=expect(case, integers, seed=seed) if integers else {},
            probe=_probe(case),
        )

    def probe_operands(self) -> Operands:
        """Normal operands of the probe, in memory of their own."""
        if self.probe == self.case:
            return self.operands.copy()
        return normal_operands(self.probe, seed=self.seed, device=self.device)


def _probe(case: Case) -> Case:
    """The case with one image, and no more rows than its work allows."""
    if flops(case) <= _PROBE_FLOPS:
        return case
    one = msgspec.structs.replace(case, batch=1)
    if flops(one) <= _PROBE_FLOPS:
        return one
    window = case.reach[0] + 2 * case.stride[0]
    height = max(min(case.height, window), case.height * _PROBE_FLOPS // flops(one))
    return msgspec.structs.replace(one, height=min(case.height, height))
