"""Fingerprints and their differences for the terminal, at 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gconvbench.records import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console

    from gconvbench.records import Comparability, Difference, Environment, Scalar

__all__ = ["comparability_text", "print_differences", "print_fingerprint"]

_LISTED = 5
"""So many fields are named in a sentence."""
_MEANINGS = {
    "identity": "where these differ, times may not be compared",
    "under_test": "what a comparison may be about",
    "soft": "worth a warning",
}
_SECTIONS: tuple[tuple[str, Callable[[Difference], bool]], ...] = (
    ("these may not be compared", lambda one: one.is_decisive and not one.is_unknown),
    ("unknown, not different", lambda one: one.is_decisive and one.is_unknown),
    ("what a comparison may be about", lambda one: one.kind == "under_test"),
    ("worth a warning", lambda one: one.kind == "soft"),
)


def print_fingerprint(machine: str, environment: Environment, console: Console) -> None:
    """Each field with its value and where it was read; variables that are not set in one line."""
    console.print(Text(machine, style="bold"))
    for kind, meaning in _MEANINGS.items():
        facts: dict[str, Scalar] = getattr(environment, kind)
        console.print(f"\n[bold]{kind}[/bold]: {meaning}")
        rows = [_row(name, value, environment) for name, value in facts.items() if value != UNSET]
        if rows:
            _print_rows(rows, console)
        if unset := [name for name in facts if facts[name] == UNSET]:
            console.print(Padding(Text(f"not set: {', '.join(unset)}"), (0, 0, 0, 2)))


def _row(name: str, value: Scalar, environment: Environment) -> tuple[Text, ...]:
    shown = _shown(value, environment.unknown.get(name, ""))
    return Text(name), Text(shown), Text(environment.sources.get(name, ""), style="dim")


def print_differences(
    found: Sequence[Difference], names: tuple[str, str], console: Console
) -> None:
    """What differs between two runs by weight, then in one sentence what follows."""
    for side, name in zip(("before", "after"), names, strict=True):
        console.print(Text(f"{side + ':':8}{name}"), soft_wrap=True)
    for meaning, belongs in _SECTIONS:
        rows = [
            (
                Text(one.field),
                Text(_shown(one.before, one.unknown_before)),
                Text(_shown(one.after, one.unknown_after)),
                Text(one.kind, style="dim"),
            )
            for one in found
            if belongs(one)
        ]
        if rows:
            console.print(f"\n[bold]{meaning}[/bold]")
            header = (Text("field"), Text("before"), Text("after"), Text("class"))
            _print_rows([header, *rows], console)
    console.print()


def comparability_text(verdict: Comparability, found: Iterable[Difference]) -> str:
    """One sentence."""
    decisive = [one for one in found if one.is_decisive]
    different = _names(one for one in decisive if not one.is_unknown)
    unknown = _names(one for one in decisive if one.is_unknown)
    if verdict == "not_comparable":
        return f"not comparable because of {_listed(different, 'field')}"
    if verdict == "unknown":
        unknowns = _listed(unknown, "unknown field")
        return f"whether they are comparable cannot be told because of {unknowns}"
    return "comparable: identity and method agree in every field that is known"


def _names(found: Iterable[Difference]) -> list[str]:
    return list(dict.fromkeys(one.field for one in found))


def _listed(names: Sequence[str], what: str) -> str:
    shown = [*names[:_LISTED], *([f"{len(names) - _LISTED} more"] if names[_LISTED:] else [])]
    return f"{len(names)} {what}{'s' * (len(names) != 1)}: {', '.join(shown)}"


def _shown(value: object, why_unknown: str) -> str:
    if why_unknown:
        return f"unknown: {why_unknown}"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text or "none"


def _print_rows(rows: Sequence[tuple[Text, ...]], console: Console) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    for _ in rows[0][1:]:
        table.add_column(overflow="fold")
    for row in rows:
        table.add_row(Text(), *row)
    console.print(table)
