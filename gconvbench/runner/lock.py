"""One run at a time per device: two would disturb each other's times unknowingly.

The lock is one file per device in one folder of the machine, whoever runs and wherever their
temporary files go: /run/lock, /var/lock or /tmp, the first that everybody may write. The variable
GCONVBENCH_LOCKS names another folder, such as one that several containers share. The system
releases the lock when the process ends, however it ends; the file stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from gconvbench.errors import InstrumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["device_lock", "lock_name"]

_VARIABLE = "GCONVBENCH_LOCKS"
_FOLDERS = ("/run/lock", "/var/lock", "/tmp")  # noqa: S108 (files there are opened with care)
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_EVERYBODY = 0o666
_PROCESS = re.compile(rb"(\d{1,10}\n)?")
"""What a lock holds: nothing, or the process that holds it or was the last to do so."""
_READ_BYTES = 32


@contextlib.contextmanager
def device_lock(device: str) -> Iterator[None]:
    """Hold the device for the block.

    Raises:
        InstrumentError: another process holds it; names the process. Or there can be no lock.
    """
    path = _folder() / lock_name(device, os.environ.get("CUDA_VISIBLE_DEVICES"))
    descriptor = _opened(path)
    try:
        _refuse_foreign(descriptor, path)
        if not _is_ours_now(descriptor, path):
            holder = os.pread(descriptor, _READ_BYTES, 0).decode("ascii").strip() or "unknown"
            message = f"device {device!r} is in use by another run (process {holder}); wait for it"
            raise InstrumentError(message)
        with contextlib.suppress(OSError):  # a full disk: held without a name
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def lock_name(device: str, visible: str | None) -> str:
    """The file's name. A card's is the same in processes that see it by different numbers.

    Args:
        device: `cpu`, `cuda` or `cuda:1`.
        visible: CUDA_VISIBLE_DEVICES: numbers, or identifiers of cards or their parts (CUDA C++
            Programming Guide, environment variables).
    """
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return f"gconvbench-{kind}.lock"
    entries = [entry.strip() for entry in (visible or "").split(",")]
    index = int(number or 0)
    card = (entries[index] if index < len(entries) else "") or str(index)
    return f"gconvbench-cuda-{re.sub('[^A-Za-z0-9-]', '_', card)}.lock"


def _folder() -> Path:
    if chosen := os.environ.get(_VARIABLE):
        return Path(chosen)
    found = (Path(name) for name in _FOLDERS if _is_everybodys(name))
    return next(found, Path(_FOLDERS[-1]))


def _is_everybodys(folder: str) -> bool:
    """By its mode: what root alone may write would be another folder than the other users'."""
    try:
        mode = os.stat(folder).st_mode  # noqa: PTH116 (beside os.access)
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH) and os.access(folder, os.W_OK)


def _opened(path: Path) -> int:
    try:
        try:
            return os.open(path, _FLAGS)  # an O_CREAT here fails on others' (fs.protected_regular)
        except FileNotFoundError:
            return _created(path)
    except OSError as error:
        raise _no_lock(path, f"cannot be opened: {error.strerror}") from None


def _created(path: Path) -> int:
    """Writable by everybody from its first moment, or found, where another run was faster."""
    umask = os.umask(0)
    try:
        return os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, _EVERYBODY)
    except FileExistsError:
        return os.open(path, _FLAGS)
    finally:
        os.umask(umask)


def _refuse_foreign(descriptor: int, path: Path) -> None:
    """A file that is no lock is not touched."""
    status = os.fstat(descriptor)
    is_file = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not is_file or not _PROCESS.fullmatch(os.pread(descriptor, _READ_BYTES, 0)):
        raise _no_lock(path, "is something else")


def _is_ours_now(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise _no_lock(path, f"cannot be held: {error.strerror}") from None
    return True


def _no_lock(path: Path, fault: str) -> InstrumentError:
    return InstrumentError(
        f"lock {str(path)!r} {fault}; it must be a file, no link, that one may write: "
        f"remove what stands there, or name another folder by {_VARIABLE}"
    )
