"""What an implementation is: a forward function, where it is valid, and how it becomes a launch.

Implementations do not know that they are timed, nor each other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["MEMORY_FORMATS", "RESULTS", "Implementation", "Launch", "Operands", "result_names"]

Launch = Callable[[], tuple["Tensor", ...]]
"""One enqueue of the work; returns the results in the order of `result_names`."""

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

RESULTS = {
    "fprop": ("output",),
    "dgrad": ("grad_input",),
    "wgrad": ("grad_weight", "grad_bias"),
    "training": ("output", "grad_input", "grad_weight", "grad_bias"),
}
"""The tensors that each direction computes (`grad_bias` only where there is a bias)."""


def result_names(case: Case) -> tuple[str, ...]:
    """The names of what a launch returns, in order."""
    return tuple(name for name in RESULTS[case.direction] if case.bias or name != "grad_bias")


@dataclass(frozen=True, kw_only=True)
class Operands:
    """Inputs of one case.

    Attributes:
        x: input `(N, C, H, W)`.
        weight: `(K, C / groups, R, S)`.
        bias: `(K,)` or None.
        grad_output: `(N, K, P, Q)`, the gradient that arrives from above.
    """

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    grad_output: Tensor

    def copy(self) -> Operands:
        """The same values and layouts in memory of their own."""
        return Operands(
            x=self.x.clone(),
            weight=self.weight.clone(),
            bias=None if self.bias is None else self.bias.clone(),
            grad_output=self.grad_output.clone(),
        )

    def changed(self, other: Operands) -> tuple[str, ...]:
        """The names of the operands that differ in any bit from those of `other`."""
        mine, theirs = vars(self), vars(other)
        return tuple(
            name
            for name, tensor in mine.items()
            if tensor is not None and not torch.equal(tensor, theirs[name])
        )


class Implementation(ABC):
    """One way to compute a grouped convolution.

    A subclass gives `name`, `idea` and `forward`; autograd then provides the gradients. To compute
    gradients in another way, or to capture or compile the work, override `launch`.

    Attributes:
        name: unique; letters, digits and underscores.
        idea: one line for `gconvbench list --implementations`.
        operations: `conv`, `conv_shuffle` or both.
    """

    name: ClassVar[str]
    idea: ClassVar[str]
    operations: ClassVar[tuple[str, ...]] = ("conv",)

    def why_unsupported(self, case: Case) -> str | None:  # noqa: ARG002 (for subclasses)
        """The reason why this implementation cannot compute `case`, or None where it can."""
        return None

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        """How often the result named `tensor` is rounded to its storage type (rho of the limit).

        Once by a single kernel; twice where a bias is added separately. On the CPU PyTorch's
        float16 gradient by the input rounds every filter tap's product to float16 before it sums
        them (found by running: the error grows with the square root of the taps).
        """
        if tensor == "output":
            return 2 if case.bias else 1
        if tensor == "grad_input" and case.dtype == "float16" and device == "cpu":
            return 1 + math.prod(case.kernel_size)
        return 1

    def prepare(self, case: Case, operands: Operands) -> Operands:  # noqa: ARG002
        """Bring operands into the form that this implementation keeps them in (not timed)."""
        return operands

    @abstractmethod
    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The output `(N, K, P, Q)`; every step differentiable by autograd."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        """The work of `case.direction` on these operands, ready to be enqueued again and again.

        Gradients come from `torch.autograd.grad` for all implementations alike, so that none is
        spared its overhead; for `dgrad` and `wgrad` the forward pass is done here, once.
        """
        ready = self.prepare(case, operands)
        if case.direction == "fprop":
            return lambda: (self.forward(case, ready.x, ready.weight, ready.bias),)
        leaves = _leaves(case, ready)
        ready = replace(ready, **leaves)
        wanted = tuple(leaves.values())
        if case.direction == "training":

            def train() -> tuple[Tensor, ...]:
                y = self.forward(case, ready.x, ready.weight, ready.bias)
                return y.detach(), *torch.autograd.grad(y, wanted, ready.grad_output)

            return train
        y = self.forward(case, ready.x, ready.weight, ready.bias)
        return lambda: torch.autograd.grad(y, wanted, ready.grad_output, retain_graph=True)


def _leaves(case: Case, operands: Operands) -> dict[str, Tensor]:
    """The operands to differentiate by, in the order of `result_names`."""
    names = {"dgrad": ("x",), "wgrad": ("weight", "bias"), "training": ("x", "weight", "bias")}
    given = ((name, getattr(operands, name)) for name in names[case.direction])
    return {name: tensor.detach().requires_grad_() for name, tensor in given if tensor is not None}
