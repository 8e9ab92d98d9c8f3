"""Which of PyTorch's backends each convolution of a launch is given to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["backends_of"]

_FORWARD = torch.ops.aten.convolution.default
_BACKWARD = torch.ops.aten.convolution_backward.default


def backends_of(launch: Callable[[], object], synchronize: Callable[[], object]) -> tuple[str, ...]:
    """Names such as `Cudnn`, `CudaDepthwise2d` or `Mkldnn`, each once in order of first use.

    By the question that PyTorch's own dispatch asks, which is private: where it is gone, none.
    Nor are convolutions seen that are launched from compiled code or a CUDA graph.

    Args:
        launch: to be looked at; runs once.
        synchronize: waits for the device.
    """
    if getattr(torch._C, "_select_conv_backend", None) is None:  # noqa: SLF001
        return ()
    with _Listening() as listening:
        launch()
    synchronize()
    return tuple(dict.fromkeys(listening.backends))


class _Listening(TorchDispatchMode):
    """Asks for the backend of each convolution that passes by."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.backends: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if func is _FORWARD:
            self._note(*args)
        elif func is _BACKWARD:
            _, x, weight, bias_sizes, *how = args
            self._note(x, weight, None, *how[:6], bias_sizes)
        return func(*args, **(kwargs or {}))

    def _note(self, *arguments: Any) -> None:  # noqa: ANN401
        try:
            backend = torch._C._select_conv_backend(*arguments)  # noqa: SLF001
        except (RuntimeError, TypeError):  # it is private, and may ask for something else one day
            return
        self.backends.append(backend.name)
