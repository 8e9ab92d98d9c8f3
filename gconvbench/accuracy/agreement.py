"""Do the rivals agree, on all elements? Where the reference is a sample, this looks at the rest."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from gconvbench.accuracy.expected import same_as
from gconvbench.accuracy.limit import result_limit
from gconvbench.implementations import result_names
from gconvbench.records import Agreement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from gconvbench.accuracy.expected import Expected
    from gconvbench.accuracy.limit import Rows
    from gconvbench.accuracy.proof import Peer, Proof

__all__ = ["disagreements", "disputes", "remember"]

_PEER_BYTES = 1 << 28
"""Results of right implementations kept for comparison, beyond the first one's."""


def disagreements(proof: Proof, one: Peer, others: Iterable[Peer]) -> list[Agreement]:
    """How far the results of one implementation are from those of others, result by result.

    Two that are right differ by at most the sum of their limits.
    """
    return [
        Agreement(
            peer=other.implementation.name,
            tensor=theirs.name,
            distance=theirs.errors(mine)[1],
            allowed=sum(_limit(proof, theirs, peer) for peer in (one, other)),
        )
        for other in others
        for mine, theirs in _pairs(proof, one, other)
    ]


def disputes(proof: Proof, one: Peer, others: Iterable[Peer]) -> Iterator[str]:
    """In words, each disagreement with others that are right where they differ most.

    Only where a sample is all that is known: what keeps the limits everywhere cannot differ more.
    """
    for other in others:
        for mine, theirs in _pairs(proof, one, other):
            judge = theirs.settled(mine)
            peers = (one, other) if judge is theirs else (one,)
            allowed = sum(_limit(proof, judge, peer) for peer in peers)
            distance = judge.errors(mine)[1]
            if distance is None or distance > allowed:
                yield (
                    f"{theirs.name} differs by {math.inf if distance is None else distance:.2g} "
                    f"from that of {other.implementation.name}, {allowed:.2g} is allowed, "
                    "and is wrong there"
                )


def _pairs(proof: Proof, one: Peer, other: Peer) -> Iterator[tuple[Tensor, Expected]]:
    """Each of one's results, and what it must be if the other is right."""
    for name, mine, theirs in zip(
        result_names(proof.case), one.results, other.results, strict=True
    ):
        same = same_as(proof.case, name, theirs, sums=proof.expected[name].sums)
        limit = _limit(proof, same, other, same.elements)  # that of one element holds for any norm
        yield mine, replace(same, limit=limit)


def _limit(proof: Proof, same: Expected, peer: Peer, rows: Rows | None = None) -> float:
    return result_limit(
        proof.case, same.name, peer.implementation, device=proof.device, rows=rows or same.groups
    )


def remember(proof: Proof, peer: Peer) -> None:
    """Keep the results of an implementation that was found right, while there is room."""
    kept = sum(_bytes(one.results) for one in proof.peers)
    if not kept or kept + _bytes(peer.results) <= _PEER_BYTES:
        proof.peers.append(peer)


def _bytes(results: tuple[Tensor, ...]) -> int:
    return sum(result.nbytes for result in results)
