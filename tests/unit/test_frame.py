"""A run in pandas: documented columns, samples, other tools' benchmarks."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import gconvbench
from gconvbench.errors import UsageError
from gconvbench.report.frame import COLUMNS, SAMPLE_COLUMNS, to_frame
from tests.fakes import make_record, make_run, make_timing, store_run

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    make_record(timings=(make_timing(1e-3, 3e-3), make_timing(5e-3, mode="cold"))),
    make_record("split_concat", outcome="unsupported"),
    make_record("benchmark", case="t.py::test_a"),
]


def test_the_docstring_names_exactly_the_columns() -> None:
    named = re.findall(r"^ {8}`(\w+)`:", gconvbench.load.__doc__ or "", re.MULTILINE)
    assert tuple(named) == (*COLUMNS, *SAMPLE_COLUMNS)
    assert tuple(to_frame(make_run(RECORDS))) == COLUMNS
    assert tuple(to_frame(make_run([]), samples=True)) == (*COLUMNS, *SAMPLE_COLUMNS)


def test_one_row_per_record_and_cache_mode_or_per_sample(tmp_path: Path) -> None:
    path = store_run(tmp_path, RECORDS)
    table = gconvbench.load(results=tmp_path)
    assert list(table["samples"]) == [2, 1, 0, 1]
    assert list(table["groups"])[:3] == [2, 2, 2]
    samples = gconvbench.load(path, samples=True)
    assert list(samples["sample_s"].dropna()) == [1e-3, 3e-3, 5e-3, 1e-3]
    assert list(samples["sample"].dropna()) == [0, 1, 0, 0]
    assert len(samples) == 5


def test_a_benchmark_that_is_no_case_has_no_shape() -> None:
    row = to_frame(make_run(RECORDS)).iloc[-1]
    assert (row["case"], row["time_s"]) == ("t.py::test_a", 1e-3)
    assert row[["groups", "kernel_size", "dtype", "flops", "parameters"]].isna().all()


def test_no_such_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no stored runs"):
        gconvbench.load(results=tmp_path)


def test_load_needs_no_torch(tmp_path: Path) -> None:
    store_run(tmp_path, RECORDS)
    code = (
        "import sys, gconvbench as g; g.load(results=sys.argv[1]); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 0
