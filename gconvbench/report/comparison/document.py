"""A comparison as JSON: the very record, with its exit code and its first sentence."""

from __future__ import annotations

import msgspec

from gconvbench.errors import UsageError, refused_name
from gconvbench.records import FINDING_KINDS, JOB_KINDS, VERDICT_SCHEMA, Comparison
from gconvbench.report.comparison.sentence import first_sentence

__all__ = ["decode_comparison", "encode_comparison"]


def encode_comparison(found: Comparison) -> bytes:
    """One line of JSON with every number."""
    table = msgspec.to_builtins(found)
    told = {"exit_code": int(found.exit_code), "sentence": first_sentence(found)}
    return msgspec.json.encode(told | table)


def decode_comparison(data: bytes, name: str) -> Comparison:
    """Read what `encode_comparison` wrote; `name` is said where it cannot be read.

    Raises:
        UsageError: no comparison, of a newer schema, or with kinds that are not known.
    """
    try:
        found = msgspec.json.decode(data, type=Comparison)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"{name!r} is no comparison: {error}; give the comparison.json of a gate"
        raise UsageError(message) from None
    if found.schema > VERDICT_SCHEMA:
        message = (
            f"{name!r} has schema {found.schema}, at most {VERDICT_SCHEMA} is known; "
            "update gconvbench"
        )
        raise UsageError(message)
    _refuse_unknown_kinds(found, name)
    return found


def _refuse_unknown_kinds(found: Comparison, name: str) -> None:
    for kinds, known in (
        ([job.kind for job in found.jobs], JOB_KINDS),
        ([finding.kind for finding in found.findings], FINDING_KINDS),
    ):
        for kind in kinds:
            if kind not in known:
                message = f"{name!r}: {refused_name('kind', kind, known)}"
                raise UsageError(message)
