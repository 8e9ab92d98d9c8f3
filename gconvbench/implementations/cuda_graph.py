"""Another implementation as a CUDA graph: captured once, replayed by every launch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.capture import capture, capture_stream

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Launch, Operands

__all__ = ["CudaGraph"]


class CudaGraph(Implementation):
    """One call enqueues everything; the host's share of each operation is paid when it is captured.

    Results lie in memory of the graph, which every launch writes to. It reads its operands where
    they lay when it was captured.

    Args:
        inner: what to capture.

    Raises:
        TypeError: its launches are made from operands that are not prepared.
    """

    def __init__(self, inner: Implementation) -> None:
        if type(inner).launch is not Implementation.launch:
            message = f"{inner.name} overrides launch; to be captured it has launch_prepared"
            raise TypeError(message)
        self._inner = inner
        self.name = f"cuda_graph_{inner.name}"
        self.idea = f"{inner.name}, captured in a CUDA graph and replayed"
        self.operations = inner.operations

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """Graphs are CUDA's; else what the inner one cannot do."""
        if device == "cpu":
            return "CUDA graphs need a CUDA device"
        return self._inner.why_unsupported(case, device)

    def executed_flops(self, case: Case) -> int:
        """As the inner one."""
        return self._inner.executed_flops(case)

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        """As the inner one."""
        return self._inner.roundings(case, tensor, device)

    def prepare(self, case: Case, operands: Operands) -> Operands:
        """As the inner one."""
        return self._inner.prepare(case, operands)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As the inner one, not captured."""
        return self._inner.forward(case, x, weight, bias)

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        """The inner one's launch, captured.

        Raises:
            RuntimeError: it cannot be captured.
        """
        device = ready.x.device
        with capture_stream(device):
            launch = self._inner.launch_prepared(case, ready)
            return capture([launch], calls=1, device=device).replay
