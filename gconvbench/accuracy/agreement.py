"""Do the rivals agree, on all elements? Where the reference is a sample, this looks at the rest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gconvbench.accuracy.expected import same_as
from gconvbench.accuracy.limit import result_limit
from gconvbench.implementations import result_names
from gconvbench.records import Agreement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from gconvbench.accuracy.expected import Expected
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
            tensor=name,
            distance=theirs.errors(mine)[1],
            allowed=_limit(proof, name, one) + theirs.limit,
        )
        for other in others
        for name, mine, theirs in _pairs(proof, one, other)
    ]


def disputes(proof: Proof, one: Peer, others: Iterable[Peer]) -> Iterator[str]:
    """In words, each disagreement with others that are right where they differ most.

    Only where a sample is all that is known: what keeps the limits everywhere cannot differ more.
    """
    for other in others:
        for name, mine, theirs in _pairs(proof, one, other):
            allowed = _limit(proof, name, one) + theirs.limit
            distance = theirs.settled(mine).errors(mine)[1]
            if distance is None or distance > allowed:
                yield (
                    f"{name} differs by {math.inf if distance is None else distance:.2g} from that "
                    f"of {other.implementation.name}, {allowed:.2g} is allowed, and is wrong there"
                )


def _pairs(proof: Proof, one: Peer, other: Peer) -> Iterator[tuple[str, Tensor, Expected]]:
    """Each result's name, one's values, and what they must be if the other is right."""
    case = proof.case
    for name, mine, theirs in zip(result_names(case), one.results, other.results, strict=True):
        limit = _limit(proof, name, other)
        yield name, mine, same_as(case, name, theirs, sums=proof.expected[name].sums, limit=limit)


def _limit(proof: Proof, name: str, peer: Peer) -> float:
    return result_limit(proof.case, name, peer.implementation, device=proof.device)


def remember(proof: Proof, peer: Peer) -> None:
    """Keep the results of an implementation that was found right, while there is room."""
    kept = sum(_bytes(one.results) for one in proof.peers)
    if not kept or kept + _bytes(peer.results) <= _PEER_BYTES:
        proof.peers.append(peer)


def _bytes(results: tuple[Tensor, ...]) -> int:
    return sum(result.nbytes for result in results)
