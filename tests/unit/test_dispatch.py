"""Which of PyTorch's operators and of oneDNN's kernels a launch runs."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import torch
from torch.nn.functional import conv2d

from gconvbench.cases import Case
from gconvbench.device import set_switches
from gconvbench.dispatch import (
    CountedDispatch,
    backends_of,
    counted_dispatch,
    cuda_kernels,
    dispatch_of,
)
from gconvbench.implementations import load_table
from gconvbench.operands import normal_operands
from gconvbench.records import Dispatch, dispatch_text, united_dispatch
from gconvbench.settings import preserved_settings

ROOT = Path(__file__).parents[2]


def nothing() -> None:
    """What there is to wait for on the CPU."""


def dispatch(implementation: str, direction: str = "fprop") -> Dispatch:
    case = Case(groups=2, in_channels=8, out_channels=8, height=6, width=6, direction=direction)
    operands = normal_operands(case, seed=0, device="cpu")
    return dispatch_of(load_table().implementations[implementation].launch(case, operands), nothing)


def onednn_dispatch() -> Dispatch:
    x, weight = torch.ones(4, 32, 28, 28), torch.ones(32, 16, 3, 3)
    return dispatch_of(lambda: conv2d(x, weight, groups=2), nothing)


def test_each_operator_is_named_once_in_the_order_of_its_first_use() -> None:
    x = torch.ones(2)
    found = dispatch_of(lambda: (x + x, x * x, x + x), nothing)
    assert found == Dispatch(operators=("aten::add", "aten::mul"))


def test_implementations_and_directions_run_different_operators() -> None:
    native, split = dispatch("native").operators, dispatch("split_concat").operators
    assert "aten::cat" in set(split) - set(native)
    assert "aten::convolution_backward" in dispatch("native", "dgrad").operators
    assert "aten::convolution_backward" not in native


@pytest.mark.parametrize("direction", ["dgrad", "wgrad", "training"])
def test_gradients_are_not_added_to_those_of_the_launch_before(direction: str) -> None:
    assert not {"aten::add_", "aten::add"} & set(dispatch("native", direction).operators)


def test_what_an_operator_is_dispatched_to_shows() -> None:
    seen = []
    for enabled in (True, False):
        with preserved_settings("cpu"):
            set_switches({"onednn_enabled": enabled})
            seen.append(onednn_dispatch())
    assert "aten::mkldnn_convolution no longer" in dispatch_text(*seen)
    assert seen[1].kernels == ()


def test_kernels_of_onednn_are_named_each_once() -> None:
    kernels = onednn_dispatch().kernels
    assert len(set(kernels)) == len(kernels)
    assert any(re.fullmatch(r"onednn::convolution\([a-z_]+:[a-z0-9_]+\)", one) for one in kernels)


def test_a_smaller_instruction_set_shows_in_the_kernels() -> None:
    program = "from tests.unit.test_dispatch import onednn_dispatch; print(onednn_dispatch())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=os.environ | {"ONEDNN_MAX_CPU_ISA": "SSE41"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert re.search(r"onednn::convolution\([a-z_]+:sse41\)", done.stdout)


@pytest.mark.parametrize(
    "line",
    [
        b"onednn_verbose,v1,primitive,exec,cpu,convolution,jit_dw:avx2,forward_training,src:f32\n",
        b"onednn_verbose,primitive,exec,cpu,convolution,jit_dw:avx2,forward_training,src_f32\n",
        b"onednn_verbose,exec,cpu,convolution,jit_dw:avx2,forward_training,src_f32\n",
    ],
)
def test_lines_of_several_versions_of_onednn_are_understood(
    line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dispatch_of(lambda: os.write(1, line), nothing).kernels == (
        "onednn::convolution(jit_dw:avx2)",
    )
    assert capfd.readouterr().out == ""


def test_what_onednn_says_besides_is_no_kernel() -> None:
    said = b"onednn_verbose,v1,info,oneDNN v3.7.1\nonednn_verbose,v1,primitive,exec\n"
    assert dispatch_of(lambda: os.write(1, said), nothing).kernels == ()


def test_what_a_launch_prints_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    def launch() -> None:
        print("by Python")
        os.write(1, b"by C\n")

    print("before")
    assert dispatch_of(launch, nothing).kernels == ()
    print("after")
    assert set(capfd.readouterr().out.splitlines()) == {"before", "by C", "by Python", "after"}


def test_a_line_begun_by_a_launch_hides_no_kernel(capfd: pytest.CaptureFixture[str]) -> None:
    said = b"begun onednn_verbose,exec,cpu,convolution,jit:avx2,forward\n"
    found = dispatch_of(lambda: os.write(1, said), nothing)
    assert found.kernels == ("onednn::convolution(jit:avx2)",)
    assert capfd.readouterr().out == "begun "


@pytest.mark.parametrize("variable", ["ONEDNN_VERBOSE", "DNNL_VERBOSE", "MKLDNN_VERBOSE"])
def test_whoever_wants_lines_of_onednn_gets_them(
    variable: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "1")
    line = b"onednn_verbose,exec,cpu,convolution,jit:avx2,forward\n"
    assert dispatch_of(lambda: os.write(1, line), nothing).kernels == ()
    assert capfd.readouterr().out == line.decode()


def test_without_standard_output_no_kernels_are_known() -> None:
    program = (
        "import os, sys; from tests.unit.test_dispatch import onednn_dispatch; "
        "os.close(1); sys.stdout = None; "
        "found = onednn_dispatch(); print(found.operators[0], found.kernels, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "aten::conv2d ()\n"


def test_where_no_temporary_file_can_be_made_no_kernels_are_known_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    onednn_dispatch()
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert onednn_dispatch().kernels == ()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_closed_stream_of_python_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert onednn_dispatch().kernels


def test_without_the_profiler_no_operators_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.autograd.profiler_legacy", None)
    assert onednn_dispatch().operators == ()


def test_somebody_elses_profiler_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    activities = [torch.profiler.ProfilerActivity.CPU]
    x = torch.ones(2)
    with torch.profiler.profile(activities=activities) as theirs:
        assert dispatch_of(lambda: x + x, nothing).operators == ()
        x.mul(x)
    capfd.readouterr()  # it prints
    assert "aten::mul" in {event.name for event in theirs.events() or ()}


def test_what_a_launch_raises_is_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        dispatch_of(lambda: 1 / 0, nothing)
    os.write(1, b"still there")
    assert capfd.readouterr().out == "still there"


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (["a", "b"], ["b", "c"], "a no longer, c now"),
        (["a", "b"], ["b", "a"], ""),
        (["aten::view", "a"], ["aten::slice", "b"],
         "a no longer, b now, aten::view no longer, aten::slice now"),
        ([], ["a"], ""),
        (["a"], [], ""),
        (["a"], list("abcdefghi"), "b now, c now, d now, e now, f now, g now, and 2 more"),
    ],
)  # fmt: skip
def test_a_difference_is_named_where_both_are_known(
    before: list[str], after: list[str], text: str
) -> None:
    sides = [Dispatch(operators=tuple(before)), Dispatch(operators=tuple(after))]
    assert dispatch_text(*sides) == (text and f"operators {text}")
    sides = [Dispatch(kernels=tuple(before)), Dispatch(kernels=tuple(after))]
    assert dispatch_text(*sides) == (text and f"kernels {text}")
    sides = [Dispatch(backends=tuple(before)), Dispatch(backends=tuple(after))]
    assert dispatch_text(*sides) == (text and f"backends {text}")


def counted(implementation: str, groups: int = 3) -> CountedDispatch:
    case = Case(groups=groups, in_channels=12, out_channels=12, height=6, width=6)
    operands = normal_operands(case, seed=0, device="cpu")
    launch = load_table().implementations[implementation].launch(case, operands)
    return counted_dispatch(launch, nothing)


def test_operators_that_compute_are_counted_and_no_others() -> None:
    x = torch.ones(2)
    found = counted_dispatch(lambda: (x + x, x.view(1, 2).t(), x * x, x + x), nothing)
    assert found.operators == {"aten::add": 2, "aten::mul": 1}
    assert found.kernels == {}


def test_splitting_is_counted_group_by_group() -> None:
    split, native = counted("split_concat").operators, counted("native").operators
    assert split is not None
    assert native is not None
    assert sorted(split.values()) == [1, 3]
    assert split["aten::cat"] == 1
    assert sum(native.values()) == 1


def test_kernels_that_cannot_be_seen_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")
    assert counted("native").kernels is None


def test_operators_that_cannot_be_seen_are_none() -> None:
    with torch.autograd.profiler.profile():
        assert counted("native").operators is None


def test_copies_that_an_operator_makes_for_itself_are_not_counted_but_others_are() -> None:
    x = torch.ones(1, 1, 6, 6)
    weight = torch.ones(1, 1, 3, 3)
    with preserved_settings("cpu"):
        torch.backends.mkldnn.set_flags(_enabled=False)
        convolved = counted_dispatch(lambda: conv2d(x, weight), nothing).operators
    assert convolved is not None
    assert list(convolved.values()) == [1]
    assert "conv" in next(iter(convolved))
    copied = counted_dispatch(lambda: (x.clone(), x.double(), x + x), nothing).operators
    assert copied == {"aten::copy_": 2, "aten::add": 1}


def test_kernels_are_counted_with_their_share_of_the_time(
    capfd: pytest.CaptureFixture[str],
) -> None:
    lines = b"".join(
        b"onednn_verbose,v1,primitive,exec,cpu,%s,forward,src:f32,%s\n" % (kernel, milliseconds)
        for kernel, milliseconds in [
            (b"reorder,jit:blk", b"0.25"),
            (b"convolution,jit:avx2", b"1.5"),
            (b"reorder,jit:blk", b"0.25"),
        ]
    )
    found = dispatch_of(lambda: os.write(1, lines), nothing)
    assert found.counts == {"onednn::reorder(jit:blk)": 2, "onednn::convolution(jit:avx2)": 1}
    assert found.shares == {
        "onednn::reorder(jit:blk)": 0.25,
        "onednn::convolution(jit:avx2)": 0.75,
    }
    assert found.kernel_launches == 3
    assert capfd.readouterr().out == ""


def test_without_the_time_of_each_there_are_no_shares() -> None:
    lines = b"onednn_verbose,exec,cpu,sum,ref,a,1.0\nonednn_verbose,exec,cpu,sum,ref,a,soon\n"
    found = dispatch_of(lambda: os.write(1, lines), nothing)
    assert (found.counts, found.shares) == ({"onednn::sum(ref)": 2}, {})


def test_shares_of_real_kernels_add_up() -> None:
    assert sum(onednn_dispatch().shares.values()) == pytest.approx(1.0, abs=1e-3)


def test_the_backend_of_each_convolution_is_named_forwards_and_backwards() -> None:
    x, weight = torch.ones(2, 8, 9, 9), torch.ones(8, 4, 3, 3, requires_grad=True)

    def train() -> object:
        y = conv2d(x, weight, groups=2)
        return torch.autograd.grad(y, weight, torch.ones_like(y))

    seen = {}
    for enabled in (True, False):
        with preserved_settings("cpu"):
            set_switches({"onednn_enabled": enabled})
            seen[enabled] = backends_of(train, nothing)
    assert seen[True] == ("Mkldnn",)
    assert len(seen[False]) == 1
    assert "Mkldnn" not in seen[False]


def test_what_is_no_convolution_has_no_backend() -> None:
    x = torch.ones(2)
    assert backends_of(lambda: x + x, nothing) == ()


@pytest.mark.parametrize("error", [None, TypeError("another signature"), RuntimeError("no")])
def test_a_private_question_that_is_gone_or_asks_for_more_is_no_error(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        assert error is not None
        raise error

    monkeypatch.setattr(torch._C, "_select_conv_backend", error and refuse)
    assert (
        backends_of(lambda: conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)), nothing) == ()
    )


class ScriptedProfiler:
    """What a device's profiler lists: kernels, and what is none of its work."""

    def __init__(self, *events: tuple[str, str, float]) -> None:
        self._events = events
        self.is_open = False

    def __call__(self, **options: Any) -> ScriptedProfiler:
        assert options["activities"] == [torch.profiler.ProfilerActivity.CUDA]
        return self

    def __enter__(self) -> Self:
        self.is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False

    def events(self) -> list[Any]:
        return [
            SimpleNamespace(
                name=name,
                device_type=getattr(torch.autograd.DeviceType, device),  # type: ignore[attr-defined]
                time_range=SimpleNamespace(elapsed_us=lambda time_us=time_us: time_us),
            )
            for device, name, time_us in self._events
        ]


def test_kernels_of_a_card_are_counted_with_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = ScriptedProfiler(
        ("CPU", "cudaLaunchKernel", 5.0),
        ("CUDA", "implicit_gemm", 6.0),
        ("CUDA", "Memset (Device)", 1.0),
        ("CUDA", "implicit_gemm", 3.0),
        ("CUDA", "Context Sync", 100.0),
    )
    monkeypatch.setattr(torch.profiler, "profile", profiler)
    launched = []
    found = cuda_kernels(lambda: launched.append(profiler.is_open), nothing)
    assert launched == [True]
    assert found.kernels == ("implicit_gemm", "Memset (Device)")
    assert found.counts == {"implicit_gemm": 2, "Memset (Device)": 1}
    assert found.shares == {"implicit_gemm": 0.9, "Memset (Device)": 0.1}


def test_a_profiler_that_sees_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.profiler, "profile", ScriptedProfiler(("CPU", "aten::add", 1.0)))
    with pytest.raises(RuntimeError, match="saw no kernels"):
        cuda_kernels(lambda: None, nothing)


def test_of_several_the_first_that_has_counts_gives_them() -> None:
    united = united_dispatch([
        Dispatch(operators=("aten::a",), backends=("Cudnn",)),
        None,
        Dispatch(kernels=("k",), counts={"k": 2}, shares={"k": 1.0}),
        Dispatch(kernels=("k", "l"), counts={"k": 3, "l": 1}, shares={"k": 0.5, "l": 0.5}),
    ])  # fmt: skip
    assert united.operators == ("aten::a",)
    assert united.backends == ("Cudnn",)
    assert united.kernels == ("k", "l")
    assert united.counts == {"k": 2}
    assert united.shares == {"k": 1.0}  # of one process: those of several do not add up
