"""A process that answers asv's requests for our suites, one after the other, without torch.

Run as `python -m gconvbench.adapters.asv_host` by the asv plugin. Each line on standard input is a
command line of asv's own runner script; each has one reply, `{"code": ..., "out": ...}`. A request
for a benchmark that is no `Suite` is answered with `null`: it gets the process that asv gives it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import runpy
import sys
import traceback
from pathlib import Path

import msgspec

from gconvbench.adapters.asv_messages import UNFIT, Reply, Request
from gconvbench.adapters.asv_suite import TRACKS, Suite
from gconvbench.errors import GconvbenchError, InstrumentError
from gconvbench.side_worker import load_package

__all__ = ["answer", "is_ours", "main"]


def is_ours(suite: Path, benchmark: str) -> bool:
    """Whether a benchmark such as `convolution.Fprop.track_time-3` is one of a `Suite`.

    Args:
        suite: the folder of the benchmarks, a package.
        benchmark: asv's name of it.
    """
    owner, _, track = benchmark.partition("-")[0].rpartition(".")
    module, _, name = owner.rpartition(".")
    if track not in TRACKS:
        return False
    try:
        found = importlib.import_module(".".join(filter(None, (_package(suite), module))))
    except BaseException:  # noqa: BLE001 (asv shows what it says, in a process of its own)
        return False
    kind = getattr(found, name, None)
    return isinstance(kind, type) and issubclass(kind, Suite)


def _package(folder: Path) -> str:
    """Import a package from exactly this folder; returns its name."""
    if folder.name not in sys.modules:
        load_package(folder.name, folder)
    return folder.name


def answer(request: Request) -> Reply | None:
    """Do what the script would have done in a process of its own; None of what is not ours."""
    script, _, suite, benchmark, *_ = request.arguments
    if not is_ours(Path(suite), benchmark):
        return None
    said = io.StringIO()
    before = sys.argv, list(sys.path), list(sys.meta_path)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        os.chdir(request.folder)
        sys.argv = list(request.arguments)
        try:
            runpy.run_path(script, run_name="__main__")
            code = 0
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        except GconvbenchError as error:
            print(f"gconvbench: {error}")
            code = UNFIT if isinstance(error, InstrumentError) else 1
        except BaseException:  # noqa: BLE001 (as the interpreter would)
            traceback.print_exc()
            code = 1
        finally:
            sys.argv, sys.path[:], sys.meta_path[:] = before
            os.chdir("/")
    return Reply(code, said.getvalue())


def main() -> None:
    """Answer until standard input ends."""
    pipe = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with os.fdopen(pipe, "wb") as replies:
        for line in iter(sys.stdin.buffer.readline, b""):
            replies.write(msgspec.json.encode(answer(msgspec.json.decode(line, type=Request))))
            replies.write(b"\n")
            replies.flush()


if __name__ == "__main__":
    main()
