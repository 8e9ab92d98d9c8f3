"""The floor of a case by measured ceilings: its arithmetic, its way into runs, its display."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from gconvbench.cases import Case, flops, min_bytes
from gconvbench.instruments import latest_document, store_document
from gconvbench.records import (
    CacheMode,
    Ceilings,
    DoctorDocument,
    Environment,
    Job,
    Record,
    RooflineDocument,
    decode_line,
    encode_line,
)
from gconvbench.report.frame import to_frame
from gconvbench.report.gather import gather
from gconvbench.report.html import case_html
from gconvbench.report.page.render import to_page
from gconvbench.report.summary import summarise
from gconvbench.report.summary_markdown import to_markdown
from gconvbench.report.table import print_run
from gconvbench.runner.begin import known_ceilings
from gconvbench.runner.workers import Workers
from gconvbench.store import list_runs
from tests.fakes import (
    MACHINE,
    SMALL,
    SMALL_ID,
    make_header,
    make_record,
    make_records,
    make_run,
    make_timing,
    store_run,
)

if TYPE_CHECKING:
    from pathlib import Path

H100 = Ceilings(created="2025-01-01", bytes_per_s=3.0e12, flops_per_s={"bfloat16": 798e12})
"""Round figures of such a card, to reckon with by hand; nothing here was measured by this test."""
NOTHING = Environment(identity={}, under_test={}, soft={})


def layer(groups: int, inner: int, outer: int, size: tuple[int, int], kernel: int = 3) -> Case:
    return Case(
        batch=32, groups=groups, in_channels=inner, out_channels=outer, height=size[0],
        width=size[1], kernel_size=(kernel, kernel), padding=(kernel // 2, kernel // 2),
        dtype="bfloat16",
    )  # fmt: skip


# By hand, in bfloat16 at batch 32: 2 N K P Q (C/g) R S / 798e12 s, and
# 2 bytes * (N C H W + K (C/g) R S + N K P Q) / 3e12 s.
@pytest.mark.parametrize(
    ("case", "per_byte", "floor_us", "bound"),
    [
        pytest.param(layer(2, 96, 256, (27, 27), 5), 841, 18.0, "compute", id="AlexNet conv2"),
        pytest.param(layer(32, 128, 128, (56, 56)), 18.0, 17.1, "memory", id="ResNeXt-50"),
        pytest.param(layer(32, 1024, 1024, (14, 14)), 141, 8.76, "memory", id="ResNeXt-101 32x8d"),
        pytest.param(layer(11, 2904, 2904, (14, 14)), 999, 108, "compute", id="RegNetY-128"),
        pytest.param(layer(96, 96, 96, (56, 56), 7), 24.5, 12.8, "memory", id="ConvNeXt"),
    ],
)
def test_the_floor_is_the_longer_of_two_times(
    case: Case, per_byte: float, floor_us: float, bound: str
) -> None:
    floor = H100.floor(case)
    assert floor
    assert flops(case) / min_bytes(case) == pytest.approx(per_byte, rel=5e-3)
    assert floor.seconds * 1e6 == pytest.approx(floor_us, rel=5e-3)
    assert floor.bound == bound


def test_a_dtype_without_a_peak_has_no_floor_and_tf32_has_its_own() -> None:
    case = layer(1, 64, 64, (8, 8))
    assert H100.floor(replace(case, dtype="float32")) is None
    both = replace(H100, bytes_per_s=1e18, flops_per_s={"float32": 1e12, "float32:tf32": 4e12})
    ieee, tf32 = (both.floor(replace(case, dtype="float32", math_mode=m)) for m in ("ieee", "tf32"))
    assert ieee
    assert tf32
    assert ieee.seconds == pytest.approx(4 * tf32.seconds)


# Documents.


def document(name: str, bytes_per_s: float = 1e9, *, machine: str = MACHINE) -> RooflineDocument:
    ceilings = Ceilings(created=name, bytes_per_s=bytes_per_s, flops_per_s={"float32": 1e10})
    return RooflineDocument(
        name=name, created=name, device="cpu", machine=machine, environment=NOTHING,
        ceilings=ceilings,
    )  # fmt: skip


def test_the_newest_of_the_machine_counts_and_what_cannot_be_read_does_not(tmp_path: Path) -> None:
    for name, rate in (("20250103T", 3e9), ("20250101T", 1e9), ("20250102T", 2e9)):
        store_document(tmp_path, document(name, rate))
    store_document(tmp_path, document("20250109T", 9e9, machine="other"))
    folder = tmp_path / "runs" / MACHINE
    (folder / "20250104T.roofline.json").write_text("{", "utf-8")
    zero = msgspec.json.encode(document("20250105T")).replace(b"1000000000.0", b"0")
    (folder / "20250105T.roofline.json").write_bytes(zero)
    found = known_ceilings(tmp_path, MACHINE)
    assert found
    assert found.bytes_per_s == 3e9
    assert known_ceilings(tmp_path, "nobody") is None
    assert latest_document(tmp_path, MACHINE, DoctorDocument) is None


def test_no_document_is_ever_overwritten(tmp_path: Path) -> None:
    paths = [store_document(tmp_path, document("20250101T", rate)) for rate in (1e9, 2e9)]
    assert len(set(paths)) == 2
    rates = [json.loads(path.read_bytes())["ceilings"]["bytes_per_s"] for path in paths]
    assert rates == [1e9, 2e9]
    assert list_runs(tmp_path) == []


# Records.


class Worker:
    def __init__(self, record: Record) -> None:
        self.record = record

    def measure(self, job: Job, number: int, *, timeout_s: float) -> Record:
        return self.record

    def close(self, *, kill: bool = False) -> None:
        """Nothing to end."""


CPU = Ceilings(created="2025-01-01", bytes_per_s=1e9, flops_per_s={"float32": 1e10})
BYTES_S = min_bytes(SMALL) / 1e9
"""2 (4 x 72 + 6 x 2 x 9 + 6 x 72) bytes twice over: longer than its few operations take."""


@pytest.mark.parametrize(
    ("record", "ceilings", "floor_s"),
    [
        (make_record(), CPU, BYTES_S),
        (make_record(), None, None),
        (make_record(), replace(CPU, flops_per_s={"float64": 1e10}), None),
        (make_record(outcome="wrong"), CPU, None),
        (make_record(outcome="checked", time_s=None), CPU, None),
    ],
)
def test_a_measured_record_gets_its_floor_by_the_ceilings_of_its_run(
    record: Record, ceilings: Ceilings | None, floor_s: float | None
) -> None:
    worker: Any = Worker(record)
    with Workers(make_header(ceilings=ceilings), 1.0, worker) as workers:
        found = workers.measure(record.job, 1)
    assert found.floor_s == (None if floor_s is None else pytest.approx(floor_s))


def test_ceilings_in_a_header_survive_the_file() -> None:
    header = decode_line(encode_line(make_header(ceilings=CPU)))
    assert header == make_header(ceilings=CPU)


# What is shown.


def records(**changes: Any) -> list[Record]:
    found = [*make_records("native", 2e-6, 2e-6), *make_records("split_concat", 8e-6, 8e-6)]
    return [replace(record, floor_s=BYTES_S, **changes) for record in found]


def shown(ceilings: Ceilings | None, *, modes: tuple[CacheMode, ...] = ("hot",)) -> str:
    run = make_run(records())
    if len(modes) > 1:
        timings = tuple(make_timing(1e-6, mode=mode) for mode in modes)
        run = make_run(records(timings=timings))
    header = replace(
        run.header, ceilings=ceilings, method=replace(run.header.method, cache_modes=modes)
    )
    text = io.StringIO()
    print_run(replace(run, header=header), Console(file=text, width=80))
    return text.getvalue()


def test_show_has_the_share_of_the_floor_and_what_bounds_it_within_80_columns() -> None:
    text = shown(CPU)
    assert f"floor {1e6 * BYTES_S:.2f} µs, memory-bound" in text
    assert re.search(r"native .*\d %\n", text)
    share = f"{100 * BYTES_S / 2e-6:.0f} %"
    assert re.search(rf"native .* {share}\n", text), text
    assert "above 100 %" in text
    assert max(map(len, text.splitlines())) <= 80


def test_show_says_nothing_of_floors_where_no_ceilings_are_known() -> None:
    assert "floor" not in shown(None)


@pytest.mark.parametrize("modes", [("cold", "hot"), ("cold", "hot", "graph", "as_called")])
def test_every_view_has_its_share_within_80_columns(modes: tuple[CacheMode, ...]) -> None:
    text = shown(CPU, modes=modes)
    for mode in modes:
        assert f"of floor {mode}" in text
        assert f"95 % {mode}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_frame_has_floor_and_share_and_neither_without_ceilings() -> None:
    table = to_frame(make_run(records()))
    assert list(table["floor_s"]) == pytest.approx([BYTES_S] * 4)
    assert list(table["of_floor"]) == pytest.approx([BYTES_S / 2e-6] * 2 + [BYTES_S / 8e-6] * 2)
    without = to_frame(make_run(make_records("native", 1.0)))
    assert without["floor_s"].isna().all()
    assert without["of_floor"].isna().all()


def test_the_notebooks_table_has_as_many_cells_as_heads() -> None:
    run = make_run([*records(), make_record("bad", outcome="wrong")])
    for ceilings in (CPU, None):
        (summary,) = summarise(replace(run, header=replace(run.header, ceilings=ceilings)))
        text = case_html(summary, ("hot",))
        heads = text.count('scope="col"')
        assert heads == (9 if ceilings else 8)
        first = re.findall(r"<tbody><tr>(.*?)</tr>", text)[0]
        assert first.count("<td") + first.count("<th") == heads
        (span,) = re.findall(r'colspan="(\d+)"', text)
        assert int(span) == heads - 1
        assert ("memory-bound" in text) == (ceilings is not None)


def test_markdown_has_the_share_only_where_it_is_known(tmp_path: Path) -> None:
    for name, ceilings in (("with", CPU), ("without", None)):
        path = store_run(tmp_path / name, records(), ceilings=ceilings)
        text = to_markdown(gather([path], named=True))
        row = next(line for line in text.splitlines() if line.startswith("| conv"))
        assert row.endswith(f"| {100 * BYTES_S / 2e-6:.0f} % |") == (ceilings is not None)
        heads, alignment = text.splitlines()[text.splitlines().index(row) - 2 :][:2]
        assert heads.count("|") == alignment.count("|") == row.count("|")


# The page.


def page_data(*paths: Path) -> dict[str, Any]:
    found = gather(list(paths), named=True)
    judged = dict.fromkeys((one.slug for one in found.machines), None)
    text = to_page(found, judged, created="now", version="0")
    data: dict[str, Any] = json.loads(re.findall(r'id="data">(.*?)</script>', text, re.DOTALL)[0])
    return data


def test_the_page_draws_the_newest_ceilings_and_says_when_they_were_measured(
    tmp_path: Path,
) -> None:
    tf32 = replace(CPU, created="2025-01-03T00:00:00+00:00", flops_per_s={"float32:tf32": 2e10})
    paths = [
        store_run(
            tmp_path, records(), run=f"2025010{day}T", created=f"2025-01-0{day}", ceilings=one
        )
        for day, one in enumerate((CPU, tf32, None), start=1)
    ]
    found = page_data(*paths)["machines"][0]["ceilings"]
    assert found["bytes_per_s"] == 1e9
    assert found["text"].startswith(
        "Ceilings of this machine, measured 2025-01-03 by gconvbench roofline: 1.00 GB/s"
    )
    assert list(found["peaks"]) == ["float32 tf32"]
    assert found["peaks"]["float32 tf32"]["text"] == (
        "float32 tf32 20.0 GFLOP/s by a large product, ridge at 20 FLOP/byte"
    )


def test_the_page_marks_what_the_clock_found_fault_with(tmp_path: Path) -> None:
    labelled = replace(CPU, labels={"copy": ("host_bound",), "float32": ("allocator grew",)})
    path = store_run(tmp_path, records(), ceilings=labelled)
    found = page_data(path)["machines"][0]["ceilings"]
    assert found["text"].endswith("read plus written (host_bound);")
    assert found["peaks"]["float32"]["text"].endswith(" FLOP/byte (allocator grew)")


def test_a_page_without_ceilings_has_none(tmp_path: Path) -> None:
    data = page_data(store_run(tmp_path, make_records("native", 1.0)))
    assert data["machines"][0]["ceilings"] is None
    case = dict(zip(data["fields"]["case"], data["machines"][0]["cases"][0], strict=True))
    assert case["least"] == ""
    assert case["id"] == SMALL_ID


def test_a_case_of_the_page_has_the_floor_of_its_own_run(tmp_path: Path) -> None:
    data = page_data(store_run(tmp_path, records(), ceilings=CPU))
    case = dict(zip(data["fields"]["case"], data["machines"][0]["cases"][0], strict=True))
    assert case["least"] == f"floor {1e6 * BYTES_S:.2f} µs, memory-bound"
    row = dict(zip(data["fields"]["row"], case["rows"][0], strict=True))
    time = dict(zip(data["fields"]["time"], row["times"][0], strict=True))
    assert time["of_floor"] == pytest.approx(BYTES_S / 2e-6)
    assert time["of_floor_text"] == f"{100 * BYTES_S / 2e-6:.0f} %"
