"""Differences between two sides that nobody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.records import Finding, differences, method_differences

if TYPE_CHECKING:
    from collections.abc import Collection

    from gconvbench.records import Environment, Method, Plan

__all__ = ["other_environment", "other_method", "other_modes"]

_SAMPLING = frozenset({"target", "min_samples", "max_samples", "min_time_s", "max_time_s"})
_OF_TORCH = "torch."
"""Where settings are read; variables have names in capitals. The rest is the machine."""


def other_environment(
    baseline: Environment,
    contender: Environment,
    *,
    declared: Collection[str] = (),
    is_about_interpreters: bool = False,
) -> tuple[Finding, ...]:
    """The fields of the identity in which the sides differ undeclared.

    Args:
        baseline: the older side's.
        contender: the newer side's.
        declared: fields that are meant to differ.
        is_about_interpreters: whether torch, and with it its own defaults, is under test.
    """
    findings = []
    for one in differences(baseline, contender):
        if one.kind != "identity" or one.is_unknown or one.field in declared:
            continue
        source = contender.sources.get(one.field, "")
        is_of_torch = source.startswith(_OF_TORCH)
        if is_about_interpreters and is_of_torch:
            continue
        is_setting = is_of_torch or one.field.isupper() or one.field == "threads"
        kind = "other_settings" if is_setting else "other_machine"
        text = f"{one.field} is {one.before!r} in the baseline and {one.after!r} in the contender"
        findings.append(Finding(kind, f"{text}; make them agree, or declare it"))
    return tuple(findings)


def other_method(
    baseline: Method, contender: Method, *, but_sampling: bool = False
) -> tuple[Finding, ...]:
    """The fields of the method in which times were taken otherwise.

    Args:
        baseline: the older side's.
        contender: the newer side's.
        but_sampling: whether it does not matter how many samples there are: they say how well a
            process's time is known, and much less than processes differ.
    """
    return tuple(
        Finding(
            "other_method",
            f"{one.field} is {one.before!r} in the baseline and {one.after!r} in the contender; "
            "measure one of them again",
        )
        for one in method_differences(baseline, contender)
        if one.is_decisive and not (but_sampling and one.field in _SAMPLING)
    )


def other_modes(baseline: Plan, contender: Plan) -> tuple[Finding, ...]:
    """The implementations in both that were measured with other settings of torch.

    Args:
        baseline: the older side's.
        contender: the newer side's.
    """
    both = [name for name in contender.implementations if name in baseline.implementations]
    return tuple(
        Finding(
            "other_settings",
            f"{name} was measured with {baseline.modes.get(name, {})} in the baseline and with "
            f"{contender.modes.get(name, {})} in the contender; measure one of them again",
        )
        for name in both
        if baseline.modes.get(name, {}) != contender.modes.get(name, {})
    )
