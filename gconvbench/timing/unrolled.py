"""A launch that is many calls, timed as each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.records import ClockFacts
    from gconvbench.timing.clock import Clock

__all__ = ["UnrolledClock"]


class UnrolledClock:
    """Another clock's readings, divided by the calls that one launch unrolls.

    Args:
        clock: that reads.
        calls: in one launch.
        buffers: sets of operands that the calls take in turn.
        rotated_bytes: of all these sets.
    """

    def __init__(
        self, clock: Clock, *, calls: int, buffers: int = 1, rotated_bytes: int = 0
    ) -> None:
        self._clock = clock
        self._calls = calls
        self._operands = {"buffers": buffers, "rotated_bytes": rotated_bytes}

    @property
    def tick_s(self) -> float:
        """The other clock's."""
        return self._clock.tick_s

    def begin(self, launch: Callable[[], object], launch_s: float) -> int:
        """How many calls a sample has."""
        return self._calls * self._clock.begin(launch, launch_s)

    def chunk(self, launch: Callable[[], object], launches: int) -> Sequence[float]:
        """Samples, each the mean seconds per call over `launches` calls."""
        samples_s = self._clock.chunk(launch, launches // self._calls)
        return [sample_s / self._calls for sample_s in samples_s]

    def labels(self) -> tuple[str, ...]:
        """The other clock's."""
        return self._clock.labels()

    def facts(self) -> ClockFacts | None:
        """The other clock's, with the operands in turn."""
        facts = self._clock.facts()
        return facts and msgspec.structs.replace(facts, **self._operands)
