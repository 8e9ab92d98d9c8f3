"""How long `gconvbench report` takes, and how large its page is, for many records.

    python docs/numbers/report.py

A small sweep is measured for real; its records are then stored again and again under other cases
(another batch each), until there are enough. The page is written by the command, timed as a whole.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from common import machine_line, print_table, run, sweep

from gconvbench.cases import case_id, parse_case
from gconvbench.records import PlannedCase
from gconvbench.report import format as fmt
from gconvbench.store import RunWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.records import Record
    from gconvbench.store import Run

LIMITS = {2_000: (10.0, 15e6)}
"""Seconds and bytes of a page, the aims."""
GROUPS = "groups=1,2,4,8"
CHANNELS = "channels=16,64"


def main() -> None:
    """Measure, copy, report, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", default="2000,20000", help="how many, with commas")
    parser.add_argument("--axis", action="append", help="of the sweep that is copied")
    parser.add_argument("--implementation", default="default")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine_line())
    axes = [word for axis in options.axis or (GROUPS, CHANNELS) for word in ("-a", axis)]
    rows: list[tuple[str, ...]] = [("records", "cases", "samples", "time", "page", "aims")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = sweep(
            folder, *axes, "-a", "size=14", "--implementation", options.implementation,
            "--rounds", str(options.rounds),
        )  # fmt: skip
        counts = map(int, options.records.split(","))
        rows.extend(_row(done.stored, count, folder) for count in counts)
    print_table(rows)


def _row(measured: Run, count: int, folder: Path) -> tuple[str, ...]:
    results = folder / f"results-{count}"
    records = list(itertools.islice(_copies(measured), count))
    cases = tuple(PlannedCase(case) for case in dict.fromkeys(one.job.case for one in records))
    plan = msgspec.structs.replace(measured.header.plan, cases=cases)
    writer = RunWriter.create(results, msgspec.structs.replace(measured.header, plan=plan))
    writer.extend(records)
    writer.finish()
    page = folder / f"{count}.html"
    command = [sys.executable, "-m", "gconvbench", "report", str(writer.path), "-o", str(page)]
    wall_s, _ = run(command, folder)
    samples = sum(len(timing.samples_s) for one in records for timing in one.timings)
    aims = LIMITS.get(count)
    return (
        f"{count:,}",
        f"{len(cases):,}",
        f"{samples:,}",
        fmt.seconds(wall_s),
        f"{page.stat().st_size / 1e6:.1f} MB",
        f"{aims[0]:.0f} s, {aims[1] / 1e6:.0f} MB" if aims else "none",
    )


def _copies(measured: Run) -> Iterator[Record]:
    """The records of a run for ever, each time under cases with one more image."""
    for more in itertools.count():
        for record in measured.records:
            case = parse_case(record.job.case)
            other = case_id(msgspec.structs.replace(case, batch=case.batch + more))
            yield msgspec.structs.replace(
                record, job=msgspec.structs.replace(record.job, case=other)
            )


if __name__ == "__main__":
    main()
