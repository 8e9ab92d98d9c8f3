"""`torch.compile` around other implementations, and what is said where it cannot be had."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.accuracy import Proof, prove
from gconvbench.cases import DIRECTIONS, Case
from gconvbench.implementations import BUILT_IN, Implementation, compiled, why_unsupported
from gconvbench.implementations.compiled import Compiled
from gconvbench.implementations.native import Native
from gconvbench.operands import normal_operands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

CASE = Case(groups=2, in_channels=4, out_channels=6, height=6, width=5, padding=(1, 1), bias=True)
DEPTHWISE = Case(groups=2, in_channels=2, out_channels=2, height=5, width=4, kernel_size=(1, 2))
ON_REQUEST = [one for one in BUILT_IN if isinstance(one, Compiled)]
NAMES = [one.name for one in ON_REQUEST]

needs_compiler = pytest.mark.skipif(
    compiled._why_no_compiler("cpu") is not None,
    reason=f"compiles for real: {compiled._why_no_compiler('cpu')}",
)
# torch.jit.script_method, which torch itself calls, is deprecated.
ignores_own_warnings = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def named(name: str) -> Implementation:
    return next(one for one in BUILT_IN if one.name == name)


@pytest.fixture(autouse=True)
def fresh_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing compiled before, nothing left behind, and the search for a compiler not yet made."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    compiled._why_no_compiler.cache_clear()
    yield
    torch.compiler.reset()
    compiled._why_no_compiler.cache_clear()


def test_each_compiled_one_is_named_after_its_inner_one_and_measured_on_request() -> None:
    assert NAMES == ["compiled_native", "compiled_split_concat", "compiled_depthwise_mac"]
    for one in ON_REQUEST:
        inner = named(one.name.removeprefix("compiled_"))
        assert inner.name in one.idea
        assert set(one.operations) == {*inner.operations} & {"conv", "conv_shuffle"}


@needs_compiler
@ignores_own_warnings
@pytest.mark.parametrize("name", NAMES)
def test_each_compiled_one_is_right(name: str) -> None:
    case = DEPTHWISE if name == "compiled_depthwise_mac" else CASE
    one = named(name)
    assert why_unsupported(one, case, "cpu") is None
    accuracy = prove(one, Proof.of(case, device="cpu", seed=0), thorough=True)
    assert not accuracy.faults
    assert accuracy.flow == "isolated"
    assert accuracy.layouts == {"all": "not checked: each layout would be compiled anew"}


@needs_compiler
@ignores_own_warnings
@pytest.mark.parametrize("direction", sorted({*DIRECTIONS} - {"fprop"}))
def test_compiled_gradients_and_a_compiled_shuffle_are_right(direction: str) -> None:
    case = replace(CASE, operation="conv_shuffle", direction=direction)
    accuracy = prove(Compiled(Native()), Proof.of(case, device="cpu", seed=0))
    assert not accuracy.faults
    assert {tensor.exact for tensor in accuracy.tensors} == {"equal"}


@needs_compiler
@ignores_own_warnings
def test_each_case_is_compiled_anew_and_once() -> None:
    graphs: list[int] = []

    class Counting(Compiled):
        def _backend(self, graph: Any, inputs: Any) -> Any:
            graphs.append(len(graphs))
            return super()._backend(graph, inputs)

    one = Counting(Native())
    operands = normal_operands(CASE, seed=0, device="cpu")
    first = one.launch(CASE, operands)
    assert len(graphs) == 1
    for _ in range(3):
        first()
        one.launch(CASE, operands.copy())()
    assert len(graphs) == 1
    other = replace(CASE, width=7)
    one.launch(other, normal_operands(other, seed=0, device="cpu"))()
    assert len(graphs) == 2


def test_a_compiler_that_compiles_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    one = Compiled(Native())
    with pytest.raises(RuntimeError, match=r"^torch\.compile did not compile this case$"):
        one.launch(CASE, normal_operands(CASE, seed=0, device="cpu"))


@needs_compiler
@ignores_own_warnings
def test_one_that_was_compiled_before_is_found_out_in_its_next_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Compiled(Native())
    one.launch(CASE, normal_operands(CASE, seed=0, device="cpu"))
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    other = replace(CASE, width=7)
    with pytest.raises(RuntimeError, match="did not compile this case"):
        one.launch(other, normal_operands(other, seed=0, device="cpu"))


class Uncompilable(Native):
    """Leaves the graph, which falls back to eager execution unless the whole is asked for."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if x.sum().item() > 0:
            x = x + 1
        return super().forward(case, x, weight, bias)


@ignores_own_warnings
def test_what_cannot_be_compiled_as_a_whole_raises() -> None:
    one = Compiled(Uncompilable())
    with pytest.raises(Exception, match=r"data-dependent|Unsupported|break"):
        one.launch(CASE, normal_operands(CASE, seed=0, device="cpu"))


def test_the_inner_one_says_what_it_cannot_do() -> None:
    reason = why_unsupported(named("compiled_depthwise_mac"), CASE, "cpu")
    assert reason == "computes 1 input channel per group only, not 2"
    shuffle = replace(CASE, operation="conv_shuffle_dense")
    reason = why_unsupported(named("compiled_native"), shuffle, "cpu")
    assert reason == "computes conv and conv_shuffle, not conv_shuffle_dense"


def test_the_limits_are_those_of_the_inner_one() -> None:
    for one in ON_REQUEST:
        inner = named(one.name.removeprefix("compiled_"))
        for tensor in ("output", "grad_input", "grad_weight", "grad_bias"):
            case = replace(CASE, dtype="float16")
            expected = inner.roundings(case, tensor, "cpu")
            assert one.roundings(case, tensor, "cpu") == expected


def without_compilers(monkeypatch: pytest.MonkeyPatch, *found: str) -> list[str]:
    """Only these programs are on the path; returns those that were looked for."""
    asked: list[str] = []

    def which(name: str) -> str | None:
        asked.append(name)
        return f"/usr/bin/{name}" if name in found else None

    monkeypatch.setattr(shutil, "which", which)
    for variable in ("CC", "CXX"):
        monkeypatch.delenv(variable, raising=False)
    return asked


@pytest.mark.parametrize(
    ("found", "variables", "reason"),
    [
        ((), {}, "torch.compile needs a C++ compiler; none of g++ is found"),
        (("gcc",), {}, "torch.compile needs a C++ compiler; none of g++ is found"),
        (("g++",), {}, None),
        (("g++",), {"CXX": "icpx"}, "torch.compile needs a C++ compiler; none of icpx is found"),
        (("icpx",), {"CXX": "icpx"}, None),
        (("g++",), {"CXX": ""}, None),
        (("g++",), {"CC": "nothing"}, None),
    ],
)
def test_on_the_cpu_it_takes_a_compiler_of_cpp(
    monkeypatch: pytest.MonkeyPatch,
    found: tuple[str, ...],
    variables: dict[str, str],
    reason: str | None,
) -> None:
    without_compilers(monkeypatch, *found)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert why_unsupported(named("compiled_native"), CASE, "cpu") == reason


@pytest.mark.parametrize(
    ("has_triton", "found", "reason"),
    [
        (False, ("gcc",), "torch.compile needs Triton on CUDA, which is not installed"),
        (True, (), "torch.compile needs a C compiler; none of gcc, clang, cc is found"),
        (True, ("g++",), "torch.compile needs a C compiler; none of gcc, clang, cc is found"),
        (True, ("clang",), None),
    ],
)
def test_on_cuda_it_takes_triton_and_a_compiler_of_c(
    monkeypatch: pytest.MonkeyPatch,
    *,
    has_triton: bool,
    found: tuple[str, ...],
    reason: str | None,
) -> None:
    without_compilers(monkeypatch, *found)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if has_triton else None)
    assert why_unsupported(named("compiled_native"), CASE, "cuda") == reason


def test_compilers_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = without_compilers(monkeypatch, "g++")
    for one in ON_REQUEST[:2] * 3:
        assert why_unsupported(one, CASE, "cpu") is None
    assert asked == ["g++"]
