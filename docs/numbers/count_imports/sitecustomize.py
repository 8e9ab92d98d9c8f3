"""Notes each process that imports torch in the file TORCH_IMPORTS; Python imports this first."""

import importlib.abc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class Counter(importlib.abc.MetaPathFinder):
    """Finds nothing; is asked for whatever is about to be imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 (the protocol's)
        target: ModuleType | None = None,  # noqa: ARG002
        /,
    ) -> None:
        """Note it if it is torch."""
        if fullname == "torch":
            with Path(os.environ["TORCH_IMPORTS"]).open("a") as file:
                file.write(f"{os.getpid()}\n")


sys.meta_path.insert(0, Counter())
