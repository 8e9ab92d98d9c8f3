"""What `bench` returns: one case's table, as text, as HTML and as a data frame."""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gconvbench.report.console import make_console
from gconvbench.report.html import case_html
from gconvbench.report.summary import CaseSummary, summarise
from gconvbench.report.table import print_cases, run_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from gconvbench.cases import Case
    from gconvbench.records import Record
    from gconvbench.report.summary import Row
    from gconvbench.store import Run

__all__ = ["BenchTable"]

_COLUMNS = (
    "implementation",
    "outcome",
    "detail",
    "cache_mode",
    "time_s",
    "half_width",
    "rounds",
    "speedup",
    "of_floor",
    "error",
    "of_limit",
    "first_launch_s",
    "peak_bytes",
    "workspace_bytes",
    "labels",
)

_WHOLE = dict.fromkeys(("rounds", "peak_bytes", "workspace_bytes"), "Int64")


class BenchTable:
    """The ways of computing one case, by time. Prints as text, and draws itself in notebooks.

    Args:
        run: of one case.
        note: what a reader should know of how it was measured; empty for nothing.
    """

    def __init__(self, run: Run, note: str = "") -> None:
        self._run = run
        self._note = note
        self._summary: CaseSummary = summarise(run)[0]

    @property
    def case(self) -> Case:
        """The case that was measured."""
        return self._summary.case

    @property
    def records(self) -> tuple[Record, ...]:
        """One per implementation and round, with all samples, as `gconvbench run` stores them."""
        return self._run.records

    @property
    def advice(self) -> str:
        """Which implementation to use, in one line."""
        return self._summary.advice

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per implementation and cache mode, fastest first.

        Columns:
            implementation: its name.
            outcome: `measured`, or the first thing that went wrong.
            detail: the reason, for other outcomes.
            cache_mode: the view, such as `hot`; none without a time, and so in all that follow.
            time_s: seconds per launch, the median over rounds of the rounds' medians.
            half_width: of the 95 % interval over rounds, on the log scale: 0.02 is about 2 %.
            rounds: how many it stands on.
            speedup: time of `native` over this one's, paired by rounds; more than 1 is
                faster than native.
            of_floor: the least time by the machine's measured ceilings over the time; none where
                no run was stored beside them.
            error: the largest relative error of any result and round.
            of_limit: the largest share of its limit that an error took.
            first_launch_s: seconds of the preparation and first launch, the median over rounds.
            peak_bytes: of a launch, beyond the operands.
            workspace_bytes: of these, what is not its results.
            labels: what else to know, separated by semicolons.
        """
        import pandas as pd  # noqa: PLC0415 (slow to import)

        rows = [line for row in self._summary.rows for line in self._lines(row)]
        return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_WHOLE)

    def __repr__(self) -> str:
        text = io.StringIO()
        console = make_console(text, plain=True)  # Jupyter's kernels ask for colour
        print_cases([self._summary], self._run.header.method.cache_modes, console)
        for line in self._feet():
            console.print(line, markup=False)
        return text.getvalue().strip("\n")

    def _repr_html_(self) -> str:
        return case_html(self._summary, self._run.header.method.cache_modes, self._feet())

    def _feet(self) -> list[str]:
        return [line for line in (run_line(self._run), self._note) if line]

    def _lines(self, row: Row) -> Iterator[dict[str, Any]]:
        base = {
            "implementation": row.implementation,
            "outcome": row.outcome,
            "detail": row.detail,
            "error": row.error,
            "of_limit": row.of_limit,
            "first_launch_s": row.first_launch_s,
            "peak_bytes": row.memory.peak_bytes if row.memory else None,
            "workspace_bytes": row.memory.workspace_bytes if row.memory else None,
            "labels": "; ".join(row.labels),
        }
        for mode, estimate in row.times.items():
            yield base | {
                "cache_mode": mode,
                "time_s": estimate.median_s,
                "half_width": estimate.half_width,
                "rounds": estimate.rounds,
                "speedup": row.speedups[mode].value if mode in row.speedups else None,
                "of_floor": row.of_floor.get(mode),
            }
        if not row.times:
            yield base
