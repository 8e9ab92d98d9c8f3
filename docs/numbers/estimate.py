"""How well does `gconvbench list` know how long a run takes?

    python docs/numbers/estimate.py

On a machine that has seen nothing yet, the first sweep is estimated from assumptions and run. After
that one run every sweep is estimated once more, just before it runs: the same sweep again, the
others with most of their jobs never seen. The ratio is what happened over what was estimated.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from common import machine_line, print_table, run, sweep

from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

FACTOR = 1.5
"""An estimate may be off by this, either way, after one run."""
WAYS = "native,split_concat,im2col_bmm"
SWEEPS: dict[str, tuple[str, ...]] = {
    "quick, first": ("--sweep", "quick"),
    "quick, again": ("--sweep", "quick"),
    "forum": ("--sweep", "forum", "--implementation", WAYS),
    "groups": ("--sweep", "groups", "--rounds", "1", "--implementation", WAYS),
}
"""What is run, in this order."""


def main() -> None:
    """Estimate, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", action="append", metavar="OPTIONS", help="options of a run to estimate instead"
    )
    asked = parser.parse_args().run
    sweeps = {one: tuple(one.split()) for one in asked} if asked else SWEEPS
    print(machine_line())
    rows = [["sweep", "jobs", "seen before", "estimated", "taken", "ratio", f"within {FACTOR:g}"]]
    with tempfile.TemporaryDirectory() as name:
        for what, arguments in sweeps.items():
            rows.append(_row(what, arguments, Path(name)))
            print(f"  done: {what}", file=sys.stderr)
    print_table(rows)


def _row(what: str, arguments: Sequence[str], folder: Path) -> list[str]:
    options = ["--device", "cpu", "--results", str(folder / "results"), "--json"]
    command = [sys.executable, "-m", "gconvbench", "list", *options, *arguments]
    estimate = json.loads(run(command, folder)[1].splitlines()[-1])
    taken_s = sweep(folder, *arguments).wall_s
    ratio = taken_s / estimate["estimate_s"]
    return [
        what[:20],
        str(estimate["jobs"]),
        str(estimate["jobs_known"]),
        fmt.duration(estimate["estimate_s"]),
        fmt.duration(taken_s),
        f"{ratio:.2f}",
        "yes" if 1 / FACTOR <= ratio <= FACTOR else "no",
    ]


if __name__ == "__main__":
    main()
