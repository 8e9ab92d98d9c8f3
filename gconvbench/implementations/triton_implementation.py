"""What the Triton implementations share: where they are valid, what they do, how they round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.cases import flops
from gconvbench.implementations.base import Implementation
from gconvbench.implementations.triton_convolution import (
    convolve_by_triton,
    multiplied_groups,
    problem_of,
)
from gconvbench.implementations.triton_support import why_no_triton
from gconvbench.implementations.triton_tiles import choices_of

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

__all__ = ["TritonImplementation"]


class TritonImplementation(Implementation):
    """Tiles are tried out in the first launch of a shape, which takes seconds to compile.

    Groups narrower than a tile are packed into it as a block diagonal: finite numbers stay in
    their group, NaN and infinity do not (0 * NaN).
    """

    on_request = True

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """No Triton, no device for it, or too large."""
        return why_no_triton(case, device)

    def choices(self, case: Case) -> tuple[str, ...]:
        """The tiles that were chosen."""
        return choices_of(problem_of(case, case.batch))

    def executed_flops(self, case: Case) -> int:
        """Those of the narrowest packing; a tile's padding is not counted."""
        return multiplied_groups(case) * flops(case)

    def roundings(self, case: Case, tensor: str, device: str) -> int:  # noqa: ARG002
        """Everything, the bias too, is summed in the accumulator's type and rounded once."""
        return 1

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """One launch; one for the input's gradient, two for the filter's and the bias's."""
        return convolve_by_triton(case, x, weight, bias)
