"""Intended changes: a reviewed file in the repository silences exactly its own step."""

from gconvbench.acceptance.accept import accept
from gconvbench.acceptance.apply import apply
from gconvbench.acceptance.entry import (
    ACCEPTED_FILE,
    Acceptance,
    entry_text,
    read_acceptances,
)

__all__ = ["ACCEPTED_FILE", "Acceptance", "accept", "apply", "entry_text", "read_acceptances"]
