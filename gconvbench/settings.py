"""The settings of a process that measuring changes, kept for a process that is somebody else's."""

from __future__ import annotations

import gc
import random
import sys
import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["preserved_settings"]


class _Setting(NamedTuple):
    """How to read and to write one setting."""

    read: Callable[[], Any]
    write: Callable[[Any], object]


@contextmanager
def preserved_settings(device: str) -> Iterator[None]:
    """Within the block the settings are those of a fresh process; after it, what they were before.

    Covers whatever `device` and the proof set, the states of random numbers, the garbage collector
    and the filters of warnings. What else an implementation does to the process is its own doing.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_preserved_random_states(device))
        for setting in _settings(device):
            stack.callback(_restore, setting, _value(setting))
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.autograd.set_detect_anomaly(mode=False))
        _use_full_precision()
        yield


@contextmanager
def _preserved_random_states(device: str) -> Iterator[None]:
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global one is the point)
    try:
        with torch.random.fork_rng(devices=[] if device == "cpu" else [device]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def _value(setting: _Setting) -> Any:  # noqa: ANN401 (settings are of any type)
    """The value, or the setting itself where PyTorch refuses to name it.

    It does where a program mixed its two interfaces to the precision of products; what was set by
    the newer one is restored by that.
    """
    try:
        return setting.read()
    except RuntimeError:
        return setting


def _restore(setting: _Setting, before: Any) -> None:  # noqa: ANN401
    """Write what differs only: to write the same value can have effects, too."""
    if before is not setting and _value(setting) != before:
        setting.write(before)


def _settings(device: str) -> Iterator[_Setting]:
    yield _Setting(gc.isenabled, lambda on: gc.enable() if on else gc.disable())
    yield _Setting(torch.get_num_threads, torch.set_num_threads)
    yield _Setting(torch.get_default_dtype, torch.set_default_dtype)
    yield _Setting(_default_device, torch.set_default_device)
    yield _Setting(_flushes_denormals, torch.set_flush_denormal)
    for kind in ("cpu", "cuda"):
        yield _autocast(kind)
    yield _Setting(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode)
    yield _attribute(torch.utils.deterministic, "fill_uninitialized_memory")
    yield _attribute(torch.backends.mkldnn, "enabled")
    for name in ("enabled", "benchmark", "deterministic"):
        yield _attribute(torch.backends.cudnn, name)
    if hasattr(torch.backends.cudnn, "depthwise_kernel"):
        yield _attribute(torch.backends.cudnn, "depthwise_kernel")
    yield from _precisions()
    if dynamo := sys.modules.get("torch._dynamo"):
        yield _attribute(dynamo.config, "fail_on_recompile_limit_hit")
    if device != "cpu":
        yield _Setting(torch.cuda.current_device, torch.cuda.set_device)
    yield _Setting(torch.is_grad_enabled, torch.set_grad_enabled)


def _precisions() -> Iterator[_Setting]:
    """The older interface comes last: it is restored first, since it writes to the newer one."""
    cudnn: Any = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    if _has_newer_interface():
        mkldnn: Any = torch.backends.mkldnn
        for owner in (cudnn.conv, matmul, mkldnn.conv, mkldnn.matmul):
            yield _attribute(owner, "fp32_precision")
    else:
        yield _attribute(cudnn, "allow_tf32")
        yield _attribute(matmul, "allow_tf32")
    yield _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision)


def _has_newer_interface() -> bool:
    return hasattr(getattr(torch.backends.cudnn, "conv", None), "fp32_precision")


def _use_full_precision() -> None:
    torch.set_float32_matmul_precision("highest")
    if _has_newer_interface():
        mkldnn: Any = torch.backends.mkldnn
        mkldnn.conv.fp32_precision = "ieee"


def _attribute(owner: Any, name: str) -> _Setting:  # noqa: ANN401 (modules and their like)
    return _Setting(lambda: getattr(owner, name), lambda value: setattr(owner, name, value))


def _autocast(kind: str) -> _Setting:
    return _Setting(
        lambda: torch.is_autocast_enabled(kind), lambda on: torch.set_autocast_enabled(kind, on)
    )


def _default_device() -> torch.device | None:
    """What `set_default_device` was given.

    `get_default_device` does not tell nothing from the CPU, which slows down every call.
    """
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)  # noqa: SLF001
    return context.device if context else None


def _flushes_denormals() -> bool:
    """Whether arithmetic flushes denormal numbers to zero, which nothing in PyTorch tells."""
    return sys.float_info.min / 2 == 0
