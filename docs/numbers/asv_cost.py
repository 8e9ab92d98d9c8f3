"""Wall time of `asv run` for 24 convolutions of about a millisecond: asv's default and our suite.

    python docs/numbers/asv_cost.py

Both are the whole command, from typing it to its end: discovery, two rounds, results on the disk.
asv's own environment (`existing`) times one benchmark, `time_forward`, in a process per convolution
and round; our suite has a fresh worker per round, proves each convolution, and has error, memory
and parameters beside the time. All is done `--repeat` times in turn; each figure is the median.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from common import machine_line, print_table
from convolutions import CONVOLUTIONS
from peer_tools import by_asv, by_suite

from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peer_tools import Measuring

STOCK, OURS = "asv's default", "gconvbench's suite"
BOUND = 0.2
"""The largest share of asv's wall time that the suite may take."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--combinations", type=int, default=24, help="the first so many")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    names = list(CONVOLUTIONS)[: options.combinations]
    print(machine_line())
    print(f"{len(names)} convolutions, {options.repeat} time(s) in turn; medians")
    _print([_once(names) for _ in range(options.repeat)], len(names))


def _once(names: Sequence[str]) -> dict[str, Measuring]:
    with tempfile.TemporaryDirectory() as folder:
        stock, ours = Path(folder) / "stock", Path(folder) / "ours"
        stock.mkdir()
        ours.mkdir()
        return {STOCK: by_asv(names, stock), OURS: by_suite(names, ours)}


def _wall_s(one: Measuring) -> float:
    return one.set_up_s + one.measuring_s


def _print(repeats: Sequence[dict[str, Measuring]], count: int) -> None:
    rows = [("", "asv run", "each", "95 %", "worst")]
    for tool in (STOCK, OURS):
        found = [repeat[tool] for repeat in repeats]
        wall_s = statistics.median(map(_wall_s, found))
        widths = [sorted(one.half_widths.values()) for one in found]
        middle = statistics.median(statistics.median(one) for one in widths)
        worst = statistics.median(one[-1] for one in widths)
        rows.append((tool, fmt.seconds(wall_s), fmt.seconds(wall_s / count),
                     fmt.half_width_text(middle), fmt.half_width_text(worst)))  # fmt: skip
    print_table(rows)
    print("95 %: half-width of the interval of a median, the median of all and the worst")
    ratio = statistics.median(_wall_s(r[OURS]) / _wall_s(r[STOCK]) for r in repeats)
    verdict = "within" if ratio <= BOUND else "missed"
    print(f"wall time, the suite to asv's default: {ratio:.3f}, at most {BOUND:g}: {verdict}")


if __name__ == "__main__":
    main()
