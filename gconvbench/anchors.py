"""Work beside the code under test: it tells whether the machine itself changed between two sides.

Neither torch nor any implementation runs: copies by the C library, and arithmetic of OpenSSL and
zlib on one core. The copies are the same for all interpreters of a machine; the arithmetic is that
of the libraries which an interpreter was built with. About 40 samples of all take half a second.
"""

from __future__ import annotations

import ctypes
import hashlib
import zlib
from typing import TYPE_CHECKING

from gconvbench.timing import HostClock, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ANCHORS", "COPIES", "anchor_samples"]

_WARM_UP_S = 0.003
_TEXT = bytes(range(256)) * 64
_DECIMALS = 12


def _copy(size: int) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        source, target = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
        ctypes.memset(source, 1, size)
        return lambda: ctypes.memmove(target, source, size)

    return prepare


COPIES: dict[str, Callable[[], Callable[[], object]]] = {
    "memmove_64KiB": _copy(1 << 16),
    "memmove_256KiB": _copy(1 << 18),
    "memmove_1MiB": _copy(1 << 20),
    "memmove_4MiB": _copy(1 << 22),
}
"""From a core's own cache to beyond it."""
ANCHORS: dict[str, Callable[[], Callable[[], object]]] = {
    **COPIES,
    "sha256": lambda: lambda: hashlib.sha256(_TEXT).digest(),
    "pbkdf2": lambda: lambda: hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 200),
    "crc32": lambda: lambda: zlib.crc32(_TEXT),
    "deflate": lambda: lambda: zlib.compress(_TEXT, 1),
}
"""What prepares each, and is handed back its launch."""


def anchor_samples(samples: int) -> dict[str, tuple[float, ...]]:
    """So many samples of each anchor, in seconds per launch.

    Args:
        samples: of each, at least one; each lasts a millisecond or more.
    """
    clock = HostClock()
    return {name: _samples(prepare(), clock, samples) for name, prepare in ANCHORS.items()}


def _samples(launch: Callable[[], object], clock: HostClock, samples: int) -> tuple[float, ...]:
    launch_s = warm_up(launch, lambda: None, time_s=_WARM_UP_S)
    launches = clock.begin(launch, launch_s)
    taken_s = (clock.chunk(launch, launches)[0] for _ in range(samples))
    return tuple(round(sample_s, _DECIMALS) for sample_s in taken_s)
