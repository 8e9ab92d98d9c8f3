"""The fingerprint of machine and software, as it is stored."""

from __future__ import annotations

import msgspec

__all__ = ["UNSET", "WITHHELD", "Environment", "Scalar"]

Scalar = str | int | float | bool | None

UNSET = "unset"
"""What is stored of a variable that is not set."""
WITHHELD = "<set>"
"""What is stored of a variable whose value could be anything, such as a path or a token."""


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fingerprint of machine and software, from an allow-list.

    What is known to be absent is a word, such as `none` or `unset`; null is what is not known.

    Attributes:
        identity: where these differ, times may not be compared.
        under_test: what a comparison may be about (torch, cuDNN, driver, the commit).
        soft: worth a warning.
        unknown: fields that could not be read, with the reason; their value is null.
        sources: where each field was read; empty in runs of schema 1 and 2.
    """

    identity: dict[str, Scalar]
    under_test: dict[str, Scalar]
    soft: dict[str, Scalar]
    unknown: dict[str, str] = {}
    sources: dict[str, str] = {}
