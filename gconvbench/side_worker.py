"""Starts the worker of one side of a gate: this engine, with the code under test from elsewhere.

Run as a file, by any interpreter: `python -P side_worker.py [CHECKOUT]`. The package `gconvbench`
is loaded from the folder of this file, without its parent on the path, where another torch may be
installed. Where the checkout is gconvbench itself, its implementations take the place of ours.
Entry points are those of the checkout's `pyproject.toml`, not those that were installed: the two
sides may name different ones, and only one of them is installed.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from types import ModuleType

__all__ = ["load_package"]


def load_package(name: str, folder: Path) -> ModuleType:
    """Load a package from exactly this folder, whatever is on the path.

    Raises:
        ImportError: it is no package.
    """
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


class _Checkout(Distribution):
    """A checkout as a distribution: its name, version and entry points.

    Args:
        folder: the checkout.
        project: the table of that name in its `pyproject.toml`.
    """

    def __init__(self, folder: Path, project: dict[str, Any]) -> None:
        self._folder = folder
        self._project = project

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            version = self._project.get("version", "0")
            return f"Metadata-Version: 2.1\nName: {self._project['name']}\nVersion: {version}\n"
        if filename == "entry_points.txt":
            groups = self._project.get("entry-points", {})
            return "\n".join(
                line
                for group, entries in groups.items()
                for line in (f"[{group}]", *(f"{name} = {one}" for name, one in entries.items()))
            )
        return None

    def locate_file(self, path: str | PathLike[str]) -> Path:
        return self._folder / path


class _Finder(DistributionFinder):
    """Finds a checkout before whatever is installed by its name."""

    def __init__(self, found: _Checkout) -> None:
        self._found = found

    def find_distributions(
        self,
        context: DistributionFinder.Context = DistributionFinder.Context(),  # noqa: B008
    ) -> Iterator[Distribution]:
        if context.name in {None, self._found.name}:
            yield self._found

    def find_spec(self, *_: object) -> None:
        """No module is found here."""


def _own_entry_points(folder: Path) -> None:
    """Let a checkout's own entry points count, where its `pyproject.toml` says which they are."""
    import tomllib  # noqa: PLC0415 (an interpreter without a checkout may be too old for it)

    try:
        table = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return
    project = table.get("project")
    if not isinstance(project, dict) or project.get("name") == "gconvbench":
        return
    groups = project.get("entry-points")  # without, another tool's table may say them
    is_said = isinstance(groups, dict) and all(isinstance(one, dict) for one in groups.values())
    if is_said and isinstance(project.get("name"), str):
        sys.meta_path.insert(0, _Finder(_Checkout(folder, project)))


def _start() -> None:
    engine = load_package("gconvbench", Path(__file__).parent)
    if len(sys.argv) > 1:
        _own_entry_points(Path(sys.argv[1]))
        folder = Path(sys.argv[1]) / "gconvbench" / "implementations"
        if (folder / "__init__.py").is_file():
            engine.implementations = load_package(  # type: ignore[attr-defined]
                "gconvbench.implementations", folder
            )
    from gconvbench.worker import main  # noqa: PLC0415 (the package is there only now)

    main()


if __name__ == "__main__":
    _start()
