"""The question this project grew from, answered from a run: what do groups save, what do they cost?

Works for any sweep whose blocks are a network's layers, some of them with several values of groups:
`network/layer` names, occurrence counts, and each layer's times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import flops, parameters
from gconvbench.report.networks import networks_of, total_s
from gconvbench.report.summary import NATIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.report.networks import Network
    from gconvbench.report.summary import CaseSummary

__all__ = ["NetworkAnswer", "answer_networks", "answer_of"]


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
    """One network in one direction: as grouped as it was measured, against groups 1 everywhere.

    `title` has its name, the direction, and what else is not as usual.
    """

    network: str
    title: str
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
    return [answer_of(network) for network in networks_of(summaries) if network.is_varied]


def answer_of(network: Network) -> NetworkAnswer:
    """With its groups, against one group everywhere."""
    grouped, ungrouped = network.grouped, network.ungrouped
    varied = {name: one for name, one in grouped.items() if one.case.groups > 1}
    native = [row for one in varied.values() for row in one.rows if row.implementation == "native"]
    return NetworkAnswer(
        network=network.name,
        title=network.title,
        direction=network.case.direction,
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
        native_s=total_s(layers, lambda layer: layer.row_of(NATIVE)),
        advised_s=total_s(layers, lambda layer: layer.advised),
    )
