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

    from gconvbench.accuracy.proof import Peer, Proof

__all__ = ["disagreements", "disputes", "remember"]

_PEER_BYTES = 1 << 28
"""Results of right implementations kept for comparison, beyond the first one's."""


def disagreements(proof: Proof, one: Peer, others: Iterable[Peer]) -> list[Agreement]:
    """How far the results of one implementation are from those of others, result by result.

    Two that are right differ by at most the sum of their limits.
    """
    return [found for other in others for found in _distances(proof, one, other)]


def _distances(proof: Proof, one: Peer, other: Peer) -> Iterator[Agreement]:
    case = proof.case
    for name, mine, theirs in zip(result_names(case), one.results, other.results, strict=True):
        yield Agreement(
            peer=other.implementation.name,
            tensor=name,
            distance=same_as(case, name, theirs).errors(mine)[1],
            allowed=sum(
                result_limit(case, name, peer.implementation, device=proof.device)
                for peer in (one, other)
            ),
        )


def disputes(found: Iterable[Agreement]) -> Iterator[str]:
    """In words, each disagreement that is more than rounding."""
    for one in found:
        if one.of_allowed > 1:
            distance = math.inf if one.distance is None else one.distance
            yield (
                f"{one.tensor} differs by {distance:.2g} from that of {one.peer}, "
                f"{one.allowed:.2g} is allowed: one of the two is wrong"
            )


def remember(proof: Proof, peer: Peer) -> None:
    """Keep the results of an implementation that was found right, while there is room."""
    kept = sum(_bytes(one.results) for one in proof.peers)
    if not kept or kept + _bytes(peer.results) <= _PEER_BYTES:
        proof.peers.append(peer)


def _bytes(results: tuple[Tensor, ...]) -> int:
    return sum(result.nbytes for result in results)
