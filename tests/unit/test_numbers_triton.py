"""The script that holds Triton's kernels against cuDNN: its rival is the best that there is."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from triton_against_cudnn import Card, Times, best_rival, in_formats, kept_share, layers, show

from gconvbench.cases import MEMORY_FORMATS, Case, min_bytes
from tests.fakes import make_record, make_records, make_run, make_timing

if TYPE_CHECKING:
    from gconvbench.records import Record

PROBLEM = next(layers())
"""128 x 56 x 56, 32 images, 32 groups, bfloat16."""
NCHW, NHWC = in_formats(PROBLEM)
CARD = Card(bytes_per_s=1e12, cache_bytes=50 * 2**20)
BYTES = 2 * (2 * 32 * 128 * 56 * 56 + 128 * 4 * 9)
TIMES_S = {
    (NCHW, "native"): (400e-6, 900e-6, 390e-6),
    (NCHW, "native_benchmark"): (200e-6, 210e-6, 190e-6),
    (NHWC, "native"): (300e-6, 300e-6, 300e-6),
    (NHWC, "native_benchmark"): (120e-6, 120e-6, 121e-6),
    (NCHW, "triton_implicit_gemm"): (150e-6, 150e-6, 150e-6),
    (NHWC, "triton_implicit_gemm"): (100e-6, 100e-6, 100e-6),
}


def records(*without: tuple[Case, str]) -> list[Record]:
    found = {key: times_s for key, times_s in TIMES_S.items() if key not in without}
    return [
        record
        for (case, name), times_s in found.items()
        for record in make_records(name, *times_s, case=case)
    ]


def shown(capsys: pytest.CaptureFixture[str], *found: Record) -> list[str]:
    show([PROBLEM], Times(make_run(found)), CARD)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def test_the_rival_is_the_fastest_over_settings_and_formats() -> None:
    best = best_rival(PROBLEM, Times(make_run(records())))
    assert best == (120e-6, "NHWC tried")
    for case, name in product((NCHW, NHWC), ("native", "native_benchmark")):
        quick = make_records(name, 50e-6, case=case)
        others = records((case, name))
        found = best_rival(PROBLEM, Times(make_run([*others, *quick])))
        words = " tried" if name == "native_benchmark" else ""
        assert found == (50e-6, f"{'NCHW' if case == NCHW else 'NHWC'}{words}")


def test_the_tables_have_each_rival_and_both_speedups(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, *records())
    share = f"{100 * BYTES / 120e-6 / 1e12:.0f} %"
    (rivals,) = (line for line in lines if "400 µs" in line)
    assert cells(rivals) == [
        "128x56x56/1", "fprop", "400 µs", "200 µs", "300 µs", "120 µs",
        share,
    ]  # fmt: skip
    nchw, nhwc = (cells(line) for line in lines[-2:])
    kept = f"{100 * 2 * 32 * 128 * 56 * 56 / BYTES:.0f} %"
    assert nchw[2:] == ["NCHW", "150 µs", "34 %", kept, "2.67", "0.80", "NHWC tried"]
    assert nhwc[2:] == ["NHWC", "100 µs", "51 %", kept, "3.00", "1.20", "NHWC tried"]


def test_a_way_that_fails_once_is_no_rival_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    gone = (NHWC, "native_benchmark")
    wrong = make_record(gone[1], case=gone[0], number=3, outcome="wrong")
    lines = shown(capsys, *records(gone), *make_records(gone[1], 1e-6, case=gone[0]), wrong)
    assert any("wrong" in line for line in lines)
    assert cells(lines[-1])[-3:] == ["3.00", "2.00", "NCHW tried"]


def test_labels_of_timings_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert "labels" not in "\n".join(shown(capsys, *records()))
    bound = make_timing(1e-3, mode="cold", labels=("host_bound",))
    labelled = make_record("native", case=NCHW, number=4, timings=(bound,))
    assert shown(capsys, *records(), labelled)[-1] == "labels of timings: host_bound 1x"


def test_ours_has_no_speedup_where_it_has_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    ours = [(case, "triton_implicit_gemm") for case in (NCHW, NHWC)]
    failed = [make_record(name, case=case, outcome="crashed") for case, name in ours]
    lines = shown(capsys, *records(*ours), *failed)
    assert cells(lines[-1])[2:] == ["NHWC", "crashed", cells(lines[-1])[4], "NHWC tried"]


@pytest.mark.parametrize(
    ("direction", "written"),
    [("fprop", "output_shape"), ("dgrad", "input_shape"), ("wgrad", "weight_shape")],
)
def test_what_the_cache_may_keep_is_the_result_as_far_as_it_fits(
    direction: str, written: str
) -> None:
    case = replace(PROBLEM, stride=(2, 2), direction=direction)
    size = 2
    for side in getattr(case, written):
        size *= side
    assert kept_share(case, 10**12) == size / min_bytes(case)
    assert kept_share(case, 1000) == 1000 / min_bytes(case)
    assert kept_share(case, 10**12) < 1


def test_the_layers_are_the_narrow_ones() -> None:
    found = [(one.in_channels, one.height, one.stride[0]) for one in layers()]
    assert found == [(128, 56, 1), (256, 56, 2), (256, 28, 1), (512, 28, 2), (512, 14, 1)]
    assert {one.dtype for one in layers()} == {"bfloat16"}
    assert len(MEMORY_FORMATS) == len(in_formats(PROBLEM))
