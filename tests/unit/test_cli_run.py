"""What `run` says of a run that has not ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from gconvbench.cli.run import _resuming

RUN = "20250101T000000Z-abc"


@pytest.mark.parametrize(
    ("results", "command"),
    [
        ("results", f"gconvbench run --resume {RUN}"),
        ("my results", f"gconvbench run --resume {RUN} --results 'my results'"),
    ],
)
def test_the_command_that_goes_on_names_the_folder_where_it_is_another(
    results: str, command: str
) -> None:
    assert _resuming(Path(results, "runs", "box-cpu", f"{RUN}.jsonl")) == command
