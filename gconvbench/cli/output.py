"""Standard output whose reader may have left, such as `head`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tolerate_closed_pipe"]


@contextmanager
def tolerate_closed_pipe() -> Iterator[None]:
    """What the block prints is dropped once nobody reads it, and so is all that follows.

    What is left to do, such as measuring and storing, goes on, and the exit code stays its own.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
