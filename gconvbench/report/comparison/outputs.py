"""Where the forms of a comparison go: files for machines, the summary, GitHub's annotations."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.report.comparison.annotations import workflow_commands
from gconvbench.report.comparison.document import encode_comparison
from gconvbench.report.comparison.junit import to_junit
from gconvbench.report.comparison.markdown import to_markdown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.records import Comparison

__all__ = ["OUTPUTS", "GitHub", "github", "remove_outputs", "write_outputs"]


OUTPUTS = ("comparison.json", "comparison.md", "junit.xml")
"""The files of a comparison."""


class GitHub(NamedTuple):
    """What a job on GitHub Actions says of itself.

    Attributes:
        summary: the file that becomes the step's summary; None elsewhere.
        annotate: whether workflow commands are read.
    """

    summary: Path | None
    annotate: bool


def github(environment: Mapping[str, str]) -> GitHub:
    """`GITHUB_STEP_SUMMARY` and `GITHUB_ACTIONS`."""
    summary = environment.get("GITHUB_STEP_SUMMARY")
    return GitHub(Path(summary) if summary else None, environment.get("GITHUB_ACTIONS") == "true")


def remove_outputs(folder: Path | None) -> None:
    """Take away what an earlier comparison left, as far as that is possible."""
    if folder is None:
        return
    for name in OUTPUTS:
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def write_outputs(
    found: Comparison, *, folder: Path | None, summary: Path | None, annotate: bool
) -> None:
    """Write `OUTPUTS`, and tell GitHub.

    Args:
        found: what to tell.
        folder: where the files go, made where it is missing; none are written without.
        summary: a file to which the markdown is appended.
        annotate: print workflow commands, on standard error, which GitHub reads as well; standard
            output may carry JSON.
    """
    markdown = to_markdown(found)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        forms = (f"{encode_comparison(found).decode()}\n", markdown, to_junit(found))
        for name, text in zip(OUTPUTS, forms, strict=True):
            (folder / name).write_text(text, "utf-8")
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(f"{markdown}\n")
    if annotate:
        print("\n".join(workflow_commands(found)), file=sys.stderr, flush=True)
