"""oneDNN's kernels, from the lines that it writes on demand about what it executes."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from torch.backends import mkldnn

from gconvbench.dispatch.executions import Execution

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["kernels"]

_VERBOSE = b"onednn_verbose,"
_VERBOSE_VARIABLES = ("ONEDNN_VERBOSE", "DNNL_VERBOSE", "MKLDNN_VERBOSE")
"""Whoever sets one of these wants to read oneDNN's lines (oneDNN, "Verbose Mode")."""
_STDOUT = 1


@contextmanager
def kernels(found: list[list[Execution]]) -> Iterator[None]:
    """Appends what ran, once, or nothing where oneDNN's lines are not to be had."""
    if not mkldnn.is_available() or any(map(os.environ.get, _VERBOSE_VARIABLES)):
        yield
        return
    lines: list[bytes] = []
    with ExitStack() as stack:
        # OSError: there is no standard output; AssertionError: oneDNN cannot be set
        try:
            stack.enter_context(_printed(lines))
            stack.enter_context(mkldnn.verbose(mkldnn.VERBOSE_ON))
            is_told = True
        except (OSError, AssertionError):
            is_told = False
        yield
    if is_told:
        found.append([one for one in map(_execution, lines) if one])


@contextmanager
def _printed(found: list[bytes]) -> Iterator[None]:
    """The lines that oneDNN writes to standard output meanwhile; all others are passed on."""
    os.fstat(_STDOUT)  # there is one
    with tempfile.TemporaryFile() as file:
        _flush()
        kept = os.dup(_STDOUT)
        os.dup2(file.fileno(), _STDOUT)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, _STDOUT)
            os.close(kept)
            file.seek(0)
            parts = [line.partition(_VERBOSE) for line in file]
            found += (told for _, begin, told in parts if begin)
            with suppress(OSError), open(_STDOUT, "wb", closefd=False) as out:
                out.writelines(before for before, _, _ in parts)  # a whole line without a `begin`


def _flush() -> None:
    with suppress(ValueError):  # Python's side of it may be closed
        print(end="", flush=True)


def _execution(line: bytes) -> Execution | None:
    """Of a line about an execution; of others None.

    `v1,primitive,exec,cpu,convolution,jit:avx512_core,...,0.0109` follows `_VERBOSE`: the fields
    before `exec` are not the same in all versions; after it stand engine, primitive and
    implementation, and at the end the time in milliseconds (oneDNN, "Verbose Mode").
    """
    _, executed, about = f",{line.decode(errors='replace')}".partition(",exec,")
    if not executed:
        return None
    _, primitive, implementation, *_ = [*about.split(","), "", "", ""]
    fields = about.rstrip().split(",")
    time_s = None
    with suppress(ValueError):
        time_s = float(fields[-1]) / 1e3
    return Execution(f"onednn::{primitive}({implementation})", time_s)
