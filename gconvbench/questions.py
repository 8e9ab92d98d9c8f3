"""What the engine asks of an implementation beside its work. Imports no torch."""

from __future__ import annotations

from typing import Any

__all__ = ["answer_of"]


def answer_of(implementation: object, question: str, default: Any) -> Any:  # noqa: ANN401
    """What it says of itself. One of an earlier version does not know every question.

    A gate's baseline may have such ones: the engine is always the newer one.
    """
    return getattr(implementation, question, default)
