"""A grouped convolution that writes its channels shuffled, in one kernel written in Triton."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.cases import flops
from gconvbench.implementations.base import Implementation
from gconvbench.implementations.triton_convolution import convolve_by_triton, multiplied_groups
from gconvbench.implementations.triton_support import why_no_triton

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["TritonFusedShuffle"]


class TritonFusedShuffle(Implementation):
    """The kernels of the convolution alone, told other strides: the shuffle is no pass of its own.

    Channel i of group j is written to, and its gradient read from, place i g + j.
    """

    name = "triton_fused_shuffle"
    idea = "own Triton kernels that write their channels shuffled, autotuned"
    operations = ("conv_shuffle",)
    on_request = True

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """No Triton, no device for it, or too large."""
        return why_no_triton(case, device)

    def executed_flops(self, case: Case) -> int:
        """Those of the narrowest packing; a tile's padding is not counted."""
        return multiplied_groups(case) * flops(case)

    def roundings(self, case: Case, tensor: str, device: str) -> int:  # noqa: ARG002
        """Everything, the bias too, is summed in the accumulator's type and rounded once."""
        return 1

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """One launch; one for the input's gradient, two for the filter's and the bias's."""
        return convolve_by_triton(case, x, weight, bias)
