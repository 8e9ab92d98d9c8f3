"""What an implementation is: a forward function, where it is valid, and how it becomes a launch.

Implementations do not know that they are timed, nor each other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 (the name that every PyTorch user knows)

from gconvbench.cases import flops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gconvbench.cases import Case

__all__ = [
    "MEMORY_FORMATS",
    "RESULTS",
    "Implementation",
    "Launch",
    "Operands",
    "accumulator",
    "result_names",
]

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


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """The type to sum in where every partial sum would otherwise be rounded to `dtype`."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@dataclass(frozen=True, kw_only=True)
class Operands:
    """Inputs of one case.

    Attributes:
        x: input `(N, C, H, W)`.
        weight: `(K, C / groups, R, S)`.
        bias: `(K,)` or None.
        grad_output: `(N, K, P, Q)`, the gradient that arrives from above.
        following: the weights of the layers behind a shuffle, in order; see `Case.following`.
    """

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    grad_output: Tensor
    following: tuple[Tensor, ...] = ()

    def named(self) -> dict[str, Tensor]:
        """Every tensor that is there, by name."""
        given = {
            "x": self.x,
            "weight": self.weight,
            "bias": self.bias,
            "grad_output": self.grad_output,
        }
        behind = {f"following[{i}]": weight for i, weight in enumerate(self.following)}
        return {name: t for name, t in given.items() if t is not None} | behind

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Operands:
        """The same with `change` done to every tensor."""
        return Operands(
            x=change(self.x),
            weight=change(self.weight),
            bias=None if self.bias is None else change(self.bias),
            grad_output=change(self.grad_output),
            following=tuple(change(weight) for weight in self.following),
        )

    def copy(self) -> Operands:
        """The same values and layouts in memory of their own."""
        return self.mapped(torch.clone)


class Implementation(ABC):
    """One way to compute a grouped convolution.

    A subclass gives `name`, `idea` and `forward`; autograd then provides the gradients. To compute
    gradients in another way, or to capture or compile the work, override `launch_prepared`.

    Attributes:
        name: unique; letters, digits and underscores.
        idea: one line for `gconvbench list --implementations`.
        operations: which of the operations it computes.
        on_request: measured only when named, or with `--implementation all`: for those that take
            seconds to prepare, processes of their own, or devices that nobody named.
        is_compiled: whether it is compiled anew for whoever looks at its operators, or for operands
            that lie otherwise.
        why_not_captured: the reason why no launch can be part of a CUDA graph; None where it can.
        modes: settings of torch, by the environment's names (`switches.SWITCHES`), that it is
            measured with, in worker processes of its own; none for those of all others.
    """

    name: str
    idea: str
    operations: tuple[str, ...] = ("conv",)
    on_request: ClassVar[bool] = False
    is_compiled: ClassVar[bool] = False
    why_not_captured: str | None = None
    modes: Mapping[str, bool | str] = MappingProxyType({})

    def why_unsupported(self, case: Case, device: str) -> str | None:  # noqa: ARG002
        """The reason why this implementation cannot compute `case` there, or None where it can."""
        return None

    def choices(self, case: Case) -> tuple[str, ...]:  # noqa: ARG002
        """What it chose for the case by trying it out in this process, in words; none by default.

        Another process may choose otherwise: it is compared as kernels are.
        """
        return ()

    def executed_flops(self, case: Case) -> int:
        """FLOPs that a launch really does: those of the case, unless zeros are multiplied, too."""
        return flops(case)

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        """How often the result named `tensor` is rounded to its storage type (rho of the limit).

        Once by a single kernel; twice where a bias is added separately. On the CPU PyTorch's own
        gradient kernels, which it falls back on for the half types that oneDNN does not have there,
        round every filter tap's product to that type before they sum them for the input, and every
        image's for the weight (of a dilated layer also for the bias; found by running: the error
        grows with the square root of the taps, or of the batch).
        """
        if tensor == "output":
            return 2 if case.bias else 1
        if device != "cpu" or not _falls_back(case.dtype):
            return 1
        if tensor == "grad_input":
            return 1 + math.prod(case.kernel_size)
        adds_images = tensor == "grad_weight" or case.dilation != (1, 1)
        return case.batch if adds_images else 1

    def prepare(self, case: Case, operands: Operands) -> Operands:  # noqa: ARG002
        """Bring operands into the form that this implementation keeps them in (not timed)."""
        return operands

    @abstractmethod
    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The grouped convolution and its shuffle, `(N, K, P, Q)`; differentiable by autograd.

        The batch is that of `x`, which may be another than the case's, even 0.
        """

    def launch(self, case: Case, operands: Operands) -> Launch:
        """The work of `case.direction` on these operands, ready to be enqueued again and again."""
        return self.launch_prepared(case, self.prepare(case, operands))

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        """The same on operands that `prepare` has brought into their form.

        Gradients come from `torch.autograd.grad` for all implementations alike, so that none is
        spared its overhead; for `dgrad` and `wgrad` the forward pass is done here, once.
        """
        if case.direction == "fprop":
            return lambda: (self._output(case, ready),)
        leaves: dict[str, Any] = _leaves(case, ready)
        ready = replace(ready, **leaves)
        wanted = tuple(leaves.values())
        if case.direction == "training":

            def train() -> tuple[Tensor, ...]:
                y = self._output(case, ready)
                return y.detach(), *torch.autograd.grad(y, wanted, ready.grad_output)

            return train
        y = self._output(case, ready)
        return lambda: torch.autograd.grad(y, wanted, ready.grad_output, retain_graph=True)

    def _output(self, case: Case, operands: Operands) -> Tensor:
        """`forward`, then the layers that follow."""
        y = self.forward(case, operands.x, operands.weight, operands.bias)
        for layer, weight in zip(case.following, operands.following, strict=True):
            y = F.conv2d(y, weight, padding=layer.padding, groups=layer.groups)
        return y


def _leaves(case: Case, operands: Operands) -> dict[str, Tensor]:
    """The operands to differentiate by, in the order of `result_names`."""
    names = {"dgrad": ("x",), "wgrad": ("weight", "bias"), "training": ("x", "weight", "bias")}
    given = ((name, getattr(operands, name)) for name in names[case.direction])
    return {name: tensor.detach().requires_grad_() for name, tensor in given if tensor is not None}


def _falls_back(dtype: str) -> bool:
    """Whether PyTorch's gradients of this type are not oneDNN's on this CPU.

    float16 was never seen from oneDNN (it needs AVX512_FP16), bfloat16 with AVX512 only.
    """
    if dtype != "bfloat16":
        return dtype == "float16"
    mkldnn = torch.backends.mkldnn
    return not (
        mkldnn.enabled and mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 (the question that PyTorch's own dispatch asks)
    )
