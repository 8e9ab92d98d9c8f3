"""One of two sides that a gate measures: whose code, which interpreter, which settings."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CODE_PATHS", "Side"]

CODE_PATHS = (".", "src")
"""Where a checkout has its packages, unless it says otherwise."""
_BOOTSTRAP = Path(__file__).parents[1] / "side_worker.py"


@dataclass(frozen=True, kw_only=True)
class Side:
    """Where the code under test comes from. The engine is always the one that runs the gate.

    Attributes:
        what: for people, such as `commit 1a2b3c4d5e`.
        python: the interpreter, and with it torch.
        code: a checkout whose implementations are under test; None takes what is installed.
        code_paths: the folders in it that Python imports from.
        switches: settings of torch by the environment's names.
        variables: environment variables of its workers.
    """

    what: str
    python: str = sys.executable
    code: Path | None = None
    code_paths: tuple[str, ...] = CODE_PATHS
    switches: Mapping[str, bool | str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """How its workers are started: by a file, so that no folder of the engine is on the path.

        `-P` keeps the file's own folder off it (Python 3.11).
        """
        return [self.python, "-P", str(_BOOTSTRAP), *([str(self.code)] if self.code else [])]

    @property
    def python_path(self) -> str:
        """The checkout before whatever is installed, editable or not."""
        before = os.environ.get("PYTHONPATH")
        return os.pathsep.join([*self._folders(), *([before] if before else [])])

    def _folders(self) -> Sequence[str]:
        if self.code is None:
            return []
        found = (self.code / path for path in self.code_paths)
        return [str(folder) for folder in found if folder.is_dir()]
