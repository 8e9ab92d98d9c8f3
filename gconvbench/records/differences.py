"""Why two runs may not be compared: their environments and methods, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gconvbench.records.environment import WITHHELD, Environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gconvbench.records.run import Method

__all__ = [
    "Comparability",
    "Difference",
    "comparability",
    "differences",
    "method_differences",
]

Kind = Literal["identity", "method", "under_test", "soft"]
Comparability = Literal["comparable", "not_comparable", "unknown"]

_DECISIVE = frozenset[Kind]({"identity", "method"})
_SOFT_METHOD_FIELDS = frozenset({"seed", "max_time_s", "budget_s"})
"""Everything else of a method can move a time: the clock is the instrument; cache modes, warm-up
and stopping decide which part of the machine's behaviour the median is of; threads and the
distribution of inputs change the work; `check_only` takes no times at all. The seed draws other
numbers of the same distribution and another order of jobs, which is random by design; it is worth a
warning because bits of results cannot be compared across it. Cap and budget bound for how long
samples are taken and rounds go on: how well a time is known, not which time it is."""


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename={"kind": "class"}):
    """A field in which two runs differ, or may differ.

    Attributes:
        kind: the field's class.
        field: its name.
        before: its value in the first run; null where it is not known.
        after: its value in the second run, likewise.
        unknown_before: why it is not known in the first run; empty where it is known.
        unknown_after: the same of the second run.
    """

    kind: Kind
    field: str
    before: Any
    after: Any
    unknown_before: str = ""
    unknown_after: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether the two may as well be equal: unknown is not different."""
        return bool(self.unknown_before or self.unknown_after)

    @property
    def is_decisive(self) -> bool:
        """Whether the field decides what may be compared."""
        return self.kind in _DECISIVE


def differences(before: Environment, after: Environment) -> tuple[Difference, ...]:
    """The fields in which two environments differ or, unknown in one of them, may differ.

    What neither could read is left out. A value that was withheld in both is unknown.
    """
    kinds: tuple[Kind, ...] = ("identity", "under_test", "soft")
    return tuple(
        found
        for kind in kinds
        for name in {**getattr(before, kind), **getattr(after, kind)}
        if (found := _difference(kind, name, before, after)) is not None
    )


def _difference(
    kind: Kind, name: str, before: Environment, after: Environment
) -> Difference | None:
    sides = (before, after)
    values = [getattr(side, kind).get(name) for side in sides]
    both_withheld = values == [WITHHELD, WITHHELD]
    if values[0] == values[1] and not both_withheld:
        return None
    reasons = [
        "set to what is not recorded"
        if both_withheld
        else _why_unknown(name, getattr(side, kind), side.unknown)
        for side in sides
    ]
    return Difference(
        kind=kind,
        field=name,
        before=values[0],
        after=values[1],
        unknown_before=reasons[0],
        unknown_after=reasons[1],
    )


def _why_unknown(name: str, facts: Mapping[str, object], unknown: Mapping[str, str]) -> str:
    if name not in facts:
        return "not recorded"
    if facts[name] is None:
        return unknown.get(name, "null")
    return ""


def method_differences(before: Method, after: Method) -> tuple[Difference, ...]:
    """The fields in which two methods differ."""
    return tuple(
        Difference(
            kind="soft" if name in _SOFT_METHOD_FIELDS else "method",
            field=name,
            before=getattr(before, name),
            after=getattr(after, name),
        )
        for name in before.__struct_fields__
        if getattr(before, name) != getattr(after, name)
    )


def comparability(found: Sequence[Difference]) -> Comparability:
    """Whether times may be compared across these differences."""
    decisive = [one for one in found if one.is_decisive]
    if any(not one.is_unknown for one in decisive):
        return "not_comparable"
    return "unknown" if decisive else "comparable"
