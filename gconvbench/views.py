"""The views of one job's time: which clock each has, and what is launched under it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gconvbench.capture import capture, capture_stream
from gconvbench.device import free_bytes, synchronizer
from gconvbench.failure import one_line, outcome_of
from gconvbench.labels import device_labels, drift_labels, load_labels
from gconvbench.records import Timing
from gconvbench.stopping import MedianPrecision
from gconvbench.telemetry import Watch
from gconvbench.timing import Clock, HostClock, UnrolledClock, take_samples, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.implementations import Launch
    from gconvbench.records import CacheMode, Method

__all__ = ["Views", "Work"]

_DECIMALS = 12
"""Samples are stored to the picosecond."""
_FEWEST_CALLS = 20
"""In a graph, so that what starting it costs is shared by many."""
_CACHES = 2
"""The operands of a graph's calls are together this many times the last-level cache, if there is
room: then it is not the cache that is measured."""
_MOST_OF_MEMORY = 0.25
_LONGEST_UNROLLED_S = 0.5
"""Of all calls together: a launch that takes so long has no use for a graph."""
_BUSY_S = 0.005
"""Work enqueued before the device is asked for its clock and power: at rest it has others."""
_MOST_BUSY_LAUNCHES = 200


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is to be timed.

    Attributes:
        launch: one enqueue of it.
        again: makes another launch of the same on operands of its own; None where there is none.
        operand_bytes: of those operands of one set that it reads.
        why_not_captured: the reason why it cannot be part of a CUDA graph.
    """

    launch: Launch
    again: Callable[[], Launch] | None = None
    operand_bytes: int = 0
    why_not_captured: str | None = None


class Views:
    """Times work in every view of a method.

    Args:
        device: `cpu`, `cuda` or `cuda:1`.
        method: how to measure.
    """

    def __init__(self, device: str, method: Method) -> None:
        self._device = device
        self._method = method
        self._synchronize = synchronizer(device)
        self._clocks = clocks_of(device, method.cache_modes, longest_s=method.max_time_s)

    def time(self, work: Work) -> tuple[tuple[Timing, ...], dict[str, str]]:
        """Samples of each view, and of those that cannot be had the reason."""
        timings: list[Timing] = []
        left_out: dict[str, str] = {}
        for mode, clock in self._clocks.items():
            if mode != "graph":
                timings.append(self._timing(mode, clock, work.launch))
            elif reason := self._why_no_graph(work):
                left_out[mode] = reason
            else:
                try:
                    timings.append(self._replayed(clock, work))
                except RuntimeError as error:  # PyTorch's word for what cannot be captured
                    if outcome_of(error) == "crashed":  # nor can anything else be done there
                        raise
                    left_out[mode] = one_line(error)
        return tuple(timings), left_out

    def _why_no_graph(self, work: Work) -> str | None:
        if work.why_not_captured or work.again is None:
            return work.why_not_captured or "only implementations can be captured"
        launch_s = warm_up(work.launch, self._synchronize, time_s=0.0)
        if _FEWEST_CALLS * launch_s > _LONGEST_UNROLLED_S:
            return f"{_FEWEST_CALLS} calls take longer than {_LONGEST_UNROLLED_S:g} s"
        return None

    def _replayed(self, clock: Clock, work: Work) -> Timing:
        assert work.again is not None  # noqa: S101 (see `_why_no_graph`)
        buffers = self._buffers(work.operand_bytes)
        calls = buffers * math.ceil(_FEWEST_CALLS / buffers)
        device = torch.device("cuda", torch.cuda.current_device())  # a worker has but one
        with capture_stream(device):
            launches = [work.again() for _ in range(buffers)]
        captured = capture(launches, calls=calls, device=device)
        rotated = buffers * work.operand_bytes
        unrolled = UnrolledClock(clock, calls=calls, buffers=buffers, rotated_bytes=rotated)
        return self._timing("graph", unrolled, captured.replay)

    def _buffers(self, operand_bytes: int) -> int:
        """So many sets of operands that they do not fit into the cache, where memory has room.

        At most one for each call: small ones stay in the cache all the same.
        """
        properties = torch.cuda.get_device_properties(self._device)
        cache_bytes = _CACHES * getattr(properties, "L2_cache_size", 0)
        room = int(_MOST_OF_MEMORY * free_bytes(self._device)) // max(operand_bytes, 1)
        wanted = math.ceil(cache_bytes / max(operand_bytes, 1))
        return max(1, min(_FEWEST_CALLS, wanted, room))

    def _timing(self, mode: CacheMode, clock: Clock, launch: Callable[[], object]) -> Timing:
        method = self._method
        launch_s = warm_up(launch, self._synchronize, time_s=method.warmup_time_s)

        def stopping(tick_s: float) -> MedianPrecision:
            return MedianPrecision(
                target=method.target,
                min_samples=method.min_samples,
                max_samples=method.max_samples,
                min_time_s=method.min_time_s,
                max_time_s=method.max_time_s,
                tick_s=tick_s,
            )

        busy = self._busy(launch, launch_s)
        with Watch(self._device, busy=busy, settle=self._synchronize) as watch:
            sampling = take_samples(launch, clock, stopping, launch_s=launch_s)
        labels = (
            *sampling.labels,
            *drift_labels(sampling.samples_s, target=method.target, tick_s=sampling.tick_s),
            *load_labels(watch.telemetry, on_cpu=self._device == "cpu"),
            *device_labels(watch.telemetry, target=method.target),
        )
        return Timing(
            cache_mode=mode,
            samples_s=tuple(round(sample_s, _DECIMALS) for sample_s in sampling.samples_s),
            launches_per_sample=sampling.launches_per_sample,
            target_reached=sampling.target_reached,
            labels=labels,
            telemetry=watch.telemetry,
            clock=sampling.facts,
        )

    def _busy(self, launch: Callable[[], object], launch_s: float) -> Callable[[], object]:
        """Enqueues some launches and does not wait for them; on the CPU nothing."""
        if self._device == "cpu":
            return lambda: None
        launches = min(_MOST_BUSY_LAUNCHES, math.ceil(_BUSY_S / max(launch_s, 1e-9)))
        return lambda: [launch() for _ in range(launches)]


def clocks_of(
    device: str, modes: tuple[CacheMode, ...], *, longest_s: float
) -> dict[CacheMode, Clock]:
    """A clock for each view, that takes no longer than this at a time where it has the choice."""
    if device == "cpu":
        return {mode: HostClock() for mode in modes}
    from gconvbench.timing.calibration import calibrate  # noqa: PLC0415
    from gconvbench.timing.cuda import CudaEventClock  # noqa: PLC0415 (only where there is a card)

    calibration = calibrate(torch.device(device))
    return {
        mode: HostClock(synchronize=synchronizer(device))
        if mode == "as_called"
        else CudaEventClock(
            device, cold=mode == "cold", calibration=calibration, longest_s=longest_s
        )
        for mode in modes
    }
