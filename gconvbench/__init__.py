"""Benchmarking and regression-testing grouped 2-D convolution in PyTorch on a single GPU."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gconvbench.notebook import BenchTable, bench

__version__ = "0.1.0"
__all__ = ["BenchTable", "__version__", "bench"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import what needs torch on first use (PEP 562), so that `import gconvbench` does not."""
        if name in {"BenchTable", "bench"}:
            import random  # noqa: PLC0415 (not needed before)

            state = random.getstate()
            notebook = import_module("gconvbench.notebook")
            random.setstate(state)  # importing rich draws a number
            return getattr(notebook, name)
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
