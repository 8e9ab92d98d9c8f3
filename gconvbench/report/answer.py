"""The question this project grew from, answered from a run: what do groups save, what do they cost?

Works for any sweep whose blocks are a network's layers, some of them with several values of groups:
`network/layer` names, occurrence counts, and each layer's times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import flops, parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.cases import Case
    from gconvbench.report.summary import CaseSummary, Row

__all__ = ["NetworkAnswer", "answer_networks"]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """A network's sums over its layers.

    Attributes:
        parameters: every layer once.
        flops: per launch, times the layers' counts.
        native_s: seconds by round with `native` everywhere, times counts; empty where a layer has
            no time.
        advised_s: likewise with the implementation that `show` advises for each layer.
    """

    parameters: int
    flops: int
    native_s: dict[int, float]
    advised_s: dict[int, float]


class NetworkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One network in one direction: as grouped as it was measured, against groups 1 everywhere."""

    network: str
    direction: str
    grouped_layers: tuple[str, ...]
    groups: tuple[int, ...]
    isolated: int
    checked: int
    grouped: Totals
    ungrouped: Totals


def answer_networks(summaries: Sequence[CaseSummary]) -> list[NetworkAnswer]:
    """One answer per network and variant that has layers with and without groups.

    Expects a complete run. A network some layer of which is there twice in a variant, such as at
    two sizes, has no single total and gets no answer.
    """
    networks: dict[tuple[object, ...], dict[str, dict[int, CaseSummary]]] = {}
    ambiguous = set()
    for summary in summaries:
        network, _, layer = summary.planned.name.partition("/")
        if not layer:
            continue
        key = (network, *_variant(summary.case))
        variants = networks.setdefault(key, {}).setdefault(layer, {})
        if summary.case.groups in variants:
            ambiguous.add(key)
        variants[summary.case.groups] = summary
    return [
        _answer(str(key[0]), layers)
        for key, layers in networks.items()
        if key not in ambiguous
        and any(len(variants) > 1 and 1 in variants for variants in layers.values())
    ]


def _variant(case: Case) -> tuple[object, ...]:
    """What a network's layers have in common."""
    return (
        case.operation,
        case.direction,
        case.dtype,
        case.math_mode,
        case.memory_format,
        case.batch,
    )


def _answer(network: str, layers: dict[str, dict[int, CaseSummary]]) -> NetworkAnswer:
    grouped = {name: variants[max(variants)] for name, variants in layers.items()}
    ungrouped = {name: variants[min(variants)] for name, variants in layers.items()}
    varied = {name: one for name, one in grouped.items() if one.case.groups > 1}
    native = [row for one in varied.values() for row in one.rows if row.implementation == "native"]
    return NetworkAnswer(
        network=network,
        direction=next(iter(grouped.values())).case.direction,
        grouped_layers=tuple(varied),
        groups=tuple(sorted({one.case.groups for one in varied.values()})),
        isolated=sum(row.outcome in {"measured", "checked"} for row in native),
        checked=len(native),
        grouped=_totals(list(grouped.values())),
        ungrouped=_totals(list(ungrouped.values())),
    )


def _totals(layers: list[CaseSummary]) -> Totals:
    return Totals(
        parameters=sum(parameters(layer.case) for layer in layers),
        flops=sum(flops(layer.case) * layer.planned.count for layer in layers),
        native_s=_total_s(
            layers, lambda layer: [r for r in layer.measured if r.implementation == "native"]
        ),
        advised_s=_total_s(layers, lambda layer: [layer.advised] if layer.advised else []),
    )


def _total_s(
    layers: list[CaseSummary], rows_of: Callable[[CaseSummary], list[Row]]
) -> dict[int, float]:
    """The sum over layers in each round that has them all."""
    chosen = [(layer.planned.count, rows_of(layer)) for layer in layers]
    if not all(rows for _, rows in chosen):
        return {}
    rounds = set.intersection(*(set(rows[0].rounds_s) for _, rows in chosen))
    return {
        number: sum(count * rows[0].rounds_s[number] for count, rows in chosen)
        for number in sorted(rounds)
    }
