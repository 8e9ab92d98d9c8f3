"""Another implementation under other settings of torch, in worker processes of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from gconvbench.implementations.combinator import Combinator
from gconvbench.switches import setting_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Implementation

__all__ = ["InMode"]

_DEPTHWISE = "cudnn_depthwise_kernel"


class InMode(Combinator):
    """The same code in a process that was set up differently from its start.

    One process cannot compare them: what cuDNN has chosen for a problem it keeps, per thread, and
    the key that it finds it by says nothing of `cudnn_benchmark` (PyTorch, Conv_v8.cpp).

    Args:
        inner: what to measure.
        suffix: of its name.
        modes: the settings, by the environment's names (`switches.SWITCHES`).
    """

    on_request = True

    def __init__(self, inner: Implementation, suffix: str, modes: Mapping[str, bool | str]) -> None:
        super().__init__(inner)
        settings = ", ".join(setting_text(*one) for one in modes.items())
        self.modes = MappingProxyType(dict(modes))
        self.name = f"{inner.name}_{suffix}"
        self.idea = f"{inner.name} with {settings}, in processes of its own"

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """A setting that torch lacks or that changes nothing there; or what the inner one lacks."""
        reasons = (_why_void(name, case, device) for name in self.modes)
        return next(filter(None, reasons), None) or super().why_unsupported(case, device)


def _why_void(name: str, case: Case, device: str) -> str | None:
    """The reason why a setting does nothing here, or None where it may."""
    library = name.partition("_")[0]
    if library in {"cudnn", "onednn"} and (library == "cudnn") == (device == "cpu"):
        return f"{name} is a setting of {'CUDA devices' if library == 'cudnn' else 'the CPU'}"
    if library == "onednn" and not torch.backends.mkldnn.is_available():
        return "this torch is built without oneDNN"
    return _why_no_choice(case) if name == _DEPTHWISE else None


def _why_no_choice(case: Case) -> str | None:
    """The same of a choice that depthwise layers alone have (PyTorch, `is_depthwise`)."""
    if not hasattr(torch.backends.cudnn, "depthwise_kernel"):
        return f"torch {torch.__version__} has no torch.backends.cudnn.depthwise_kernel"
    channels = case.in_channels
    if channels != case.groups or channels == 1:
        return f"in_channels ({channels}) must equal groups ({case.groups}), and be more than 1"
    return None
