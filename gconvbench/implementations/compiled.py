"""`torch.compile` around another implementation."""

from __future__ import annotations

import importlib.util
import os
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from gconvbench.implementations.base import Implementation

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Launch, Operands

__all__ = ["Compiled"]

_OPERATIONS = ("conv", "conv_shuffle")
"""What `forward` computes by itself; layers behind a shuffle would stay eager."""


class Compiled(Implementation):
    """Inductor's code for the forward pass and, through autograd, for the gradients.

    Each case is compiled from scratch, as a whole (`fullgraph`), and a launch is handed out only
    after the compiler was seen to have been called: dynamo otherwise falls back to eager execution
    with nothing but a warning, for instance after too many recompilations.

    Args:
        inner: what to compile.
    """

    on_request = True
    is_compiled = True

    def __init__(self, inner: Implementation) -> None:
        self._inner = inner
        self._case: Case | None = None
        self._compiled: Callable[..., Tensor] = inner.forward
        self._graphs = 0
        self.name = f"compiled_{inner.name}"
        self.idea = f"torch.compile of {inner.name}"
        self.operations = tuple(one for one in inner.operations if one in _OPERATIONS)

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """What the inner one cannot do, or that there is no compiler."""
        return self._inner.why_unsupported(case, device) or _why_no_compiler(device)

    def executed_flops(self, case: Case) -> int:
        """As the inner one."""
        return self._inner.executed_flops(case)

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        """As the inner one: fusing never rounds more often."""
        return self._inner.roundings(case, tensor, device)

    def prepare(self, case: Case, operands: Operands) -> Operands:
        """As the inner one."""
        return self._inner.prepare(case, operands)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The compiled function of this case."""
        if case != self._case:
            self._reset(case)
        return self._compiled(x, weight, bias)

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        """Compiled by its first call, which is made here.

        Raises:
            RuntimeError: nothing was compiled.
        """
        launch = super().launch_prepared(case, ready)
        launch()
        if not self._graphs:
            message = "torch.compile did not compile this case"
            raise RuntimeError(message)
        return launch

    def _reset(self, case: Case) -> None:
        from torch import _dynamo  # noqa: PLC0415 (slow to import, for all who do not compile)

        torch.compiler.reset()
        _dynamo.config.fail_on_recompile_limit_hit = True
        self._graphs, self._case = 0, case

        def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return self._inner.forward(case, x, weight, bias)

        self._compiled = torch.compile(
            forward, fullgraph=True, dynamic=False, backend=self._backend
        )

    def _backend(self, graph: Any, inputs: Any) -> Any:  # noqa: ANN401 (dynamo's own types)
        """Inductor, and a note that it was asked."""
        from torch import _dynamo  # noqa: PLC0415

        self._graphs += 1
        return _dynamo.lookup_backend("inductor")(graph, inputs)


@lru_cache
def _why_no_compiler(device: str) -> str | None:
    """The reason why Inductor cannot generate code for the device, or None.

    On the CPU it calls a C++ compiler (`CXX`, else g++), on CUDA Triton, which needs a C compiler.
    """
    if device != "cpu" and importlib.util.find_spec("triton") is None:
        return "torch.compile needs Triton on CUDA, which is not installed"
    language, variable, usual = (
        ("C++", "CXX", ("g++",)) if device == "cpu" else ("C", "CC", ("gcc", "clang", "cc"))
    )
    names = (os.environ[variable],) if os.environ.get(variable) else usual
    if any(shutil.which(name) for name in names):
        return None
    return f"torch.compile needs a {language} compiler; none of {', '.join(names)} is found"
