"""Unfold the windows, then one batched product over the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations.base import Implementation, accumulator

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["Im2colBmm"]


class Im2colBmm(Implementation):
    """Writes and reads every window: N * C * R * S * P * Q elements beside the product."""

    name = "im2col_bmm"
    idea = "F.unfold, then one batched matrix product over the groups"

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        """The columns' gradient and each image's weight gradient are rounded, then summed."""
        if tensor in {"grad_input", "grad_weight"}:
            return 2
        return super().roundings(case, tensor, device)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A copy of the windows, a product, and the bias."""
        columns = _Unfold.apply(x, case).unflatten(1, (case.groups, -1))  # type: ignore[no-untyped-call]
        rows = weight.reshape(case.groups, case.group_out_channels, -1)
        y = torch.matmul(rows, columns).flatten(1, 2).unflatten(2, case.output_size)
        return y if bias is None else y + bias.view(-1, 1, 1)


class _Unfold(torch.autograd.Function):
    """`F.unfold` whose gradient sums overlapping windows in the accumulator's type.

    PyTorch's own would round each partial sum of half precision to half precision.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, case: Case) -> Tensor:  # noqa: ANN401
        ctx.case = case
        return F.unfold(x, case.kernel_size, case.dilation, case.padding, case.stride)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        case = ctx.case
        window = case.kernel_size, case.dilation, case.padding, case.stride
        wide = grad.to(accumulator(grad.dtype))
        return F.fold(wide, (case.height, case.width), *window).to(grad.dtype), None
