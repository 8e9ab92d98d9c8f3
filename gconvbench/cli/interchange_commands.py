"""The subcommands of `export` and `import`: their options, and whom they call."""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gconvbench.cli import options as opt  # noqa: TC001 (typer reads annotations)

__all__ = ["export_app", "import_app"]

export_app = typer.Typer(
    help="Write a stored run in another tool's form.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
import_app = typer.Typer(
    help="Store what another tool measured as runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_RunArgument = Annotated[
    str, typer.Argument(metavar="[RUN]", help="A file, a run's name, latest, latest~1.")
]
_OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Instead of standard output."),
]


@export_app.command("asv")
def export_asv(
    run: _RunArgument = "latest",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="asv's results_dir.  [default: results/asv]"
        ),
    ] = None,
    results: opt.ResultsOption = Path("results"),
) -> int:
    """Write a run into asv's result files, for asv show, compare and publish.

    One benchmark per operation, direction and metric: times, errors, memory, parameters. What is
    there stays. asv files results by commit: a run without one, or with changes, is refused.
    """
    from gconvbench.cli import interchange

    return interchange.export_to_asv(run, results, output)


@export_app.command("pytest-benchmark")
def export_pytest_benchmark(
    run: _RunArgument = "latest",
    output: _OutputOption = None,
    results: opt.ResultsOption = Path("results"),
) -> int:
    """Write a run as pytest-benchmark saves its own, for pytest-benchmark list and compare.

    The whole run is inside, so that import pytest-benchmark brings back the very same.
    """
    from gconvbench.cli import interchange

    return interchange.export_to_pytest_benchmark(run, results, output)


@export_app.command("csv")
def export_csv(
    run: _RunArgument = "latest",
    output: _OutputOption = None,
    results: opt.ResultsOption = Path("results"),
) -> int:
    """Write a run as show --csv prints it: one row per record and cache mode."""
    from gconvbench.cli import interchange

    return interchange.export_csv(run, results, output)


@export_app.command("github-action-benchmark")
def export_github_action_benchmark(
    run: _RunArgument = "latest",
    output: _OutputOption = None,
    results: opt.ResultsOption = Path("results"),
) -> int:
    """Write a run's times for github-action-benchmark's tool customSmallerIsBetter."""
    from gconvbench.cli import interchange

    return interchange.export_to_github_action(run, results, output)


@import_app.command("asv")
def import_asv(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="asv's results_dir.")],
    machine: Annotated[
        str | None, typer.Option("--machine", help="Only this one's.  [default: all]")
    ] = None,
    results: opt.ResultsOption = Path("results"),
) -> int:
    """Store asv's results: one run for each machine, commit and environment.

    Times become records; everything else stays in the run as asv wrote it, and export asv writes
    it back. What is there already is not stored again.
    """
    from gconvbench.cli import interchange

    return interchange.import_from_asv(folder, results, machine)


@import_app.command("pytest-benchmark")
def import_pytest_benchmark(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="What it saved.")],
    results: opt.ResultsOption = Path("results"),
) -> int:
    """Store files of pytest-benchmark: the runs inside them, or their benchmarks as runs.

    What is there already is not stored again.
    """
    from gconvbench.cli import interchange

    return interchange.import_from_pytest_benchmark(files, results)
