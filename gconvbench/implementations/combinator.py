"""What combinators share: an implementation that is made of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.implementations.base import Implementation

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Launch, Operands

__all__ = ["Combinator"]


class Combinator(Implementation):
    """In everything as the inner one; a subclass changes one thing about it.

    Args:
        inner: what it is made of.

    Attributes:
        inner: the same.

    Raises:
        TypeError: the inner one makes its launches from operands that are not prepared.
    """

    def __init__(self, inner: Implementation) -> None:
        if type(inner).launch is not Implementation.launch:
            message = f"{inner.name} overrides launch; to be combined it has launch_prepared"
            raise TypeError(message)
        self.inner = inner
        self.operations = inner.operations
        self.why_not_captured = inner.why_not_captured

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """What the inner one cannot do."""
        return self.inner.why_unsupported(case, device)

    def executed_flops(self, case: Case) -> int:
        """As the inner one."""
        return self.inner.executed_flops(case)

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        """As the inner one."""
        return self.inner.roundings(case, tensor, device)

    def prepare(self, case: Case, operands: Operands) -> Operands:
        """As the inner one."""
        return self.inner.prepare(case, operands)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As the inner one."""
        return self.inner.forward(case, x, weight, bias)

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        """As the inner one."""
        return self.inner.launch_prepared(case, ready)
