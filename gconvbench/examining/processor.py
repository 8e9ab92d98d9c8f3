"""The host: cores and threads, who else wants them, and what moves their clock."""

from __future__ import annotations

import os
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace

from gconvbench.environment.cpu import HOST, HOST_SOFT
from gconvbench.environment.reading import Field, Reader, UnreadableError, first_line
from gconvbench.examining.subject import finding, percent, state_of
from gconvbench.labels import CLEARLY_MORE, LARGEST_SHARE_AWAY, share_away
from gconvbench.telemetry import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.examining.subject import Subject
    from gconvbench.records import Check, Scalar, Telemetry

__all__ = ["boost", "contention", "contention_of", "governor", "threads"]

_SPIN_S = 0.1
"""Ten ticks of stolen time, and some thirty slices of the scheduler's."""
_BLOCK = bytes(1 << 20)
"""About a millisecond's work, during which no other thread needs the interpreter's lock."""
UNFIT_SHARE_AWAY = 0.25
"""A core that is lost for a quarter of the time, in slices of 0.7 ms (`labels`), is lost once in
2.8 ms: that hits more than one in two samples of a millisecond, and the median is one of them."""
_CPUS = Path("/sys/devices/system/cpu")


def threads(subject: Subject) -> Check:
    """More threads than cores wait for each other.

    Two threads on shared cores have turned a convolution of 0.07 ms into one of 28 ms.
    """
    name, wanted = "threads", subject.method.threads
    host = Reader().read(HOST)
    cores, quota = int(host["cores"] or os.cpu_count() or 1), host["cpu_quota"]
    usable = min(cores, quota) if isinstance(quota, int | float) else cores
    used = torch.get_num_threads()
    figures = {"threads": wanted, "used": used, "cores": cores, "cpu_quota": quota}
    of = f"{cores} core(s)" + (f", a quota of {quota:g}" if usable is quota else "")
    if wanted > usable:
        return finding(
            name,
            "unfit" if subject.on_cpu else "advice",
            f"{wanted} thread(s) on {of}",
            f"--threads {max(1, int(usable))}"
            + (", or a larger quota" if isinstance(quota, int | float) else ""),
            **figures,
        )
    if used != wanted:
        return finding(
            name,
            "unfit" if subject.on_cpu else "advice",
            f"PyTorch uses {used} thread(s), {wanted} are asked for",
            "find what sets them when it is imported, such as a plugin with implementations",
            **figures,
        )
    return finding(name, "fine", f"{wanted} on {of}", **figures)


def contention(subject: Subject) -> Check:
    """Does this process get the cores that it needs? Each thread computes for a tenth of a second.

    The work is arithmetic in C, in which Python's threads do not wait for each other.
    """
    count = min(subject.method.threads, len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(count) as pool:
        seen = list(pool.map(lambda _: _spin(), range(count)))
    if count > 1:  # they are counted for all threads together
        seen = [replace(one, involuntary_switches=0) for one in seen]
    return contention_of(seen, online_cores=os.cpu_count() or 1)


def _spin() -> Telemetry:
    with Watch("cpu") as watch:
        end = time.perf_counter() + _SPIN_S
        while time.perf_counter() < end:
            zlib.crc32(_BLOCK)
    return watch.telemetry


def contention_of(seen: Sequence[Telemetry], *, online_cores: int) -> Check:
    """By the thread that fared worst, and by the load of the last minute."""
    name = "contention"
    away = max(share_away(one, on_cpu=True, online_cores=online_cores) for one in seen)
    load = seen[-1].load
    figures = {"share_away": round(away, 4), "load": load, "online_cores": online_cores}
    state = state_of(away, advice=LARGEST_SHARE_AWAY, unfit=UNFIT_SHARE_AWAY)
    quiet = "stop what else runs here, or --pin a core that is left alone"
    if state != "fine":
        found = f"no core for {percent(away)} of the time, although there was work to do"
        return finding(name, state, found, quiet, **figures)
    if load > online_cores + CLEARLY_MORE:
        found = f"{load:.3g} tasks wanted the {online_cores} core(s) during the last minute"
        return finding(name, "advice", found, quiet, **figures)
    found = f"a core for {percent(1 - max(0.0, away))} of the time; load {load:.2g}"
    return finding(name, "fine", f"{found} on {online_cores} core(s)", **figures)


def governor(subject: Subject) -> Check:  # noqa: ARG001 (every check is asked alike)
    """Any but `performance` lets the clock follow the load (Linux, admin-guide/pm/cpufreq.rst)."""
    name, reader = "governor", Reader()
    value = reader.read(HOST_SOFT)["governor"]
    if value is None:
        found = "not told here; a virtual machine rarely knows"
        return finding(name, "skipped", found)
    return finding(
        name,
        "fine" if value == "performance" else "advice",
        f"{value}" if value == "performance" else f"{value}: the clock follows the load",
        "sudo cpupower frequency-set --governor performance",
        governor=value,
    )


def boost(subject: Subject) -> Check:  # noqa: ARG001
    """Clocks beyond the nominal one depend on heat and on neighbours; siblings share a core."""
    name, reader = "boost_and_smt", Reader()
    facts = reader.read((_BOOST, *(field for field in HOST_SOFT if field.name == "smt")))
    if all(value is None for value in facts.values()):
        return finding(name, "skipped", f"not told: {reader.unknown['boost']}")
    if facts["boost"] is None:
        return finding(
            name, "skipped", f"boost is not told here; SMT {_word(facts['smt'])}", **facts
        )
    return finding(
        name,
        "advice" if facts["boost"] else "fine",
        f"boost {_word(facts['boost'])}, SMT {_word(facts['smt'])}",
        "the clock depends on heat and neighbours: compare interleaved (gconvbench gate), or turn "
        "boost off in the firmware or below /sys/devices/system/cpu",
        **facts,
    )


def _word(value: Scalar) -> str:
    if value is None:
        return "not known"
    return "on" if value else "off"


def _is_boosting() -> bool:
    """`no_turbo` of intel_pstate, else `boost` of cpufreq (Linux, admin-guide/pm/*.rst)."""
    for path, on in ((_CPUS / "intel_pstate/no_turbo", "0"), (_CPUS / "cpufreq/boost", "1")):
        if path.exists():
            return first_line(path) == on
    message = "Linux lists no switch for it"
    raise UnreadableError(message)


_BOOST = Field("boost", "intel_pstate/no_turbo or cpufreq/boost", _is_boosting)
