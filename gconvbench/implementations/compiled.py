"""`torch.compile` around another implementation."""

from __future__ import annotations

import importlib.util
import os
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from gconvbench.implementations.base import Implementation
from gconvbench.implementations.combinator import Combinator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Launch, Operands

__all__ = ["Compiled"]

_OPERATIONS = ("conv", "conv_shuffle")
"""What `forward` computes by itself; layers behind a shuffle would stay eager."""


_OLDEST = (7, 0)
"""Compute capability that Triton generates code for (Inductor, `GPUTooOldForTriton`)."""
_KEPT = 4
"""Compiled cases: the one that is timed, and what it is proved by beside it."""


class Compiled(Combinator):
    """Inductor's code for the forward pass and, through autograd, for the gradients.

    Each case is compiled from scratch, as a whole (`fullgraph`), and a launch is handed out only
    after the compiler was seen to have been called: dynamo otherwise falls back to eager execution
    with nothing but a warning, for instance after too many recompilations. It counts them by code
    object, so each case has one of its own.

    Args:
        inner: what to compile.
    """

    on_request = True
    is_compiled = True

    def __init__(self, inner: Implementation) -> None:
        super().__init__(inner)
        self._functions: dict[Case, Callable[..., Tensor]] = {}
        self._compiled: set[Case] = set()
        self.name = f"compiled_{inner.name}"
        self.idea = f"torch.compile of {inner.name}"
        self.operations = tuple(one for one in inner.operations if one in _OPERATIONS)

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """What the inner one cannot do, or that there is no compiler."""
        return super().why_unsupported(case, device) or _why_no_compiler(device)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The compiled function of this case."""
        function = self._functions.get(case) or self._function_of(case)
        return function(x, weight, bias)

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        """Compiled by its first call, which is made here.

        Raises:
            RuntimeError: nothing was compiled.
        """
        from torch import _dynamo  # noqa: PLC0415 (slow to import, for all who do not compile)

        _dynamo.config.fail_on_recompile_limit_hit = True
        launch = Implementation.launch_prepared(self, case, ready)  # of this forward
        launch()
        if case not in self._compiled:
            message = "torch.compile did not compile this case"
            raise RuntimeError(message)
        return launch

    def _function_of(self, case: Case) -> Callable[..., Tensor]:
        if len(self._functions) == _KEPT:
            oldest = next(iter(self._functions))
            del self._functions[oldest]
            self._compiled.discard(oldest)

        def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return self.inner.forward(case, x, weight, bias)

        def backend(graph: Any, inputs: Any) -> Any:  # noqa: ANN401 (dynamo's own types)
            self._compiled.add(case)
            return self._backend(graph, inputs)

        forward.__code__ = forward.__code__.replace()
        self._functions[case] = torch.compile(
            forward, fullgraph=True, dynamic=False, backend=backend
        )
        return self._functions[case]

    def _backend(self, graph: Any, inputs: Any) -> Any:  # noqa: ANN401
        """Inductor."""
        from torch import _dynamo  # noqa: PLC0415

        return _dynamo.lookup_backend("inductor")(graph, inputs)


@lru_cache
def _why_no_compiler(device: str) -> str | None:
    """The reason why Inductor cannot generate code for the device, or None.

    On the CPU it calls a C++ compiler (`CXX`, else g++), on CUDA Triton, which needs a C compiler.
    """
    if device != "cpu" and importlib.util.find_spec("triton") is None:
        return "torch.compile needs Triton on CUDA, which is not installed"
    if device != "cpu" and (found := torch.cuda.get_device_capability(device)) < _OLDEST:
        needed, there = (".".join(map(str, one)) for one in (_OLDEST, found))
        return f"torch.compile needs compute capability {needed} on CUDA, the device has {there}"
    language, variable, usual = (
        ("C++", "CXX", ("g++",)) if device == "cpu" else ("C", "CC", ("gcc", "clang", "cc"))
    )
    names = (os.environ[variable],) if os.environ.get(variable) else usual
    if any(shutil.which(name) for name in names):
        return None
    return f"torch.compile needs a {language} compiler; none of {', '.join(names)} is found"
