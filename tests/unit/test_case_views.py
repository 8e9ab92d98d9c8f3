"""A case on a card as it is shown: four views, those that could not be had, its kernels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from gconvbench.records import CACHE_MODES, Ceilings, Dispatch, Method
from gconvbench.report.cells import kernels_text
from gconvbench.report.gather import _machine
from gconvbench.report.html import case_html
from gconvbench.report.notes import notes_of
from gconvbench.report.summary import summarise
from gconvbench.report.table import print_run
from tests.fakes import make_header, make_record, make_run, make_timing

if TYPE_CHECKING:
    from gconvbench.store import Run

REASON = "it waits for the host"
CEILINGS = Ceilings(
    created="2025-01-01T00:00:00+00:00", bytes_per_s=3e12, flops_per_s={"float32": 50e12}
)


def four_views() -> Run:
    """Two implementations of three rounds, one of which has no graph."""
    records = []
    for number in (1, 2, 3):
        times = {mode: (4 - i + number / 100) * 1e-6 for i, mode in enumerate(CACHE_MODES)}
        timings = tuple(make_timing(*[t] * 10, mode=mode) for mode, t in times.items())
        records.append(make_record("native", number=number, timings=timings))
        some = tuple(one for one in timings if one.cache_mode != "graph")
        records.append(
            make_record(
                "split_concat", number=number, timings=some, left_out={"graph": REASON},
                dispatch=Dispatch(
                    kernels=("gemm", "cat"), counts={"gemm": 2, "cat": 1},
                    shares={"gemm": 0.9, "cat": 0.1}, backends=("Cudnn",),
                ),
            )
        )  # fmt: skip
    method = Method(clock="cuda_events", cache_modes=CACHE_MODES, target=0.005)
    header = make_header(device="cuda", method=method, ceilings=CEILINGS)
    return msgspec.structs.replace(make_run(records), header=header)


def test_four_views_fit_into_eighty_columns_and_a_missing_one_has_its_reason() -> None:
    out = io.StringIO()
    print_run(four_views(), Console(file=out, width=80, force_terminal=False))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for mode in CACHE_MODES:
        assert mode in text
    assert f"no graph: split_concat: {REASON}" in text
    assert [line for line in text.splitlines() if "split_concat" in line and line.endswith(" -")]


def test_a_notebook_says_it_beside_the_row() -> None:
    (summary,) = summarise(four_views())
    page = case_html(summary, CACHE_MODES, ())
    assert f"no graph: {REASON}" in page


def test_a_report_notes_it_once_for_all_that_have_it() -> None:
    notes, _ = notes_of(_machine("box", [four_views()]))
    assert [(n.kind, n.reason) for n in notes] == [("not timed", f"graph: {REASON}")]


def test_kernels_are_told_with_count_and_share_as_far_as_known() -> None:
    whole = Dispatch(kernels=("a", "b"), counts={"a": 2, "b": 1}, shares={"a": 0.75, "b": 0.25})
    assert kernels_text(whole) == "3 launches: 2 x a (75%), b (25%)"
    more = msgspec.structs.replace(whole, kernels=("a", "b", "c"))
    assert kernels_text(more) == "3 launches: 2 x a (75%), b (25%); in another process c"
    assert kernels_text(Dispatch(kernels=("a", "b"))) == "a, b"
    assert kernels_text(Dispatch(kernels=("a",), counts={"a": 1}, shares={"a": 1.0})) == "a"
    assert kernels_text(Dispatch()) == ""
