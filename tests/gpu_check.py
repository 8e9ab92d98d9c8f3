"""All that needs a card, in order and within ten minutes: `make gpu-check`.

The instrument first, then what only a card can show, then its ceilings and three sweeps; runs and
documents are stored below `results/runs/`. Needs no network, and no more of pytest than pytest.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMIT_S = 600.0
NEEDED = (
    "jinja2", "msgspec", "numpy", "pandas", "plotly", "pynvml", "pytest", "rich", "safetensors",
    "scipy", "torch", "typer",
)  # fmt: skip
"""What is imported on the way; a machine without a network may lack some."""

_GCONVBENCH = ("-m", "gconvbench")
_PYTEST = (
    "-m", "pytest", "-m", "gpu", "tests/gpu", "-q", "-ra", "-p", "no:cacheprovider",
    "-o", "addopts=", "-o", "filterwarnings=",  # which name plugins that need not be there
)  # fmt: skip
_LEFT_OUT = 124
"""The exit code of what had no time, as of timeout(1)."""


class Step(NamedTuple):
    """One command: its name, the interpreter's arguments, and the most that it may take."""

    name: str
    arguments: tuple[str, ...]
    limit_s: float


STEPS = (
    Step("doctor", (*_GCONVBENCH, "doctor", "--device", "cuda"), 60),
    Step("gpu tests", _PYTEST, 200),
    Step("roofline", (*_GCONVBENCH, "roofline", "--device", "cuda"), 40),
    Step(
        "forum",
        (*_GCONVBENCH, "run", "--sweep", "forum", "--device", "cuda", "--budget", "120s"),
        160,
    ),
    Step(
        "quick",
        (
            *(*_GCONVBENCH, "run", "--sweep", "quick", "--device", "cuda", "--budget", "110s"),
            *("--aa", "native", "--implementation", "default,triton_*"),
        ),
        150,
    ),
    Step(
        "groups",
        (
            *(*_GCONVBENCH, "run", "--sweep", "groups", "--device", "cuda", "--budget", "100s"),
            *("--implementation", "native,split_concat,triton_implicit_gemm"),
        ),
        140,
    ),
)


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
    print(f"== {step.name}", flush=True)
    start = time.monotonic()
    try:
        code = subprocess.run(
            [sys.executable, *step.arguments], check=False, timeout=limit_s
        ).returncode
    except subprocess.TimeoutExpired:
        code = _LEFT_OUT
    print(f"== {step.name}: exit code {code}, {time.monotonic() - start:.0f} s", flush=True)
    return code


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
