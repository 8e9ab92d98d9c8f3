"""Is the instrument fit? Checks that one process can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.protocol import Examine, Examined

if TYPE_CHECKING:
    from gconvbench.records import Method

__all__ = ["examine"]


def examine(request: Examine, device: str, method: Method) -> Examined:  # noqa: ARG001
    """Make the checks of this scope."""
    return Examined(())
