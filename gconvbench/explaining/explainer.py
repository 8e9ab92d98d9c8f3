"""Answers requests for explanations, in whatever process it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.cases import parse_case
from gconvbench.device import reset_settings, why_device_lacks, why_memory_lacks
from gconvbench.errors import UsageError
from gconvbench.explaining.file import explain_file
from gconvbench.explaining.layer import Place, explain_layer
from gconvbench.failure import one_line
from gconvbench.protocol import Explained, ExplainFile, ExplainLayer, FileExplained, Refused

if TYPE_CHECKING:
    from gconvbench.protocol import Ready, SetUp
    from gconvbench.records import Explanation

__all__ = ["Explainer"]


class Explainer:
    """Explains layers and files on the device of a worker that was set up.

    Args:
        request: with which it was set up.
        ready: what it said then.
    """

    def __init__(self, request: SetUp, ready: Ready) -> None:
        self._threads = request.method.threads
        self._place = Place(
            device=request.device,
            device_name=str(ready.environment.identity.get("device_name") or "unknown device"),
            machine=ready.machine,
            seed=request.method.seed,
        )

    def answer(self, request: ExplainLayer | ExplainFile) -> Explained | FileExplained | Refused:
        """What was seen, or in one line why nothing could be."""
        reset_settings(self._threads)
        try:
            with torch.inference_mode(mode=False):
                if isinstance(request, ExplainLayer):
                    return Explained(self.layer(request))
                groups = request.groups
                return FileExplained(explain_file(request.path, groups, self._place))
        except UsageError as error:
            return Refused(str(error))
        except (RuntimeError, MemoryError) as error:
            return Refused(f"nothing could be explained: {one_line(error)}", was_tried=True)

    def layer(self, request: ExplainLayer) -> Explanation:
        """One layer.

        Raises:
            UsageError: the device cannot compute it, or has no room for it.
        """
        case = parse_case(request.case)
        device = self._place.device
        if reason := why_device_lacks(case, device) or why_memory_lacks(case, device):
            message = f"case {request.case} cannot be explained: {reason}"
            raise UsageError(message)
        return explain_layer(case, self._place, name=request.name)
