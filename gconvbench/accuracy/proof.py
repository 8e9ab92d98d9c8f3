"""What all implementations of one case are held against, made once per case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.accuracy.expected import expect
from gconvbench.accuracy.integers import integer_checks
from gconvbench.accuracy.reference import valid_taps
from gconvbench.operands import normal_operands

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.accuracy.expected import Expected
    from gconvbench.accuracy.integers import IntegerCheck
    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Operands

__all__ = ["Peer", "Proof"]

_PROBE_FLOPS = 1 << 31
"""Launches that execute more are cut down where many are needed and their size does not matter."""


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
        integers: the exact checks, which need not cover every result.
        peers: implementations that were found right, with their results.
    """

    case: Case
    device: str
    seed: int
    operands: Operands
    expected: dict[str, Expected]
    integers: tuple[IntegerCheck, ...]
    peers: list[Peer] = field(default_factory=list)

    @classmethod
    def of(cls, case: Case, *, device: str, seed: int) -> Proof:
        """Draw operands and compute what is expected of them."""
        operands = normal_operands(case, seed=seed, device=device)
        return cls(
            case=case,
            device=device,
            seed=seed,
            operands=operands,
            expected=expect(case, operands, seed=seed),
            integers=integer_checks(case, seed=seed, device=device),
        )

    def probe(self, implementation: Implementation) -> Case:
        """The case itself, or a smaller one with the same channels, for what takes many launches.

        One image, where a launch executes too much, and then no more rows than it may, but at least
        so many that some window reaches beyond the padding.
        """
        case = self.case
        if implementation.executed_flops(case) > _PROBE_FLOPS:
            case = msgspec.structs.replace(case, batch=1)
        executed = implementation.executed_flops(case)
        if executed <= _PROBE_FLOPS:
            return case
        enough = case.height * _PROBE_FLOPS // executed
        heights = range(max(enough, case.reach[0] - 2 * case.padding[0], 1), case.height)
        fewer = (msgspec.structs.replace(case, height=height) for height in heights)
        return next((one for one in fewer if valid_taps(one)), case)

    def probe_operands(self, probe: Case) -> Operands:
        """Normal operands of the case, or of a probe, in memory of their own."""
        if probe == self.case:
            return self.operands.copy()
        return normal_operands(probe, seed=self.seed, device=self.device)
