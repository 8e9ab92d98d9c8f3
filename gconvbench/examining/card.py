"""The card: who else computes on it, what its clock does, how it is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from gconvbench.environment import device_telemetry
from gconvbench.environment.cuda import card_identity, card_limits, card_soft
from gconvbench.environment.reading import Reader
from gconvbench.examining.subject import finding, percent
from gconvbench.labels import HELD_BACK

if TYPE_CHECKING:
    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check, CheckState, Scalar

__all__ = ["card_clocks", "card_setup", "other_processes"]

BUSY = 0.75
"""Of the time a kernel ran, as NVML counts it over a sixth of a second or more. This process has
calibrated its clock then: 83 million cycles of sleep, 41 ms at 2 GHz and up to twice that on a card
whose clock is still low, which is half of the shortest period. Work of others that pauses less than
that lets no time be believed."""
BELOW_SET = 0.05
"""So far below the clock that is set for applications the card may run unasked: at 5 % a slowdown
that people look for could be the clock's."""
NEAR_SLOWDOWN_C = 5
"""NVML's sensor reads whole degrees, and a run heats the card by more than one examination."""
_BUSY_CYCLES = {"quick": 50_000_000, "full": 1_000_000_000}
"""25 ms and half a second at 2 GHz: clocks of a card at rest need some time to rise."""
_AT_REST = 0x1
"""`nvmlClocksEventReasonGpuIdle` (NVML API reference)."""
_SERIOUS = 0x08 | 0x20 | 0x40 | 0x80
"""Slowdowns by hardware or heat; a power cap at work is how many cards run."""


def other_processes(subject: Subject) -> Check:
    """Processes beside this one share the card's time, caches and bandwidth."""
    name = "other_processes"
    count = device_telemetry(subject.device)["compute_processes"]
    busy = Reader().read(card_limits(subject.device))["utilization"]
    figures: dict[str, Scalar] = {"compute_processes": count, "utilization": busy}
    if count is None:
        found = "NVML does not tell which processes compute on the card"
        return finding(name, "skipped", found, **figures)
    others = max(0, count - 1)
    works = isinstance(busy, float) and busy > BUSY
    if not others and not works:
        told = "" if count else "; NVML shows not even this one, as in a container"
        return finding(name, "fine", f"none is seen{told}", **figures)
    who = f"{others} other process(es)" if others else "others that NVML does not show"
    did = f"; kernels ran for {percent(float(busy))} of the time" if isinstance(busy, float) else ""
    return finding(
        name,
        "unfit" if works else "advice",
        f"{who} on the card{did}",
        "nvidia-smi names them; wait for them, or take another card with --device cuda:1",
        **figures,
    )


def card_clocks(subject: Subject) -> Check:
    """Clock, power and temperature while the card is kept busy, and what holds its clock back.

    Judged against what is set for the card, never against the highest clock that it might reach:
    no card need hold that.
    """
    seen = _while_busy(subject.device, _BUSY_CYCLES[subject.scope])
    facts = Reader().read((*card_identity(subject.device), *card_limits(subject.device)))
    figures: dict[str, Scalar] = {
        key: seen[key] for key in ("sm_clock_mhz", "memory_clock_mhz", "power_w", "temperature_c")
    } | {key: facts[key] for key in _SET}  # fmt: skip
    figures["clock_event_reasons"] = seen["clock_event_reasons"]
    if seen["sm_clock_mhz"] is None:
        return finding("card_clocks", "skipped", "NVML does not tell the clock", **figures)
    state, why = _worst(seen, facts)
    told = ", ".join(_told(seen, facts))
    return finding(
        "card_clocks",
        state,
        f"{told}; {why}" if why else told,
        "let it cool and see to its power (nvidia-smi -q -d PERFORMANCE,TEMPERATURE); a fixed "
        "clock makes times repeatable: sudo nvidia-smi -lgc MHZ",
        **figures,
    )


_SET = ("application_sm_clock_mhz", "power_limit_w", "power_limit_default_w")


def _while_busy(device: str, cycles: int) -> dict[str, Any]:
    """The last readings that were over before the work was; the first where none was."""
    end = torch.cuda.Event(enable_timing=True)
    torch.cuda._sleep(cycles)  # noqa: SLF001 (there is no public one)
    end.record()
    seen = device_telemetry(device)
    while not end.query():
        later = device_telemetry(device)
        if not end.query():
            seen = later
    torch.cuda.synchronize(device)
    return seen


def _worst(seen: dict[str, Any], facts: dict[str, Scalar]) -> tuple[CheckState, str]:
    """The state, and the reason where it is not fine."""
    reasons = int(seen["clock_event_reasons"] or 0)
    held = [word for mask, word in HELD_BACK.items() if reasons & mask]
    if reasons & _SERIOUS:
        return "unfit", f"held back by {', '.join(held)}"
    if reasons & _AT_REST:
        return "fine", ""
    clock, wanted = seen["sm_clock_mhz"], facts["application_sm_clock_mhz"]
    if held:
        return "advice", f"held back by {', '.join(held)}"
    if isinstance(wanted, int | float) and clock < wanted * (1 - BELOW_SET):
        return "advice", f"below the {wanted:g} MHz that is set"
    heat, limit = seen["temperature_c"], facts["slowdown_temperature_c"]
    if heat is not None and isinstance(limit, int | float) and heat > limit - NEAR_SLOWDOWN_C:
        return "advice", f"it slows down at {limit:g} °C"
    return "fine", ""


def _told(seen: dict[str, Any], facts: dict[str, Scalar]) -> list[str]:
    at_rest = int(seen["clock_event_reasons"] or 0) & _AT_REST
    told = [f"{seen['sm_clock_mhz']:g} MHz" + (" at rest" if at_rest else "")]
    if (power := seen["power_w"]) is not None:
        limit = facts["power_limit_w"]
        told.append(f"{power:.0f} W" + (f" of {limit:.0f}" if limit is not None else ""))
    if (heat := seen["temperature_c"]) is not None:
        told.append(f"{heat:g} °C")
    return told


def card_setup(subject: Subject) -> Check:
    """ECC, MIG, persistence and the power limit: part of what times are of."""
    facts = Reader().read((
        *card_identity(subject.device),
        *card_soft(subject.device),
        *card_limits(subject.device),
    ))  # fmt: skip
    keys = ("ecc", "mig", "persistence", "power_limit_w", "power_limit_default_w")
    words = {"0": "off", "1": "on", "None": "not told"}
    told = ", ".join(
        f"{shown} {words.get(str(facts[key]), facts[key])}"
        for key, shown in (("ecc", "ECC"), ("mig", "MIG"), ("persistence", "persistence"))
    )
    advice = [text for is_so, text in _to_mend(facts) if is_so]
    return finding(
        "card_setup",
        "advice" if advice else "fine",
        told,
        "; ".join(advice),
        **{key: facts[key] for key in keys},
    )


def _to_mend(facts: dict[str, Scalar]) -> list[tuple[bool, str]]:
    limit, default = facts["power_limit_w"], facts["power_limit_default_w"]
    is_lowered = (
        isinstance(limit, int | float) and isinstance(default, int | float) and limit < default
    )
    return [
        (
            facts["mig"] == 1,
            "a part of a card: others share its power, and times hold for such parts alone",
        ),
        (
            facts["persistence"] == 0,
            "the driver lets the card go between processes: sudo nvidia-smi -pm 1",
        ),
        (is_lowered, f"the power limit is {limit} W, {default} W by default: nvidia-smi -pl"),
    ]
