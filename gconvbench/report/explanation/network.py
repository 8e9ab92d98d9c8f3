"""A network's grouped layers in a table, and what groups save in all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.cases import flops, parameters, parse_case
from gconvbench.report import format as fmt
from gconvbench.report.console import aligned
from gconvbench.report.explanation.seen import Seen
from gconvbench.report.explanation.text import WIDTH, wrapped
from gconvbench.report.explanation.words import (
    against,
    name_text,
    sides_text,
    span_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.cases import Case, NamedCase
    from gconvbench.records import Equality, Explanation
    from gconvbench.workloads import Network

__all__ = ["difference_text", "exact_word", "network_lines", "sees_text"]

_HEAD = ("layer", "count", "weight", "share", "differs", "exact", "sees")
_SHORTEST_NAME = 18
"""Of what is told of a name, even where lines get longer than they should."""


def network_lines(network: Network, found: Sequence[Explanation]) -> list[str]:
    """The table and the totals.

    Args:
        network: whose layers they are.
        found: what was seen of its grouped layers, in their order.
    """
    rows = [_row(one, seen) for one, seen in zip(network.grouped, found, strict=True)]
    table = aligned(_fitting([_HEAD, *rows]), right=(1, 3, 4))
    legend = (
        "share: of the weights and the work that is left; differs: native from splitting, at most; "
        "exact: whether both are the exact result on integers (?: not checked)"
    )
    return [
        f"{network.name}: its {_layers(network.grouped)} with groups, one image each",
        *(f"  {line}" for line in table),
        *wrapped(legend, "  ", "  "),
        "",
        *_totals(network),
    ]


def _fitting(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Names as long as the other columns leave room for."""
    others = [max(map(len, column)) for column in zip(*rows, strict=True)][1:]
    room = WIDTH - 2 - sum(2 + width for width in others)
    return [(name_text(name, max(room, _SHORTEST_NAME)), *cells) for name, *cells in rows]


def _layers(layers: Sequence[NamedCase]) -> str:
    return f"{len(layers)} layers" if len(layers) > 1 else "layer"


def _row(one: NamedCase, seen: Explanation) -> tuple[str, ...]:
    case = one.case
    return (
        one.name,
        str(one.count),
        sides_text(case.weight_shape),
        f"1/{case.groups}",
        difference_text(seen.equality),
        exact_word(seen.equality),
        sees_text(seen),
    )


def difference_text(equality: Equality | None) -> str:
    """`1.2e-06`, `0`, or nothing."""
    if equality is None:
        return ""
    if equality.largest_difference is None:
        return "not finite"
    return fmt.error_text(equality.largest_difference) if equality.largest_difference else "0"


def exact_word(equality: Equality | None) -> str:
    """`yes` where both ways are bit-equal to what is exact; `?` where that was not checked."""
    if equality is None:
        return ""
    verdicts = {*equality.native.values(), *equality.split.values()}
    if "different" in verdicts:
        return "NO"
    if any(one.startswith("not checked") for one in verdicts):
        return "?"
    return "yes" if verdicts == {"equal"} else "rounded"


def sees_text(found: Explanation) -> str:
    """`48 of 96`; of what is no block diagonal, that it is none."""
    case = parse_case(found.case)
    if not found.connections.numbers:
        return "not seen"
    seen = Seen(case, found.connections.numbers)
    text = f"{span_text(seen.per_output)} of {case.in_channels}"
    return text if seen.is_block_diagonal else f"{text}, WRONG"


def _totals(network: Network) -> list[str]:
    everything = "the whole network" if network.is_whole else "its layers with groups"
    shares = "" if network.shares_weights else ", each as often as it occurs"
    numbers = _both(network, parameters, with_counts=not network.shares_weights)
    work = _both(network, flops, with_counts=True)
    without = f"{numbers[1]:,} with one group everywhere"
    return wrapped(
        f"{everything}{shares}: {against(*numbers, f'{numbers[0]:,} parameters', without)}; "
        f"{against(*work, *map(fmt.flops_text, work))} an image"
    )


def _both(
    network: Network, of_case: Callable[[Case], int], *, with_counts: bool
) -> tuple[int, int]:
    """The sums as it is, and with one group everywhere."""
    pairs = [
        (count * of_case(one.case), count * of_case(replace(one.case, groups=1)))
        for one in network.layers
        for count in (one.count if with_counts else 1,)
    ]
    return sum(own for own, _ in pairs), sum(whole for _, whole in pairs)
