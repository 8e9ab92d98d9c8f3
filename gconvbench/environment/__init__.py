"""The fingerprint of machine and software, from an allow-list: no user, host, home or token.

Each field is one row of a table: name, source, reader. One that cannot be read is null, with the
reason in `Environment.unknown`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re

from gconvbench.environment.cpu import CPU_IDENTITY, HOST, HOST_SOFT, cache_bytes
from gconvbench.environment.cuda import (
    DRIVER,
    card_identity,
    card_soft,
    device_telemetry,
    l2_bytes,
)
from gconvbench.environment.reading import Reader, UnreadableError
from gconvbench.environment.software import SOFTWARE, settings
from gconvbench.environment.variables import VARIABLES
from gconvbench.records import UNSET, Environment

_LATER = frozenset({"CUDA_DEVICE_MAX_CONNECTIONS", "TRITON_INTERPRET"})
"""Since schema 4."""

__all__ = ["device_telemetry", "last_cache_bytes", "machine_slug", "read_environment"]


def read_environment(device: str, *, threads: int) -> Environment:
    """Read everything about this process, this machine and `device`."""
    is_cpu = device == "cpu"
    identity = (*CPU_IDENTITY, *HOST) if is_cpu else card_identity(device)
    software = SOFTWARE if is_cpu else (*SOFTWARE, DRIVER)
    soft = HOST_SOFT if is_cpu else (*HOST_SOFT, *HOST, *card_soft(device))
    reader = Reader()
    return Environment(
        identity=reader.read((*identity, *settings(threads), *VARIABLES)),
        under_test=reader.read(software),
        soft=reader.read(soft),
        unknown=reader.unknown,
        sources=reader.sources,
    )


def last_cache_bytes(device: str) -> int | None:
    """The size of the last-level cache; None where nobody tells it."""
    if device != "cpu":
        return l2_bytes(device)
    with contextlib.suppress(OSError, ValueError, UnreadableError):
        return cache_bytes("3")
    return None


def machine_slug(environment: Environment) -> str:
    """A folder name: the device's name and a short hash of the identity, never a host name.

    Fields that came later count where they are set: a machine known before keeps its name.
    """
    device_name = str(environment.identity["device_name"] or "unknown")
    name = re.sub(r"[^a-z0-9]+", "-", device_name.lower()).strip("-")
    known = {
        field: value
        for field, value in environment.identity.items()
        if field not in _LATER or value != UNSET
    }
    text = json.dumps(known, sort_keys=True)
    return f"{name[:40] or 'unknown'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
