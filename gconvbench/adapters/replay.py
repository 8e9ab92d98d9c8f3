"""Samples that were taken elsewhere as pytest-benchmark's own, bit for bit, by public doors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["replay", "replayed_clock"]

_now_s = [0.0]


def replayed_clock() -> float:
    """The timer of a replay: 0.0 until its target is called, then the next sample, in seconds."""
    return _now_s[0]


def replay(benchmark: Any, samples_s: Sequence[float]) -> None:  # noqa: ANN401 (its fixture)
    """Let `benchmark.pedantic` time a target that moves the clock by the samples.

    The clock starts at 0.0 before each call, so that what is subtracted leaves no trace.

    Args:
        benchmark: pytest-benchmark's fixture of a test whose marker has `replayed_clock` as timer.
        samples_s: one or more.
    """
    left = iter(samples_s)

    def set_back() -> None:
        _now_s[0] = 0.0

    def move() -> None:
        _now_s[0] = next(left, 0.0)

    benchmark.pedantic(move, setup=set_back, rounds=len(samples_s), iterations=1)
