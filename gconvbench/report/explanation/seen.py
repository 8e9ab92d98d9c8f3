"""What the poison showed, beside what the definition of a grouped convolution says."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from gconvbench.cases import parse_case
from gconvbench.records import Span, channels_of, ranges_text

if TYPE_CHECKING:
    from gconvbench.cases import Case
    from gconvbench.records import Explanation

__all__ = ["Seen", "is_wrong"]

_DIFFERENT = "different"


class Seen:
    """The matrix of which inputs reach which outputs.

    Args:
        case: the layer.
        rows: per output channel the inputs that reached it, as ranges; empty where nothing was
            seen.
    """

    def __init__(self, case: Case, rows: tuple[str, ...]) -> None:
        self._case = case
        self._texts = rows

    @cached_property
    def rows(self) -> list[list[int]]:
        """Per output channel the inputs that it sees."""
        channels = {text: channels_of(text) for text in set(self._texts)}
        return [channels[text] for text in self._texts]

    @cached_property
    def columns(self) -> list[int]:
        """Per input channel how many outputs it reaches."""
        reached = [0] * self._case.in_channels
        for text, count in Counter(self._texts).items():
            for channel in channels_of(text):
                reached[channel] += count
        return reached

    @property
    def per_output(self) -> Span:
        """The fewest and the most inputs that an output sees."""
        counts = [len(row) for row in self.rows]
        return Span(fewest=min(counts), most=max(counts))

    @property
    def per_input(self) -> Span:
        """The fewest and the most outputs that an input reaches."""
        return Span(fewest=min(self.columns), most=max(self.columns))

    @property
    def lost(self) -> int:
        """Inputs that reach no output."""
        return self.columns.count(0)

    @property
    def strange(self) -> int:
        """Outputs that see other inputs than those of their own group, or not all of these."""
        return sum(
            count for (text, group), count in self._kinds.items() if text != self._of_group(group)
        )

    @property
    def leaking(self) -> int:
        """Outputs that see inputs of another group."""
        return sum(
            count
            for (text, group), count in self._kinds.items()
            if set(channels_of(text)) - set(channels_of(self._of_group(group)))
        )

    @property
    def is_block_diagonal(self) -> bool:
        """Whether it is exactly what the definition says."""
        return len(self._texts) == self._case.out_channels and not self.strange

    @cached_property
    def _kinds(self) -> Counter[tuple[str, int]]:
        """How many outputs of which group see which inputs."""
        wide = self._case.group_out_channels
        return Counter((text, output // wide) for output, text in enumerate(self._texts))

    def _of_group(self, group: int) -> str:
        """The inputs of a group, as ranges."""
        first = group * self._case.group_in_channels
        return ranges_text(list(range(first, first + self._case.group_in_channels)))


def is_wrong(explanation: Explanation) -> bool:
    """Whether PyTorch's own convolution was seen to be wrong."""
    rows, equality = explanation.connections.numbers, explanation.equality
    if rows and not Seen(parse_case(explanation.case), rows).is_block_diagonal:
        return True
    if equality is None:
        return False
    return bool(equality.faults) or _DIFFERENT in equality.native.values()
