"""Tensors of a file, read without running anything that it brings.

`torch.load(weights_only=True)` unpickles tensors and plain containers only; safetensors has nothing
that could run.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gconvbench.errors import UsageError
from gconvbench.failure import one_line

__all__ = ["Checkpoint", "read_checkpoint"]

_NESTINGS = (
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params",
    "params_ema", "ema", "generator",
)  # fmt: skip
"""Keys under which training programs put a state dict."""
_PREFIXES = ("module.", "_orig_mod.")
"""Of `DataParallel` and `torch.compile`."""
_FIRST = re.compile("stem|embed")
"""Layers that stand before the others, which an order by name does not know."""
_HEAD_BYTES = 9
_WANTED = re.compile(r"(?:GLOBAL|[Gg]lobal|class|type) ([\w.]+\.[\w.]+)")
"""What `torch.load` says that it would have to import."""


class Checkpoint(NamedTuple):
    """What a file holds.

    Attributes:
        form: `torch` or `safetensors`.
        nested: under which key; empty for none.
        tensors: by name, in the model's order as far as it is known.
        ignored: entries that are no tensors.
        in_model_order: whether the file keeps that order; safetensors sorts.
    """

    form: str
    nested: str
    tensors: dict[str, Tensor]
    ignored: int
    in_model_order: bool


def read_checkpoint(path: str) -> Checkpoint:
    """Read a checkpoint on the CPU; of `torch.save`'s newer form only what is looked at.

    Raises:
        UsageError: the file is missing, damaged, no checkpoint, or wants code to be run.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        message = f"state dict {path!r} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    return _safetensors(path) if _is_safetensors(path, head) else _torch(path)


def _is_safetensors(path: str, head: bytes) -> bool:
    """By its name, or by its first bytes: the length of a JSON document, and its brace."""
    if path.endswith(".safetensors"):
        return True
    if len(head) < _HEAD_BYTES or head[-1:] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return bool(length < Path(path).stat().st_size)


def _safetensors(path: str) -> Checkpoint:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 (only for such files)

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys(), key=_natural)}
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        message = (
            f"state dict {path!r} is no readable safetensors file: {one_line(error)}; fetch or "
            "save it again"
        )
        raise UsageError(message) from None
    return Checkpoint("safetensors", "", _without_prefix(tensors), 0, in_model_order=False)


def _natural(name: str) -> tuple[object, ...]:
    """Numbers by their value, and what is named as the first layer first."""
    parts = re.split(r"(\d+)", name)
    return not _FIRST.search(name), [(int(p), "") if p.isdigit() else (0, p) for p in parts]


def _torch(path: str) -> Checkpoint:
    _refuse_damaged(path)
    loaded = _loaded(path)
    nested, found = _state_dict(loaded)
    if not isinstance(found, Mapping):
        message = (
            f"state dict {path!r} holds {type(loaded).__name__} and no tensors by name; "
            "save it with torch.save(model.state_dict(), FILE)"
        )
        raise UsageError(message)
    tensors = {str(name): one for name, one in found.items() if _is_plain(one)}
    ignored = len(found) - len(tensors)
    return Checkpoint("torch", nested, _without_prefix(tensors), ignored, in_model_order=True)


def _refuse_damaged(path: str) -> None:
    """The checksums that `torch.save` writes, which `torch.load` does not look at."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error) as error:
        raise UsageError(_unreadable(path, one_line(error))) from None
    if member is not None:
        raise UsageError(_unreadable(path, f"the checksum of {member!r} does not hold"))


def _loaded(path: str) -> Any:  # noqa: ANN401 (a file may hold anything)
    try:
        return _mapped(path)
    except pickle.UnpicklingError as error:
        raise UsageError(_refused(path, str(error))) from None
    except Exception as error:  # noqa: BLE001 (a damaged file may raise anything)
        if "TorchScript" in str(error):
            message = (
                f"state dict {path!r} is a TorchScript archive, which brings code; save "
                "torch.save(torch.jit.load(FILE).state_dict(), OTHER) where you trust it"
            )
            raise UsageError(message) from None
        raise UsageError(_unreadable(path, one_line(error).split(". ")[0])) from None


def _mapped(path: str) -> Any:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle's protocols; whoever asks gets an error
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (RuntimeError, ValueError) as error:  # the older format cannot be mapped
            if "mmap" not in str(error):
                raise
            return torch.load(path, map_location="cpu", weights_only=True)


def _refused(path: str, said: str) -> str:
    """A pickle that wants more than tensors, or none at all."""
    wanted = _WANTED.search(said)
    if not wanted:
        return _unreadable(path, "weights_only=True refuses it")
    return (
        f"state dict {path!r} holds an object of {wanted[1]}, which would have to run code of the "
        "file; save torch.save(model.state_dict(), FILE) where you trust it"
    )


def _unreadable(path: str, reason: str) -> str:
    return (
        f"state dict {path!r} is no readable checkpoint ({reason[:120]}); it may be damaged, or no "
        "file of torch.save or safetensors"
    )


def _state_dict(loaded: object) -> tuple[str, object]:
    """The mapping with tensors, and the key that it lies under."""
    if not isinstance(loaded, Mapping) or _has_tensors(loaded):
        return "", loaded
    keys = [key for key in _NESTINGS if key in loaded]
    keys += [key for key in loaded if key not in keys]
    for key, one in ((key, loaded[key]) for key in keys):
        if isinstance(one, Mapping) and _has_tensors(one):
            return str(key), one
    return "", None


def _has_tensors(found: Mapping[Any, Any]) -> bool:
    return any(_is_plain(one) for one in found.values())


def _is_plain(one: object) -> bool:
    """A tensor with numbers that can be computed with."""
    if not isinstance(one, Tensor) or one.layout != torch.strided:
        return False
    return not one.is_quantized and not one.is_meta


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): one for name, one in tensors.items()}
    return tensors
