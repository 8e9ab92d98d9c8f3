"""Networks by name: the layers of the sweeps that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import Case, NamedCase
from gconvbench.errors import UsageError, refused_name
from gconvbench.workloads.tables import layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.cases import Sweep

__all__ = ["FORUM_EXAMPLE", "Network", "network_named"]

FORUM_EXAMPLE = Case(
    groups=2, batch=1, in_channels=6, out_channels=6, height=24, width=24, padding=(1, 1)
)
"""The layer that the forum's question tries itself (https://discuss.pytorch.org/t/74700)."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network's layers, as grouped as it is.

    Attributes:
        name: its own.
        layers: one image each, forward; with the layer's name and how often it runs.
        is_whole: whether all of its layers with weights are there, not the grouped ones alone.
        shares_weights: whether a layer that runs more than once does so with the same weights.
    """

    name: str
    layers: tuple[NamedCase, ...]
    is_whole: bool
    shares_weights: bool

    @property
    def grouped(self) -> tuple[NamedCase, ...]:
        """The layers with more than one group."""
        return tuple(one for one in self.layers if one.case.groups > 1)

    @property
    def example(self) -> NamedCase:
        """The layer that shows best what groups do: the first that is not depthwise, if any."""
        wide = (one for one in self.grouped if one.case.group_in_channels > 1)
        return next(wide, self.grouped[0])


def network_named(
    name: str, names: Callable[[], tuple[str, ...]], load: Callable[[str], Sweep]
) -> Network:
    """The network of that name: of a sweep that is one, or among those of the sweep `layers`.

    Args:
        name: as on the command line; also a sweep file of a network.
        names: of the shipped sweeps.
        load: reads a sweep.

    Raises:
        UsageError: no such network, or none of its layers has groups.
    """
    tabled = _tabled()
    written = {sweep.network: sweep for sweep in map(load, names()) if sweep.network}
    if name in tabled:
        found = Network(name=name, layers=tabled[name], is_whole=False, shares_weights=False)
    elif name in written or name.endswith(".toml"):
        found = _written(written[name] if name in written else load(name), name)
    else:
        raise UsageError(refused_name("model", name, [*sorted(written), *sorted(tabled)]))
    if not found.grouped:
        message = f"model {name!r} has no layer with groups; give another one, or --case ID"
        raise UsageError(message)
    return found


def _tabled() -> dict[str, tuple[NamedCase, ...]]:
    found: dict[str, list[NamedCase]] = {}
    for one in layers().expand().cases:
        network, _, layer = one.name.partition("/")
        if one.case.direction == "fprop":
            named = msgspec.structs.replace(one, case=_one_image(one.case), name=layer)
            found.setdefault(network, []).append(named)
    return {network: tuple(cases) for network, cases in found.items()}


def _written(sweep: Sweep, name: str) -> Network:
    """Of the variants of a layer the one with the most groups."""
    if not sweep.network:
        message = f"sweep {name!r} has no key network, so its blocks are no network's layers"
        raise UsageError(message)
    most: dict[str, NamedCase] = {}
    for one in sweep.expand().cases:
        layer = one.name.partition("/")[2]
        if layer and one.case.direction == "fprop":
            before = most.get(layer)
            if before is None or before.case.groups < one.case.groups:
                most[layer] = msgspec.structs.replace(one, name=layer)
    return Network(
        name=sweep.network, layers=tuple(most.values()), is_whole=True, shares_weights=True
    )


def _one_image(case: Case) -> Case:
    return msgspec.structs.replace(case, batch=1)
