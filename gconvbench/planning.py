"""What follows from what a person asks for: the device, the method, the implementations."""

from __future__ import annotations

import fnmatch
import os
import re
from typing import TYPE_CHECKING

import msgspec

from gconvbench.errors import UsageError, refused_name
from gconvbench.records import CACHE_MODES, Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.protocol import Description
    from gconvbench.records import CacheMode

__all__ = [
    "ALL",
    "DEFAULT",
    "GATE_SAMPLES",
    "VIEWS_IN_PLACE",
    "chosen_implementations",
    "default_device",
    "gate_method",
    "make_method",
    "modes_of",
    "refuse_device",
]

ALL = "all"
"""Every implementation that can be used."""
DEFAULT = "default"
"""Every one but those that are measured on request only."""
_DEVICE = re.compile(r"cpu|cuda(:\d{1,3})?")
_VIEWS = {"cpu": "hot", "cuda": "cold,hot,graph,as_called"}
"""Default cache modes; the first one is what implementations are compared in."""
_GATE_VIEWS = {"cpu": "hot", "cuda": "cold,hot"}
"""A gate judges each of them, and the others follow from the code's hot time and the host's."""
VIEWS_IN_PLACE = {"cpu": "hot", "cuda": "cold,hot,as_called"}
"""By kind of device, in a process that is somebody else's: a capture disturbs whatever its other
threads ask of the card, and is disturbed by it (CUDA runtime API, stream capture modes)."""
_TARGETS = {"cpu": 0.02, "cuda": 0.005}
"""Default half-width of the median's interval, as a share of the median. On the CPU 40 samples
reach 1.8 % at the median of many cases; a GPU is quieter."""
_WARM_UP_S = {"cpu": 0.005, "cuda": 0.02}
"""Launches before the first sample. On the CPU they bring back what the proof displaced from the
caches; a GPU's clock has to rise, too."""


def default_device() -> str:
    """`cuda` where the NVIDIA driver sees a device, else `cpu`; found without torch."""
    import pynvml  # noqa: PLC0415 (slow to import, and rarely needed)

    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return "cpu"
    try:
        pynvml.nvmlInit()
        return "cuda" if pynvml.nvmlDeviceGetCount() else "cpu"
    except pynvml.NVMLError:
        return "cpu"


def refuse_device(name: str) -> None:
    """Let the names of devices pass.

    Raises:
        UsageError: it is none.
    """
    if not _DEVICE.fullmatch(name):
        message = f"device {name!r} is not known; allowed: cpu, cuda, cuda:0, cuda:1, ..."
        raise UsageError(message)


def make_method(  # noqa: PLR0913 (one argument per choice)
    device: str,
    *,
    cache: str | None = None,
    target: float | None = None,
    threads: int = 1,
    cores: tuple[int, ...] = (),
    seed: int = 0,
    check_only: bool = False,
    budget_s: float | None = None,
) -> Method:
    """How to measure on `device`.

    Raises:
        UsageError: a cache mode that is unknown or that the device does not have, a target that
            is no share, or cores that are not there or too few.
    """
    kind = device.partition(":")[0]
    modes = _cache_modes(_VIEWS[kind] if cache is None else cache, kind)
    _refuse_cores(cores, threads)
    share = _TARGETS[kind] if target is None else target
    if not isinstance(share, int | float) or not 0 < share < 1:
        message = f"target ({share!r}) must be between 0 and 1, such as 0.01 for 1 %"
        raise UsageError(message)
    return Method(
        clock="host" if kind == "cpu" else "cuda_events",
        cache_modes=modes,
        target=share,
        warmup_time_s=_WARM_UP_S[kind],
        threads=threads,
        cores=cores,
        seed=seed,
        check_only=check_only,
        budget_s=budget_s,
    )


GATE_SAMPLES = 30
"""Per job, process and cache mode: more processes tell more than more samples do."""


def gate_method(
    device: str,
    *,
    cache: str | None = None,
    threads: int = 1,
    cores: tuple[int, ...] = (),
    seed: int = 0,
) -> Method:
    """How a gate measures: as `make_method`, but each job as often in every process.

    On CUDA without the views that have the host's part in them or leave it out by a graph.

    Raises:
        UsageError: as of `make_method`.
    """
    cache = cache or _GATE_VIEWS[device.partition(":")[0]]
    method = make_method(device, cache=cache, threads=threads, cores=cores, seed=seed)
    return msgspec.structs.replace(
        method, min_samples=GATE_SAMPLES, max_samples=GATE_SAMPLES, min_time_s=0.0
    )


def _cache_modes(text: str, kind: str) -> tuple[CacheMode, ...]:
    """What `--cache` names, each once.

    Raises:
        UsageError: a name that is unknown or that the kind of device does not have.
    """
    known = {str(mode): mode for mode in CACHE_MODES}
    names = dict.fromkeys(text.split(","))
    for name in names:
        if name not in known:
            raise UsageError(refused_name("cache mode", name, CACHE_MODES))
        if kind == "cpu" and name != "hot":
            message = f"cache mode {name!r} needs a CUDA device; on the CPU times are hot, always"
            raise UsageError(message)
    return tuple(known[name] for name in names)


def _refuse_cores(cores: tuple[int, ...], threads: int) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    if missing := sorted(set(cores) - set(allowed)):
        message = f"core {missing[0]} cannot be used; allowed: {', '.join(map(str, allowed))}"
        raise UsageError(message)
    if cores and len(cores) < threads:
        message = f"threads ({threads}) are more than cores ({len(cores)}); name as many with --pin"
        raise UsageError(message)


def chosen_implementations(text: str, known: Sequence[Description]) -> tuple[str, ...]:
    """The names meant by `--implementation`: names, patterns, `default` and `all`, with commas.

    Raises:
        UsageError: a name that is not known, or whose module cannot be used.
    """
    words = split_words(text)
    return tuple(dict.fromkeys(name for word in words for name in _meant(word, known)))


def modes_of(
    names: Sequence[str], known: Sequence[Description]
) -> dict[str, dict[str, bool | str]]:
    """The modes of those of the implementations that have any, for `Plan.modes`."""
    return {one.name: one.modes for one in known if one.modes and one.name in names}


def split_words(text: str) -> tuple[str, ...]:
    """What stands between the commas of `--implementation`."""
    return tuple(word.strip() for word in text.split(","))


def _meant(word: str, known: Sequence[Description]) -> Sequence[str]:
    usable = [one.name for one in known if not one.problem]
    if word == ALL:
        return usable
    if word == DEFAULT:
        return [one.name for one in known if not one.problem and not one.on_request]
    for one in known:
        if one.name == word and one.problem:
            message = f"implementation {word!r} cannot be used: {one.problem}"
            raise UsageError(message)
    if found := fnmatch.filter(usable, word):
        return found
    raise UsageError(refused_name("implementation", word, [*usable, DEFAULT, ALL]))
