"""What follows from options: the device, the method, the implementations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gconvbench.errors import UsageError, refused_name
from gconvbench.records import Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.protocol import Description

__all__ = ["chosen_implementations", "default_device", "make_method"]

_CACHE_MODES = ("hot", "cold")
_TARGETS = {"cpu": 0.02, "cuda": 0.005}
"""Default half-width of the median's interval, as a share of the median. On the CPU 40 samples
reach 1.8 % at the median of many cases; a GPU is quieter."""


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


def make_method(  # noqa: PLR0913 (one argument per option)
    device: str,
    *,
    cache: str | None,
    target: float | None,
    threads: int,
    seed: int,
    check_only: bool,
) -> Method:
    """How to measure on `device`.

    Raises:
        UsageError: a cache mode that is unknown or that the device does not have.
    """
    kind = device.partition(":")[0]
    modes = tuple((cache or ("hot" if kind == "cpu" else "cold,hot")).split(","))
    for mode in modes:
        if mode not in _CACHE_MODES:
            raise UsageError(refused_name("cache mode", mode, _CACHE_MODES))
    if kind == "cpu" and "cold" in modes:
        message = "cache mode 'cold' needs a CUDA device; on the CPU times are hot"
        raise UsageError(message)
    share = _TARGETS[kind] if target is None else target
    if not 0 < share < 1:
        message = f"target ({share}) must be between 0 and 1, such as 0.01 for 1 %"
        raise UsageError(message)
    return Method(
        clock="host" if kind == "cpu" else "cuda_events",
        cache_modes=tuple("cold" if mode == "cold" else "hot" for mode in dict.fromkeys(modes)),
        target=share,
        threads=threads,
        seed=seed,
        check_only=check_only,
    )


def chosen_implementations(text: str, known: Sequence[Description]) -> tuple[str, ...]:
    """The names meant by `--implementation`.

    Raises:
        UsageError: a name that is not known, or whose module cannot be used.
    """
    usable = [one.name for one in known if not one.problem]
    if text == "all":
        return tuple(usable)
    problems = {one.name: one.problem for one in known if one.problem}
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name in problems:
            message = f"implementation {name!r} cannot be used: {problems[name]}"
            raise UsageError(message)
        if name not in usable:
            raise UsageError(refused_name("implementation", name, [*usable, "all"]))
    return names
