"""Standard output and standard error whose reader may have left, such as `head`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = ["tolerate_closed_pipe"]


@contextmanager
def tolerate_closed_pipe(stream: TextIO | None = None) -> Iterator[None]:
    """What the block prints is dropped once nobody reads it, and so is all that follows.

    What is left to do, such as measuring and storing, goes on, and the exit code stays its own.

    Args:
        stream: to which the block prints; None for standard output.
    """
    stream = stream or sys.stdout
    try:
        yield
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
