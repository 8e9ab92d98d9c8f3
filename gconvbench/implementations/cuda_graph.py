"""Another implementation as a CUDA graph: captured once, replayed by every launch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.capture import capture, capture_stream
from gconvbench.implementations.combinator import Combinator

if TYPE_CHECKING:
    from gconvbench.cases import Case
    from gconvbench.implementations.base import Implementation, Launch, Operands

__all__ = ["CudaGraph"]


class CudaGraph(Combinator):
    """One call enqueues everything; the host's part in each operation was done by the capture.

    Results lie in memory of the graph, which every launch writes to. It reads its operands where
    they lay when it was captured.

    Args:
        inner: what to capture.
    """

    def __init__(self, inner: Implementation) -> None:
        super().__init__(inner)
        self.why_not_captured = "it is a graph already"
        self.name = f"cuda_graph_{inner.name}"
        self.idea = f"{inner.name}, captured in a CUDA graph and replayed"

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """Graphs are CUDA's; else what the inner one cannot do."""
        if device == "cpu":
            return "CUDA graphs need a CUDA device"
        return super().why_unsupported(case, device)

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        """The inner one's launch, captured.

        Raises:
            RuntimeError: it cannot be captured.
        """
        device = ready.x.device
        with capture_stream(device):
            launch = super().launch_prepared(case, ready)
            return capture([launch], calls=1, device=device).replay
