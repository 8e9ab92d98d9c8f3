"""A checkout as other tools' processes see it: on the path of Python, beside our engine."""

from __future__ import annotations

from pathlib import Path

import gconvbench
from gconvbench.errors import UsageError
from gconvbench.gate_options import GateOptions, read_gate_options

__all__ = ["code_paths_of", "python_paths"]

_ENGINE = Path(gconvbench.__file__).parent


def code_paths_of(code: Path) -> tuple[Path, ...]:
    """The folders of a checkout that Python imports from: as its gate says, or it and its `src`.

    An old commit's configuration that cannot be read says nothing.
    """
    try:
        options = read_gate_options(None, code)
    except UsageError:
        options = GateOptions()
    return options.code_paths_in(code)


def python_paths(code: Path) -> list[str]:
    """What to put on the path of a process that measures a checkout by this engine.

    A checkout of gconvbench itself is left out: its implementations reach the worker, its engine
    does not take the place of the one that is installed.
    """
    found = [path for path in code_paths_of(code) if not (path / _ENGINE.name).is_dir()]
    return [*map(str, found), str(_ENGINE.parent)]
