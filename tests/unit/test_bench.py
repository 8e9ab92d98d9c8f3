"""`bench` in place: what it takes, what it refuses, what it returns."""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch

import gconvbench
from gconvbench import arguments, start
from gconvbench.cases import Case, case_id
from gconvbench.errors import InstrumentError, UsageError
from gconvbench.implementations import BUILT_IN, BUILT_IN_SOURCE, Implementation, Table
from gconvbench.report.bench import BenchTable
from gconvbench.runner import device_lock
from tests.fakes import SMALL, make_plan, make_record, make_records, make_run, make_timing
from tests.markup import Elements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TINY = Case(groups=2, in_channels=2, out_channels=2, height=4, width=4)
QUICK: dict[str, Any] = {"device": "cpu", "target": 0.5, "threads": 1}


class Scripted(Implementation):
    """`native`, after doing what it is told to."""

    name = "scripted"
    idea = "does as it is told"

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def forward(self, case: Case, x: Any, weight: Any, bias: Any) -> Any:
        self.act()
        return BUILT_IN[0].forward(case, x, weight, bias)


def fail() -> None:
    message = "no <script>alert('luck')</script>"
    raise ValueError(message)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes `native`, `split_concat` and a scripted implementation all that there is."""

    def installed(act: Callable[[], object] = bool) -> None:
        ways = [BUILT_IN[0], BUILT_IN[3], Scripted(act)]
        table = Table({w.name: w for w in ways}, {w.name: BUILT_IN_SOURCE for w in ways})
        monkeypatch.setattr(start, "load_table", lambda announce: table)

    installed()
    return installed


def test_a_module_is_measured_in_this_process(install: Callable[..., None]) -> None:
    module = torch.nn.Conv2d(2, 4, 3, groups=2)

    table = gconvbench.bench(module, input_shape=(1, 2, 5, 6), rounds=2, **QUICK)

    assert table.case == Case(groups=2, in_channels=2, out_channels=4, height=5, width=6, bias=True)
    assert {record.job.implementation for record in table.records} == {
        "native", "split_concat", "scripted",
    }  # fmt: skip
    assert [record.round for record in table.records] == [1, 1, 1, 2, 2, 2]
    assert table.advice.startswith("use ")


def test_passes_in_place_are_never_shown_as_fresh_processes(install: Callable[..., None]) -> None:
    table = gconvbench.bench(TINY, implementations="native", rounds=2, **QUICK)
    note = (
        "in place, one process: intervals cover less than they say; "
        "isolate=True measures in fresh processes"
    )

    assert note in " ".join(str(table).split())
    assert note in table._repr_html_()


def test_a_case_keeps_its_own_direction_unless_another_is_asked_for(
    install: Callable[..., None],
) -> None:
    case = Case(in_channels=2, out_channels=2, height=4, width=4, direction="wgrad")
    options = QUICK | {"implementations": ["native"], "rounds": 1}

    assert gconvbench.bench(case_id(case), **options).case == case
    assert gconvbench.bench(case, direction="dgrad", **options).case.direction == "dgrad"


def test_threads_are_those_of_this_process(install: Callable[..., None]) -> None:
    options = QUICK | {"threads": None}
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        table = gconvbench.bench(TINY, implementations="native", rounds=1, **options)
    finally:
        torch.set_num_threads(before)

    assert ", 2 thread(s), " in str(table)


def test_what_fails_costs_its_own_row(install: Callable[..., None]) -> None:
    install(fail)

    table = gconvbench.bench(TINY, implementations="native,scripted", rounds=2, **QUICK)

    outcomes = dict(zip(table.frame["implementation"], table.frame["outcome"], strict=True))
    assert outcomes == {"native": "measured", "scripted": "failed"}
    assert sum(record.outcome == "failed" for record in table.records) == 1


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_keyboard_interrupt_ends_it(install: Callable[..., None]) -> None:
    install(lambda: signal.raise_signal(signal.SIGINT))

    with pytest.raises(KeyboardInterrupt):
        gconvbench.bench(TINY, implementations="scripted", **QUICK)
    with device_lock("cpu"):
        pass  # it was given back


def test_a_device_in_use_by_a_run_is_left_alone(install: Callable[..., None]) -> None:
    with device_lock("cpu"), pytest.raises(InstrumentError, match="in use by another run"):
        gconvbench.bench(TINY, **QUICK)


def test_it_measures_under_no_grad_and_inference_mode(install: Callable[..., None]) -> None:
    with torch.no_grad(), torch.inference_mode():
        table = gconvbench.bench(
            TINY, direction="training", implementations="native", rounds=1, **QUICK
        )

    assert table.records[0].outcome == "measured"


@pytest.mark.parametrize(
    ("what", "options", "reason"),
    [
        (torch.nn.Conv2d(2, 2, 1), {}, r"input_shape is missing; .* such as \(8, 2, 27, 27\)"),
        (torch.nn.Conv1d(2, 2, 1), {}, "one torch.nn.Conv2d, a Case or a case id, not Conv1d"),
        (torch.nn.Conv3d(2, 2, 1), {}, "not Conv3d"),
        (torch.nn.ConvTranspose2d(2, 2, 1), {}, "not ConvTranspose2d; of a model name one layer"),
        (torch.nn.Sequential(torch.nn.Conv2d(2, 2, 1)), {}, r"not Sequential; .* model\[0\]"),
        (None, {}, "not NoneType"),
        ("g2", {}, "case id 'g2': field 'ic' is missing"),
        (TINY, {"input_shape": (1, 2, 4, 4)}, "is given twice; a case has its own; leave it out"),
        (TINY, {"direction": "back"}, "direction 'back' is not known; allowed: fprop"),
        (TINY, {"math_mode": "tf23"}, "math_mode 'tf23' is not known; did you mean 'tf32'"),
        (TINY, {"device": "tpu"}, "device 'tpu' is not known; allowed: cpu, cuda"),
        (TINY, {"device": "cuda:77"}, "device 'cuda:77' "),
        (TINY, {"cache": "warm"}, "cache mode 'warm' is not known"),
        (TINY, {"cache": "cold"}, "cache mode 'cold' needs a CUDA device"),
        (TINY, {"rounds": 0}, r"rounds \(0\) must be a whole number from 1"),
        (TINY, {"threads": 1.5}, r"threads \(1.5\) must be a whole number from 1"),
        (TINY, {"target": 2.0}, r"target \(2.0\) must be between 0 and 1"),
        (TINY, {"implementations": "nativ"}, "implementation 'nativ' is not known; did you mean"),
        (TINY, {"implementations": []}, "implementation '' is not known"),
        (TINY, {"results": "here"}, "results stores what fresh processes measured; add isolate"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_in_one_line(
    what: Any, options: dict[str, Any], reason: str, install: Callable[..., None]
) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        gconvbench.bench(what, **(QUICK | options))

    assert "\n" not in str(caught.value)


def test_a_module_is_measured_where_it_is_and_a_case_where_there_is_a_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arguments, "default_device", lambda: "cuda")

    assert arguments.meant_device(torch.nn.Conv2d(2, 2, 1), None) == "cpu"
    assert arguments.meant_device(TINY, None) == "cuda"
    assert arguments.meant_device(TINY, "cpu") == "cpu"


def test_another_default_device_around_it_is_refused(install: Callable[..., None]) -> None:
    with torch.device("meta"), pytest.raises(UsageError, match="is 'meta'; allowed: cpu; call"):
        gconvbench.bench(TINY, **QUICK)


def test_no_warning_is_left_to_the_user(install: Callable[..., None]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gconvbench.bench(TINY, implementations="native", rounds=1, **QUICK)

    assert caught == []


def make_table(note: str = "") -> BenchTable:
    """Two measured, one with a label that a browser could take for markup, one failed."""
    script = "<script>alert(1)</script>"
    records = [
        *make_records("native", 2e-3, 2.1e-3),
        *make_records("split_concat", 1e-3, 1.1e-3),
        make_record(
            "merged_groups_2", time_s=None, timings=(make_timing(8e-3, labels=(f"a {script}",)),)
        ),
        make_record("im2col_bmm", outcome="failed", detail=f"ValueError: {script} & more"),
        make_record("pointwise_bmm", outcome="unsupported", detail=f"only 1x1 {script}"),
        make_record("depthwise_mac", outcome="unsupported", detail=f"only 1x1 {script}"),
    ]
    names = list(dict.fromkeys(record.job.implementation for record in records))
    plan = make_plan(implementations=names, rounds=2)
    return BenchTable(make_run(records, plan=plan), note)


def test_the_frame_has_a_row_per_implementation_fastest_first() -> None:
    frame = make_table().frame

    assert list(frame.columns) == [
        "implementation", "outcome", "detail", "cache_mode", "time_s", "half_width", "rounds",
        "speedup", "of_floor", "error", "of_limit", "first_launch_s", "peak_bytes",
        "workspace_bytes", "labels",
    ]  # fmt: skip
    assert list(frame["implementation"]) == [
        "split_concat", "native", "merged_groups_2", "im2col_bmm", "pointwise_bmm", "depthwise_mac",
    ]  # fmt: skip
    first, failed = frame.iloc[0], frame.iloc[3]
    assert first["time_s"] == pytest.approx(1.05e-3)
    assert first["speedup"] == pytest.approx(math.sqrt(2.0 / 1.0 * 2.1 / 1.1))
    assert (first["rounds"], first["cache_mode"], first["outcome"]) == (2, "hot", "measured")
    assert 0 < first["half_width"] < 1
    assert math.isnan(failed["time_s"])
    assert failed["detail"].startswith("ValueError")


def test_the_frame_has_a_row_per_cache_mode_with_its_own_speedup() -> None:
    timings = {
        name: (make_timing(cold_s, mode="cold"), make_timing(hot_s))
        for name, cold_s, hot_s in (("native", 4e-3, 2e-3), ("split_concat", 5e-3, 1e-3))
    }
    records = [make_record(name, timings=both) for name, both in timings.items()]

    frame = BenchTable(make_run(records)).frame.set_index(["implementation", "cache_mode"])

    assert frame["speedup"]["split_concat", "cold"] == pytest.approx(0.8)
    assert frame["speedup"]["split_concat", "hot"] == pytest.approx(2.0)


def test_the_text_fits_eighty_columns_and_has_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as Jupyter's kernels have it
    text = repr(make_table("x" * 30 + " " + "y" * 60))

    assert text == str(make_table("x" * 30 + " " + "y" * 60))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert text.startswith("conv fprop float32, 1x4x9x8 to 6, groups 2, kernel 3x3\n")
    assert "im2col_bmm failed: ValueError: <script>" in text
    assert "  use split_concat" in text


def test_the_html_is_one_accessible_table() -> None:
    html = make_table("a note")._repr_html_()
    elements = Elements(html)

    assert len(elements.named("table")) == len(elements.named("caption")) == 1
    assert [th["scope"] for th in elements.named("th")] == ["col"] * 8 + ["row"] * 4
    assert "<strong>use split_concat" in html
    assert "advised" in html
    assert "a note" in html
    assert "overflow-x:auto" in html


def test_the_html_brings_nothing_that_runs_or_is_loaded() -> None:
    html = make_table("<b>")._repr_html_()

    assert {tag for tag, _ in Elements(html).found} == {
        "div", "table", "caption", "br", "strong", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html
    assert "&lt;b&gt;" in html
    assert not re.search(r"https?:|url\(|src=|href=|\son\w+=", html)


def test_the_bars_are_shares_of_the_slowest() -> None:
    html = make_table()._repr_html_()

    assert re.findall(r"width:([\d.]+)%;height", html) == ["13.1", "25.6", "100.0"]


def test_unsupported_ones_with_the_same_reason_share_a_line() -> None:
    html = make_table()._repr_html_()

    assert "unsupported: pointwise_bmm, depthwise_mac: only 1x1" in html


def test_a_table_in_which_nothing_was_measured_draws_itself() -> None:
    table = BenchTable(make_run([make_record("native", outcome="failed")]))

    assert "none can be recommended" in table._repr_html_()
    assert "none can be recommended" in repr(table)
    assert table.frame["time_s"].isna().all()
    assert table.case == SMALL


def test_importing_the_package_imports_no_torch() -> None:
    code = (
        "import sys, gconvbench; assert 'bench' in dir(gconvbench); print('torch' in sys.modules); "
        "gconvbench.bench; print('torch' in sys.modules); print(hasattr(gconvbench, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True", "False"]
