"""A process in which Triton interprets its kernels, and what asks it.

Triton decides as it is imported whether it compiles or interprets, so the process of the tests,
where others may have imported it, cannot do both. Run as a program, it answers one line with one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FAULTS", "Interpreter", "interpreter"]

_ROOT = Path(__file__).parents[1]
FAULTS = ("padding", "group", "order", "sum")
"""What can be planted: padding of one pixel less above, each group reading its neighbour's input,
a shuffle left out, and the last part of a gradient forgotten."""


class Interpreter:
    """The other process.

    Args:
        process: a started one.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, case: str, **options: Any) -> dict[str, Any]:
        """What it found of one case; `options` as of `_answer`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"case": case, **options}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the interpreter's process has ended; see its standard error"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def interpreter() -> Iterator[Interpreter]:
    """A process that lives as long as the block."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.interpreted"],
        cwd=_ROOT,
        env=os.environ | threads | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Interpreter(process)
        assert process.stdin is not None
        process.stdin.close()


def _answer(case: str, *, turn: int = 0, fault: str = "", what: str = "proof") -> dict[str, Any]:
    """Try the case's implementation.

    Args:
        case: its id.
        turn: which of the tiles to take, counted round; odd ones have 64-bit offsets.
        fault: one of `FAULTS` to plant.
        what: the whole `proof`, only the `integers` that must be exact, or operands in other
            `layouts` and whether output and input gradient keep the memory format.
    """
    import pytest  # noqa: PLC0415 (the rest is for the other process alone)

    from gconvbench.accuracy import steadiness as repeating  # noqa: PLC0415
    from gconvbench.cases import parse_case  # noqa: PLC0415
    from gconvbench.implementations import BUILT_IN, triton_arguments  # noqa: PLC0415
    from gconvbench.implementations import triton_convolution as ours  # noqa: PLC0415

    problem = parse_case(case)
    name = "triton_fused_shuffle" if problem.shuffles else "triton_implicit_gemm"
    (way,) = (one for one in BUILT_IN if one.name == name)
    assert way.why_unsupported(problem, "cpu") is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeating, "_MOST_REPEATS", 2)  # one program after the other cannot race
        patch.setattr(ours, "tuned", lambda _key, tiles, _launch: tiles[turn % len(tiles)])
        if turn % 2:
            patch.setattr(triton_arguments, "OFFSETS", 1)
        _plant(patch, ours, fault)
        return {"proof": _proof, "integers": _integers, "layouts": _layouts}[what](way, problem)


def _proof(way: Any, case: Any) -> dict[str, Any]:
    from gconvbench.accuracy import Proof, prove  # noqa: PLC0415

    accuracy = prove(way, Proof.of(case, device="cpu", seed=0))
    exact = sorted({one.exact for one in accuracy.tensors})
    return {"faults": accuracy.faults, "flow": accuracy.flow, "exact": exact}


def _integers(way: Any, case: Any) -> dict[str, Any]:
    from gconvbench.accuracy import exact_verdicts, integer_checks  # noqa: PLC0415

    verdicts = exact_verdicts(way, case, integer_checks(case, seed=0, device="cpu"))
    return {"exact": sorted(set(verdicts.values()))}


def _layouts(way: Any, case: Any) -> dict[str, Any]:
    from gconvbench.accuracy import Proof  # noqa: PLC0415
    from gconvbench.accuracy.layouts import check_layouts  # noqa: PLC0415
    from gconvbench.implementations import MEMORY_FORMATS  # noqa: PLC0415

    proof = Proof.of(case, device="cpu", seed=0)
    memory_format = MEMORY_FORMATS[case.memory_format]
    kept = [
        one.is_contiguous(memory_format=memory_format)
        for one in way.launch(case, proof.operands.copy())()[:2]
    ]
    return {"layouts": check_layouts(way, proof), "keeps_memory_format": kept}


def _plant(patch: Any, ours: Any, fault: str) -> None:
    if fault == "padding":
        forward = ours._way_forward
        patch.setattr(ours, "_way_forward", lambda case: _one_less(forward(case)))
    elif fault == "group":
        gather = ours._gather

        def shifted(case: Any, name: str, source: Any, *others: Any) -> None:
            gather(case, name, source.roll(1, dims=1), *others)

        patch.setattr(ours, "_gather", shifted)
    elif fault == "order":
        by_group = ours._by_group
        patch.setattr(ours, "_by_group", lambda tensor, groups, **_: by_group(tensor, groups))
    elif fault == "sum":
        split = ours._split

        def short(blocks: int, *others: Any) -> tuple[int, int]:
            count, each = split(blocks, *others)
            return count - 1, each

        patch.setattr(ours, "_split", short)


def _one_less(way: Any) -> Any:
    down, right = way.start
    return way._replace(start=(down + 1, right))


def _serve() -> None:
    """Answer until the questions end."""
    import torch  # noqa: PLC0415
    from triton.language.semantic import TritonSemantic  # noqa: PLC0415

    torch.set_num_threads(1)
    # Each sum of indices is done twice otherwise; these are small.
    TritonSemantic.binary_op_sanitize_overflow_impl = lambda *_: None
    for line in sys.stdin:
        print(json.dumps(_answer(**json.loads(line))), flush=True)


if __name__ == "__main__":
    _serve()
