"""One run at a time per device: two would disturb each other's times unknowingly."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gconvbench.errors import InstrumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["device_lock"]


@contextmanager
def device_lock(device: str) -> Iterator[None]:
    """Hold the device for the block. The system releases it when the process ends, however it ends.

    Raises:
        InstrumentError: another process holds it; names the process.
    """
    device = "cuda:0" if device == "cuda" else device
    name = f"gconvbench-{os.getuid()}-{device.replace(':', '-')}.lock"
    path = Path(tempfile.gettempdir()) / name
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            message = f"device {device!r} is in use by another run (process {holder}); wait for it"
            raise InstrumentError(message) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        yield
    finally:
        os.close(descriptor)
