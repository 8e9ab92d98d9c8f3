"""Starts the worker of one side of a gate: this engine, with the code under test from elsewhere.

Run as a file, by any interpreter: `python -P side_worker.py [CHECKOUT]`. The package `gconvbench`
is loaded from the folder of this file, without its parent on the path, where another torch may be
installed. Where the checkout is gconvbench itself, its implementations take the place of ours.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__: list[str] = []


def _load_package(name: str, folder: Path) -> ModuleType:
    """Load a package from exactly this folder, whatever is on the path."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        message = f"{name} cannot be loaded"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _start() -> None:
    engine = _load_package("gconvbench", Path(__file__).parent)
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1]) / "gconvbench" / "implementations"
        if (folder / "__init__.py").is_file():
            engine.implementations = _load_package(  # type: ignore[attr-defined]
                "gconvbench.implementations", folder
            )
    from gconvbench.worker import main  # noqa: PLC0415 (the package is there only now)

    main()


if __name__ == "__main__":
    _start()
