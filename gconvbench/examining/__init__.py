"""Is the instrument fit? Checks that one process can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.examining.aftermath import profiler_aftermath
from gconvbench.examining.card import card_clocks, card_setup, other_processes
from gconvbench.examining.card_clock import event_against_host, idle_stream, timer_linearity
from gconvbench.examining.cold import cold_is_cold
from gconvbench.examining.host_clock import host_linearity, host_timer
from gconvbench.examining.noise import noise_floor
from gconvbench.examining.precision import math_modes
from gconvbench.examining.processor import boost, contention, governor, threads
from gconvbench.examining.subject import Subject, finding
from gconvbench.examining.surroundings import environment_variables, torch_settings
from gconvbench.failure import one_line
from gconvbench.protocol import Examine, Examined

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import Check, Method

__all__ = ["checks_of", "examine"]

_Checks = tuple["Callable[[Subject], Check]", ...]

_QUICK_HOST: _Checks = (
    environment_variables,
    torch_settings,
    threads,
    contention,
    host_timer,
    governor,
)
_QUICK_CARD: _Checks = (other_processes, card_clocks, card_setup)
_FULL_CARD: _Checks = (
    timer_linearity,
    event_against_host,
    idle_stream,
    cold_is_cold,
    math_modes,
)
_LAST: _Checks = (noise_floor, profiler_aftermath)


def checks_of(subject: Subject) -> _Checks:
    """Which checks there are for this device and scope, in order.

    Whether others use the card is asked first, when this process has done little but calibrate its
    clock; the profiler is last.
    """
    is_full = subject.scope == "full"
    if subject.on_cpu:
        quick: _Checks = (*_QUICK_HOST, boost)
        return (*quick, host_linearity, *_LAST) if is_full else quick
    quick = (*_QUICK_CARD, *_QUICK_HOST)
    return (*quick, host_linearity, *_FULL_CARD, *_LAST) if is_full else quick


def examine(request: Examine, device: str, method: Method) -> Examined:
    """Make the checks of this scope. One that fails has not shown the instrument to be fit."""
    subject = Subject(device, method, request.scope)
    return Examined(tuple(_made(check, subject) for check in checks_of(subject)))


def _made(check: Callable[[Subject], Check], subject: Subject) -> Check:
    try:
        return check(subject)
    except Exception as error:  # noqa: BLE001 (drivers raise what they like)
        found = f"the check itself failed: {one_line(error)}"
        advice = "see whether the device does anything at all (nvidia-smi), then examine again"
        return finding(check.__name__, "unfit", found, advice)
