"""Measuring time of 24 convolutions of about a millisecond: gconvbench and three other tools.

    python docs/numbers/peers.py

Every tool times the same `conv2d(x, weight, bias, padding=1, groups=g)` in one thread: gconvbench
in one round, `asv run` and `pytest --benchmark-only` with their own settings, and
`torch.utils.benchmark` until the interval of each median is as narrow as gconvbench's was. Set-up
(everything until the first measurement can begin; for asv and pytest one import of torch) and
accuracy are reported apart; all else of a command's wall time counts as measuring. The comparison
with `torch.utils.benchmark` is generous to it: of a ladder of run times only the first call that
was long enough counts, and nothing around it. All is done `--repeat` times, the tools in turn; each
figure is the median.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from common import machine_line, print_table
from convolutions import CONVOLUTIONS
from peer_tools import by_asv, by_gconvbench, by_pytest, by_torch

from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peer_tools import Measuring


OURS = "gconvbench"
BOUNDS = {"asv": 0.1, "pytest-benchmark": 0.5, "torch Timer": 1.3}
"""The largest share of each tool's measuring time that gconvbench may take."""
TOOLS = (OURS, *BOUNDS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--combinations", type=int, default=24, help="the first so many")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    names = list(CONVOLUTIONS)[: options.combinations]
    print(machine_line())
    print(f"{len(names)} convolutions, one round, {options.repeat} time(s) in turn; medians")
    _print([_once(names) for _ in range(options.repeat)], len(names))


def _once(names: Sequence[str]) -> dict[str, Measuring]:
    """Every tool once, close together."""
    with tempfile.TemporaryDirectory() as folder:

        def within(name: str) -> Path:
            inner = Path(folder) / name
            inner.mkdir()
            return inner

        ours = by_gconvbench(names, within("ours"))
        return {
            OURS: ours,
            "torch Timer": by_torch(ours.half_widths, within("torch")),
            "pytest-benchmark": by_pytest(names, within("pytest")),
            "asv": by_asv(names, within("asv")),
        }


def _print(repeats: Sequence[dict[str, Measuring]], count: int) -> None:
    columns = ("", "set-up", "accuracy", "measuring", "each", "95 %", "worst", "missed")
    print_table([columns, *(_row(tool, [r[tool] for r in repeats], count) for tool in TOOLS)])
    print("95 %: half-width of the interval of a median, the median of all and the worst;")
    print("missed: medians that did not reach the half-width that was asked for")
    print()
    verdicts = [("measuring time, gconvbench to", "ratio", "at most", "")]
    for tool, bound in BOUNDS.items():
        ratio = statistics.median(r[OURS].measuring_s / r[tool].measuring_s for r in repeats)
        verdict = "within" if ratio <= bound else "missed"
        verdicts.append((tool, f"{ratio:.3f}", f"{bound:.1f}", verdict))
    print_table(verdicts, right=(1, 2))


def _row(tool: str, found: Sequence[Measuring], count: int) -> tuple[str, ...]:
    """Medians over the repeats."""
    measuring_s = statistics.median(one.measuring_s for one in found)
    proofs_s = [one.proof_s for one in found if one.proof_s is not None]
    missed = [one.missed for one in found if one.missed is not None]
    return (
        tool,
        fmt.seconds(statistics.median(one.set_up_s for one in found)),
        fmt.seconds(statistics.median(proofs_s)) if proofs_s else "",
        fmt.seconds(measuring_s),
        fmt.seconds(measuring_s / count),
        _interval([statistics.median(one.half_widths.values()) for one in found]),
        _interval([max(one.half_widths.values()) for one in found]),
        f"{statistics.median(missed):g}" if missed else "",
    )


def _interval(half_widths: Sequence[float]) -> str:
    """The median; fewer than ten samples have no interval."""
    half_width = statistics.median(half_widths)
    return f"± {fmt.share(half_width)}" if half_width < float("inf") else "none"


if __name__ == "__main__":
    main()
