"""The loop that takes samples until a stopping criterion has enough."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.labels import TARGET_NOT_REACHED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gconvbench.records import ClockFacts
    from gconvbench.stopping import StoppingCriterion
    from gconvbench.timing.clock import Clock

__all__ = ["Sampling", "take_samples", "warm_up"]


class Sampling(NamedTuple):
    """Samples in seconds per launch, in the order taken, and what to know of them.

    `tick_s` is the smallest difference that a sample can show.
    """

    samples_s: tuple[float, ...]
    launches_per_sample: int
    tick_s: float
    target_reached: bool
    labels: tuple[str, ...]
    facts: ClockFacts | None = None


def warm_up(
    launch: Callable[[], object],
    synchronize: Callable[[], None],
    *,
    time_s: float,
    now: Callable[[], float] = time.perf_counter,
) -> float:
    """Launch for about `time_s` seconds and return the seconds per launch.

    Launches are enqueued in batches of 1, 2, 4, ..., and the last batch counts: to synchronise
    after each one would make short launches on a GPU look longer than they are.
    """
    batch = 1
    start = now()
    while True:
        before = now()
        for _ in range(batch):
            launch()
        synchronize()
        after = now()
        if after - start >= time_s:
            return (after - before) / batch
        batch *= 2


def take_samples(
    launch: Callable[[], object],
    clock: Clock,
    stopping_at: Callable[[float], StoppingCriterion],
    *,
    launch_s: float,
    now: Callable[[], float] = time.perf_counter,
) -> Sampling:
    """Sample `launch` until the criterion is finished.

    Args:
        launch: one enqueue of the work, already warm.
        clock: what to read.
        stopping_at: makes the criterion of samples with this resolution, in seconds.
        launch_s: about how long one launch takes, in seconds.
        now: what the time caps are measured with.
    """
    samples_s: list[float] = []
    launches = clock.begin(launch, launch_s)
    tick_s = clock.tick_s / launches
    stopping = stopping_at(tick_s)
    with _no_garbage_collection():
        while not stopping.is_finished:
            start = now()
            chunk = clock.chunk(launch, launches)
            elapsed_s = (now() - start) / len(chunk)
            for sample_s in chunk:
                stopping.add(sample_s, elapsed_s)
            samples_s += chunk
    labels = clock.labels()
    if not stopping.target_reached:
        labels = (TARGET_NOT_REACHED, *labels)
    return Sampling(
        samples_s=tuple(samples_s),
        launches_per_sample=launches,
        tick_s=tick_s,
        target_reached=stopping.target_reached,
        labels=labels,
        facts=clock.facts(),
    )


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection within a sample would be charged to the launch."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
