"""Intended changes: a reviewed file in the repository silences exactly its own step."""

from gconvbench.acceptance.accept import accept
from gconvbench.acceptance.apply import apply
from gconvbench.acceptance.entry import (
    ACCEPTED_FILE,
    Acceptance,
    entry_text,
    load_acceptances,
    read_acceptances,
)
from gconvbench.acceptance.levels import AcceptedLevel, accepted_levels, unplaced

__all__ = [
    "ACCEPTED_FILE",
    "Acceptance",
    "AcceptedLevel",
    "accept",
    "accepted_levels",
    "apply",
    "entry_text",
    "load_acceptances",
    "read_acceptances",
    "unplaced",
]
