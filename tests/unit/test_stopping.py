from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gconvbench.stopping import MedianPrecision

if TYPE_CHECKING:
    from collections.abc import Iterable

NOISY_S = [1.0, 3.0] * 500  # never precise: the interval spans both values
STEADY_S = [1.0] * 1000


def criterion(**changes: Any) -> MedianPrecision:
    limits: dict[str, Any] = {
        "target": 0.02,
        "min_samples": 10,
        "max_samples": 200,
        "min_time_s": 0.0,
        "max_time_s": 1e9,
        "tick_s": 0.0,
    }
    return MedianPrecision(**(limits | changes))


def samples_taken(stopping: MedianPrecision, samples_s: Iterable[float]) -> int:
    for number, sample_s in enumerate(samples_s):
        if stopping.is_finished:
            return number
        stopping.add(sample_s, elapsed_s=1.0)
    raise AssertionError


@pytest.mark.parametrize(
    ("changes", "samples_s", "taken", "reached"),
    [
        ({}, STEADY_S, 10, True),
        ({"min_samples": 3}, STEADY_S, 10, True),  # no interval below ten
        ({"min_samples": 25}, STEADY_S, 25, True),
        ({"min_time_s": 17.0}, STEADY_S, 17, True),
        ({}, NOISY_S, 200, False),
        ({"max_samples": 30}, NOISY_S, 30, False),
        ({"max_samples": 3}, STEADY_S, 3, False),
        ({"max_time_s": 12.0}, NOISY_S, 12, False),
        ({"max_time_s": 5.0, "min_time_s": 50.0}, STEADY_S, 5, False),
        ({"max_time_s": 0.0}, STEADY_S, 1, False),
        ({}, [9.0, *STEADY_S], 11, True),  # the outermost ranks of eleven are not used
    ],
)
def test_sampling_stops_at_the_target_or_at_a_cap(
    changes: dict[str, Any],
    samples_s: list[float],
    taken: int,
    reached: bool,  # noqa: FBT001
) -> None:
    stopping = criterion(**changes)
    assert samples_taken(stopping, samples_s) == taken
    assert stopping.target_reached is reached


def test_the_order_of_samples_does_not_matter() -> None:
    ramp = [1 + i / 1000 for i in range(100)]
    up, down = (samples_taken(criterion(target=1e-9), s) for s in (ramp * 3, ramp[::-1] * 3))
    assert up == down == 200
    assert samples_taken(criterion(target=0.05), ramp) == 10


@pytest.mark.parametrize(("tick_s", "reached"), [(0.039, True), (0.041, False)])
def test_identical_readings_are_no_more_precise_than_half_a_tick(
    tick_s: float, *, reached: bool
) -> None:
    stopping = criterion(tick_s=tick_s)
    for sample_s in STEADY_S[:50]:
        stopping.add(sample_s, elapsed_s=1.0)
    assert stopping.target_reached is reached


def test_nothing_is_finished_before_the_first_sample() -> None:
    stopping = criterion(max_time_s=0.0)
    assert not stopping.is_finished
    assert not stopping.target_reached
