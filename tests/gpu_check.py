"""All that needs a card, in order and within ten minutes: `make gpu-check`.

The instrument first, then what only a card can show, then its ceilings and three sweeps; runs and
documents are stored below `results/runs/`. Needs no network, and no more of pytest than pytest.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMIT_S = 600.0
NEEDED = ("msgspec", "numpy", "pynvml", "pytest", "rich", "scipy", "torch", "typer")
"""What is imported on the way; a machine without a network may lack some."""

_GCONVBENCH = ("-m", "gconvbench")
_PYTEST = (
    "-m", "pytest", "tests/gpu", "-q", "-ra", "-p", "no:cacheprovider",
    "-o", "addopts=", "-o", "filterwarnings=",  # which name plugins that need not be there
)  # fmt: skip
_SHARDS = max(1, min(8, (os.cpu_count() or 1) // 2))
"""Most of the tests compile for the card, each on one core of the host."""
_LEFT_OUT = 124
"""The exit code of what had no time, as of timeout(1)."""


class Step(NamedTuple):
    """One command, or the same in several processes at a time.

    Attributes:
        name: of it.
        arguments: of the interpreter.
        limit_s: the most that it may take.
        shards: processes, each of which has `SHARD` to know its part by.
    """

    name: str
    arguments: tuple[str, ...]
    limit_s: float
    shards: int = 1


_RUN = (*_GCONVBENCH, "run", "--device", "cuda", "--sweep")
STEPS = (
    Step("doctor", (*_GCONVBENCH, "doctor", "--device", "cuda"), 80),
    Step("gpu tests alone", (*_PYTEST, "-m", "gpu and alone"), 60),
    Step("gpu tests", (*_PYTEST, "-m", "gpu and not alone"), 120, _SHARDS),
    Step("roofline", (*_GCONVBENCH, "roofline", "--device", "cuda"), 30),
    Step("forum", (*_RUN, "forum", "--budget", "90s"), 115),
    Step(
        "quick",
        (*_RUN, "quick", "--budget", "85s", "--cache", "cold,hot", "--aa", "native"),
        110,
    ),
    Step(
        "groups",
        (*_RUN, "groups", "--budget", "60s", "--cache", "cold,hot",
         "--implementation", "native,split_concat"),
        85,
    ),
)  # fmt: skip
"""Four views in `forum`, two elsewhere. Own kernels are tried by the tests alone: to compile them
for each of hundreds of cases would take longer than everything else."""
_GRACE_S = 10.0
"""For a command that is interrupted to store and say what it has."""


def why_not(python: str) -> str | None:
    """One line where this machine cannot do it, else None."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"{python} lacks {', '.join(missing)}; install them, or name another PYTHON="
    import torch  # noqa: PLC0415 (it may be missing)

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} of {python} finds no CUDA device; nothing was checked"
    return None


def carry_out(
    steps: Sequence[Step],
    *,
    run: Callable[[Step, float], int],
    now: Callable[[], float] = time.monotonic,
) -> dict[str, int]:
    """The exit code of each step; whatever has no time left is not begun.

    Args:
        steps: in order.
        run: does one within so many seconds, and returns its exit code.
        now: a monotonic clock in seconds.
    """
    end = now() + LIMIT_S
    codes = {}
    for step in steps:
        left_s = min(step.limit_s, end - now())
        codes[step.name] = run(step, left_s) if left_s > 0 else _LEFT_OUT
    return codes


def _run(step: Step, limit_s: float) -> int:
    """The highest exit code of its processes, whose output follows one after the other."""
    print(f"== {step.name}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, str(number)) for number in range(step.shards)]
        started = [_start(step, number, output) for number, output in enumerate(outputs)]
        codes = [_code(process, start + limit_s - time.monotonic()) for process in started]
        if step.shards > 1:
            sys.stdout.writelines(output.read_text("utf-8", "replace") for output in outputs)
    print(f"== {step.name}: exit code {max(codes)}, {time.monotonic() - start:.0f} s", flush=True)
    return max(codes)


def _start(step: Step, number: int, output: Path) -> subprocess.Popen[bytes]:
    """One of its processes; where it is the only one, what it says is seen at once."""
    command = [sys.executable, *step.arguments]
    if step.shards == 1:
        return subprocess.Popen(command)
    part = {"SHARD": f"{number}/{step.shards}"}
    with output.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | part)


def _code(process: subprocess.Popen[bytes], limit_s: float) -> int:
    try:
        return process.wait(max(0.0, limit_s))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return _LEFT_OUT


def main() -> int:
    """Do everything, even after a failure; 0 where all went well, 2 without a card, else 1."""
    if reason := why_not(sys.executable):
        print(f"gpu-check: {reason}", file=sys.stderr)
        return 2
    codes = carry_out(STEPS, run=_run)
    failed = [f"{name} ({code})" for name, code in codes.items() if code]
    print(f"failed: {', '.join(failed)}" if failed else "all of it passed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
