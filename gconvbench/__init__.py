"""Benchmarking and regression-testing grouped 2-D convolution in PyTorch on a single GPU."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gconvbench.explained import LayerExplained, explain
    from gconvbench.notebook import BenchTable, bench
    from gconvbench.report.frame import load

__version__ = "0.1.0"
__all__ = ["BenchTable", "LayerExplained", "__version__", "bench", "explain", "load"]

if not TYPE_CHECKING:
    _MODULES = {
        "BenchTable": "gconvbench.notebook",
        "LayerExplained": "gconvbench.explained",
        "bench": "gconvbench.notebook",
        "explain": "gconvbench.explained",
        "load": "gconvbench.report.frame",
    }

    def __getattr__(name: str) -> object:
        """Import torch and pandas on first use (PEP 562), so that `import gconvbench` does not."""
        module = _MODULES.get(name)
        if module is not None:
            import random  # noqa: PLC0415 (not needed before)

            state = random.getstate()
            found = import_module(module)
            random.setstate(state)  # importing rich draws a number
            return getattr(found, name)
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
