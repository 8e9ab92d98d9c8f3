"""Every tile of the Triton kernels compiles for a card, which needs none: Triton brings `ptxas`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.cases import Case
from gconvbench.implementations import MEMORY_FORMATS, triton_arguments, triton_support
from gconvbench.implementations import triton_convolution as ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None, reason="Triton is not installed"
    ),
    pytest.mark.skipif(
        triton_support.is_interpreted(), reason="TRITON_INTERPRET: Triton would compile nothing"
    ),
    pytest.mark.filterwarnings("ignore::UserWarning:triton"),
    pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION"),
]

SHARED_BYTES = {80: 163 << 10, 90: 227 << 10}
"""Per block (CUDA C++ Programming Guide, technical specifications per compute capability)."""
POINTERS = {torch.float64: "*fp64", torch.float32: "*fp32", torch.float16: "*fp16",
            torch.bfloat16: "*bf16"}  # fmt: skip
KERNELS = {"convolve": "triton_kernels", "differentiate": "triton_gradient_kernels",
           "add_parts": "triton_gradient_kernels"}  # fmt: skip
Launched = tuple[Any, tuple[Any, ...], dict[str, Any]]


class Recorder:
    """Stands for a kernel, and notes what it is launched with."""

    def __init__(self, kernel: Any, launched: list[Launched]) -> None:
        self.kernel, self.launched = kernel, launched

    def __getitem__(self, grid: tuple[int]) -> Any:
        assert grid[0] > 0
        return lambda *given, **constants: self.launched.append((self.kernel, given, constants))


def launches_of(case: Case, *, every: int) -> list[Launched]:
    """Output and gradients of a case with each, or every so manieth, tile to try; nothing runs."""
    launched: list[Launched] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, module in KERNELS.items():
            home = importlib.import_module(f"gconvbench.implementations.{module}")
            patch.setattr(home, name, Recorder(getattr(home, name), launched))
        patch.setattr(ours, "_run", lambda *given: [given[-1](tile) for tile in given[-2][::every]])
        dtype = getattr(torch, case.dtype)
        x = torch.empty(case.input_shape, dtype=dtype).contiguous(
            memory_format=MEMORY_FORMATS[case.memory_format]
        )
        weight = torch.empty(case.weight_shape, dtype=dtype)
        y = ours._output(case, x, weight, weight.new_empty(case.out_channels))
        ours._input_gradient(case, x, weight, y)
        ours._filter_gradient(case, x, weight, y, with_bias=True)
    return launched


def compiled(launch: Launched, capability: int) -> Any:
    """As Triton would for these arguments, with its usual specialisations."""
    import triton  # noqa: PLC0415
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    kernel, given, constants = launch
    options = {name: value for name, value in constants.items() if name.startswith("num_")}
    signature, constexprs, attributes = {}, {}, {}
    for i, name in enumerate(kernel.arg_names):
        if i >= len(given) or given[i] is None or _is_one(given[i]):
            signature[name] = "constexpr"
            constexprs[i,] = given[i] if i < len(given) else constants[name]
        elif isinstance(given[i], torch.Tensor):
            signature[name] = POINTERS[given[i].dtype]
            attributes[i,] = [["tt.divisibility", 16]]
        else:
            signature[name] = "i32"
            if given[i] % 16 == 0:
                attributes[i,] = [["tt.divisibility", 16]]
    source = ASTSource(fn=kernel, signature=signature, constexprs=constexprs, attrs=attributes)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def _is_one(value: Any) -> bool:
    return not isinstance(value, torch.Tensor) and value == 1


@contextmanager
def fresh_cache(folder: Path) -> Iterator[None]:
    before = os.environ.get("TRITON_CACHE_DIR")
    os.environ["TRITON_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("TRITON_CACHE_DIR")
        if before is not None:
            os.environ["TRITON_CACHE_DIR"] = before


def code_of(
    case: Case, capability: int, folder: Path, *, every: int = 1
) -> dict[str, Sequence[str]]:
    """The PTX of each kernel with each tile, all of which fit into shared memory."""
    found: dict[str, list[str]] = {name: [] for name in KERNELS}
    seen = set()
    with fresh_cache(folder):
        for launch in launches_of(case, every=every):
            kernel, _, constants = launch
            key = (kernel.__name__, *map(str, launch[1][-20:]), str(constants))
            if key in seen:
                continue
            seen.add(key)
            code = compiled(launch, capability)
            assert code.metadata.shared <= SHARED_BYTES[capability], constants
            found[kernel.__name__].append(code.asm["ptx"])
    return dict(found)


def resnext(**fields: Any) -> Case:
    """The first grouped layers of ResNeXt-50."""
    shape = {"groups": 32, "in_channels": 128, "out_channels": 128, "height": 56, "width": 56}
    return Case(**(shape | {"padding": (1, 1), "dtype": "bfloat16"} | fields))


@pytest.mark.parametrize("capability", SHARED_BYTES)
def test_packed_groups_are_multiplied_on_tensor_cores_and_read_in_16_bytes(
    capability: int, tmp_path: Path
) -> None:
    found = code_of(resnext(memory_format="channels_last"), capability, tmp_path)
    products = {80: r"mma\.sync", 90: r"mma\.sync|wgmma\.mma_async"}[capability]
    for name in ("convolve", "differentiate"):
        for ptx in found[name]:
            assert re.search(products, ptx)
            assert re.search(r"ld\.global\S*\.v4\.b32|cp\.async\.cg", ptx)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, r"mma\S*\.bf16"),
        ({"operation": "conv_shuffle", "memory_format": "channels_last"}, r"mma\S*\.bf16"),
        ({"in_channels": 96, "out_channels": 160, "dtype": "float16", "stride": (2, 2)},
         r"mma\S*\.f16"),
        ({"groups": 2, "in_channels": 34, "out_channels": 48, "memory_format": "channels_last"},
         r"mma\S*\.bf16"),
        ({"groups": 4, "dtype": "float32", "math_mode": "tf32"}, r"mma\S*\.tf32"),
        ({"groups": 4, "dtype": "float32"}, r"fma\.rn\.f32"),
        ({"groups": 128, "dtype": "float16", "memory_format": "channels_last"}, r"fma\.rn\.f32"),
        ({"dtype": "float64", "dilation": (2, 1)}, r"fma\.rn\.f64"),
    ],
)  # fmt: skip
def test_each_form_compiles_to_the_arithmetic_it_is_meant_for(
    fields: dict[str, Any], words: str, tmp_path: Path
) -> None:
    found = code_of(resnext(**fields), 90, tmp_path, every=3)
    for name in ("convolve", "differentiate"):
        assert found[name]
        assert all(re.search(words, ptx) for ptx in found[name]), name
    if words.startswith("fma"):
        assert not any("mma." in ptx.replace("fma.", "") for ptx in found["convolve"])


def test_large_tensors_have_offsets_of_64_bits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = resnext(memory_format="channels_last")
    narrow: dict[str, Sequence[str]] = {}
    wide: dict[str, Sequence[str]] = {}
    for found, largest in ((narrow, 1 << 31), (wide, 1)):
        monkeypatch.setattr(triton_arguments, "OFFSETS", largest)
        found.update(code_of(case, 90, tmp_path, every=8))
    for name in ("convolve", "differentiate"):
        for few, many in zip(narrow[name], wide[name], strict=True):
            assert many.count("mul.lo.s64") > few.count("mul.lo.s64"), name
