"""Networks among a run's cases: layers named `network/layer`, and the sums over them."""

from __future__ import annotations

import math
from operator import methodcaller
from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import Case, case_if_any
from gconvbench.report.summary import NATIVE, CaseSummary
from gconvbench.stats import Estimate, estimate_over_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gconvbench.report.summary import Row
    from gconvbench.store import Run

__all__ = [
    "BEST",
    "Network",
    "NetworkTotal",
    "network_totals",
    "networks_of",
    "total_s",
    "whole_networks",
]

BEST = "best per layer"
"""What the total with the fastest implementation of each layer is called."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The layers of a network in one direction, dtype and so on.

    Attributes:
        name: of the network.
        case: of any layer, for what they have in common.
        layers: by name, then by groups.
    """

    name: str
    case: Case
    layers: dict[str, dict[int, CaseSummary]]

    @property
    def is_varied(self) -> bool:
        """Whether some layer is there with groups, and every layer without."""
        several = any(len(variants) > 1 for variants in self.layers.values())
        return several and all(1 in variants for variants in self.layers.values())

    @property
    def title(self) -> str:
        """Its name and direction, and what else is not as usual."""
        case = self.case
        words = [self.name, case.direction]
        words += [case.dtype] if case.dtype != "float32" else []
        words += [case.math_mode] if case.math_mode != "ieee" else []
        words += [case.memory_format] if case.memory_format != "contiguous" else []
        words += [case.operation] if case.operation != "conv" else []
        words += [f"batch {case.batch}"] if case.batch > 1 else []
        return ", ".join(words)

    @property
    def grouped(self) -> dict[str, CaseSummary]:
        """Each layer with the most groups that it is there with."""
        return {name: variants[max(variants)] for name, variants in self.layers.items()}

    @property
    def ungrouped(self) -> dict[str, CaseSummary]:
        """Each layer with the fewest."""
        return {name: variants[min(variants)] for name, variants in self.layers.items()}


def networks_of(summaries: Iterable[CaseSummary]) -> list[Network]:
    """The networks that these cases are layers of.

    One some layer of which is there twice with as many groups, such as at two sizes, has no single
    total and is left out.
    """
    found: dict[tuple[object, ...], Network] = {}
    ambiguous = set()
    for summary in summaries:
        name, _, layer = summary.planned.name.partition("/")
        if not layer:
            continue
        key = (name, *_variant(summary.case))
        network = found.setdefault(key, Network(name=name, case=summary.case, layers={}))
        variants = network.layers.setdefault(layer, {})
        if summary.case.groups in variants:
            ambiguous.add(key)
        variants[summary.case.groups] = summary
    return [network for key, network in found.items() if key not in ambiguous]


def whole_networks(run: Run, summaries: Iterable[CaseSummary]) -> list[Network]:
    """The networks of a run of which every planned layer was reached.

    Args:
        run: whose plan it is.
        summaries: of the cases that it came to.
    """
    found = list(summaries)
    reached = {one.planned.case for one in found}
    torn = {
        (planned.name.partition("/")[0], *_variant(case))
        for planned in run.header.plan.cases
        if planned.case not in reached and (case := case_if_any(planned.case))
    }
    return [one for one in networks_of(found) if (one.name, *_variant(one.case)) not in torn]


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


def total_s(
    layers: Sequence[CaseSummary], row_of: Callable[[CaseSummary], Row | None]
) -> dict[int, float]:
    """The sum over layers, times their counts, in each round that has them all; in seconds.

    Empty where a layer has no such row.
    """
    chosen = [(layer.planned.count, row_of(layer)) for layer in layers]
    rows = [(count, row) for count, row in chosen if row is not None]
    if not rows or len(rows) < len(chosen):
        return {}
    rounds = set.intersection(*(set(row.rounds_s) for _, row in rows))
    return {
        number: math.fsum(count * row.rounds_s[number] for count, row in rows)
        for number in sorted(rounds)
    }


class NetworkTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A network computed in one way: the sum over layers of count times time.

    Attributes:
        implementation: its name, or `BEST`.
        time: over rounds.
        own_layers: how many layers it computes itself; `native` stands in for the others.
        own_s: the part of the time that is its own.
    """

    implementation: str
    time: Estimate
    own_layers: int
    own_s: float


def network_totals(layers: Sequence[CaseSummary]) -> list[NetworkTotal]:
    """The total of every implementation that computes some layer, shortest first, below `BEST`.

    Empty where a layer was not timed at all, or rounds have none in common.
    """
    names = dict.fromkeys(row.implementation for layer in layers for row in layer.measured)
    found = [_total(name, layers, methodcaller("row_of", name)) for name in names]
    known = sorted((one for one in found if one), key=lambda one: one.time.median_s)
    best = _total(BEST, layers, _fastest)
    return [best, *known] if best and known else []


def _fastest(layer: CaseSummary) -> Row | None:
    return layer.measured[0] if layer.measured else None


def _total(
    name: str, layers: Sequence[CaseSummary], row_of: Callable[[CaseSummary], Row | None]
) -> NetworkTotal | None:
    sums = total_s(layers, lambda layer: row_of(layer) or layer.row_of(NATIVE))
    if not sums:
        return None
    time = estimate_over_rounds(list(sums.values()))
    own = [layer for layer in layers if row_of(layer)]
    own_s = total_s(own, row_of)
    share = math.fsum(own_s[number] / sums[number] for number in sums) / len(sums)
    return NetworkTotal(
        implementation=name, time=time, own_layers=len(own), own_s=share * time.median_s
    )
