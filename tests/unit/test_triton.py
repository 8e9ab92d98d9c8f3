"""The Triton implementations: right in Triton's interpreter; what is said where they cannot run.

On a device they are tested by `tests/gpu/test_triton.py`; that all tiles compile, by
`test_triton_compiles.py`.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.cases import DIRECTIONS, DTYPES, MEMORY_FORMATS, Case, case_id, flops
from gconvbench.implementations import BUILT_IN, Implementation, triton_support, why_unsupported
from gconvbench.implementations import triton_tiles as tiles
from gconvbench.records import ISOLATED_IF_FINITE, RIGHT
from tests.interpreted import FAULTS, Interpreter, interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)
NAMES = ("triton_implicit_gemm", "triton_fused_shuffle")
NARROW = ("float16", "bfloat16")
NO_DEVICE = "needs a CUDA device; on the CPU TRITON_INTERPRET=1 has it interpreted, slowly"
# Operation, groups, channels per group in and out, dtype, memory format, direction. Three groups of
# five to seven channels are packed in twos, so that the last pack lacks one.
MATRIX: tuple[tuple[str, int, int, int, str, str, str], ...] = (
    ("conv", 1, 3, 5, "float32", "contiguous", "training"),
    ("conv", 1, 17, 16, "float16", "channels_last", "dgrad"),
    ("conv", 1, 1, 17, "float32", "contiguous", "fprop"),
    ("conv", 2, 16, 16, "bfloat16", "contiguous", "training"),
    ("conv", 2, 17, 3, "float32", "channels_last", "wgrad"),
    ("conv", 2, 1, 16, "bfloat16", "channels_last", "dgrad"),
    ("conv", 3, 4, 4, "float16", "channels_last", "training"),
    ("conv", 2, 3, 4, "float64", "channels_last", "training"),
    ("conv", 3, 3, 5, "bfloat16", "contiguous", "fprop"),
    ("conv", 3, 4, 1, "float32", "contiguous", "wgrad"),
    ("conv", 3, 7, 5, "float16", "contiguous", "training"),
    ("conv", 4, 1, 1, "float16", "contiguous", "training"),
    ("conv", 4, 1, 2, "float32", "channels_last", "training"),
    ("conv_shuffle", 2, 16, 17, "float16", "channels_last", "training"),
    ("conv_shuffle", 2, 3, 3, "float64", "contiguous", "fprop"),
    ("conv_shuffle", 3, 4, 4, "bfloat16", "contiguous", "training"),
    ("conv_shuffle", 3, 17, 1, "float32", "channels_last", "dgrad"),
    ("conv_shuffle", 4, 2, 3, "bfloat16", "channels_last", "wgrad"),
    ("conv_shuffle", 3, 5, 7, "float16", "channels_last", "training"),
    ("conv_shuffle", 4, 1, 2, "float32", "contiguous", "training"),
)
GEOMETRIES: tuple[dict[str, Any], ...] = (
    {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "bias": True},
    {"kernel_size": (3, 2), "stride": (1, 3), "padding": (2, 0), "dilation": (2, 1)},
    {"kernel_size": (3, 3), "padding": (1, 1), "bias": True},
    {"kernel_size": (1, 1), "stride": (2, 2), "bias": True},
)


def named(name: str) -> Implementation:
    return next(one for one in BUILT_IN if one.name == name)


def case_of(row: int) -> Case:
    operation, groups, inputs, outputs, dtype, memory_format, direction = MATRIX[row]
    return Case(
        operation=operation, groups=groups, in_channels=groups * inputs,
        out_channels=groups * outputs, batch=2, height=6, width=5, dtype=dtype,
        memory_format=memory_format, direction=direction, **GEOMETRIES[row % len(GEOMETRIES)],
    )  # fmt: skip


@pytest.fixture(scope="module")
def interpreted() -> Iterator[Interpreter]:
    with interpreter() as process:
        yield process


@needs_triton
@pytest.mark.parametrize("row", range(len(MATRIX)))
def test_kernels_are_right_in_the_interpreter(row: int, interpreted: Interpreter) -> None:
    case = case_of(row)
    found = interpreted.ask(case_id(case), turn=row)
    assert found["faults"] == []
    assert found["exact"] == ["equal"]
    widest = max(case.group_in_channels, case.group_out_channels)
    is_packed = case.dtype in NARROW and case.group_in_channels > 1 and widest < 16
    leaks = is_packed and case.groups > 1 and case.direction != "wgrad"  # it keeps the diagonal
    assert found["flow"] == (ISOLATED_IF_FINITE if leaks else "isolated")


def test_the_matrix_leaves_out_no_type_direction_format_or_width() -> None:
    columns = [set(column) for column in zip(*MATRIX, strict=True)]
    assert columns[0] == {"conv", "conv_shuffle"}
    assert columns[1] >= {1, 2, 3}
    assert columns[2] >= {1, 3, 4, 16, 17}
    assert columns[4:] == [{*DTYPES}, {*MEMORY_FORMATS}, {*DIRECTIONS}]


@needs_triton
@pytest.mark.parametrize("row", [3, 6, 18, 19])
def test_operands_may_lie_in_memory_in_any_way(row: int, interpreted: Interpreter) -> None:
    """Wide, packed, packed and shuffled, and summed elementwise."""
    found = interpreted.ask(case_id(case_of(row)), what="layouts")
    assert set(found["layouts"].values()) == {RIGHT}
    assert found["keeps_memory_format"] == [True, True]


@needs_triton
@pytest.mark.parametrize("fault", [*FAULTS, ""])
def test_planted_faults_are_caught(fault: str, interpreted: Interpreter) -> None:
    case = Case(
        operation="conv_shuffle", groups=3, in_channels=12, out_channels=12, batch=4, height=6,
        width=5, kernel_size=(2, 2), padding=(1, 1), direction="training", dtype="float16",
    )  # fmt: skip
    assert bool(interpreted.ask(case_id(case), fault=fault)["faults"]) == bool(fault)


@needs_triton
def test_the_command_line_checks_them_where_triton_interprets(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    case = "g2mb1ic6ih4iw3oc4kh2:conv:bfloat16:channels_last:fprop"
    command = ["check", "--case", case, "--implementation", NAMES[0], "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "gconvbench", *command, "--device", "cpu"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert NAMES[0] in done.stdout


@pytest.fixture
def fresh_reasons(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing remembered of this machine, nothing left behind."""
    for variable in ("TRITON_INTERPRET", "CC"):
        monkeypatch.delenv(variable, raising=False)
    triton_support._why_not_here.cache_clear()
    yield
    triton_support._why_not_here.cache_clear()


@pytest.mark.usefixtures("fresh_reasons")
@pytest.mark.parametrize(
    ("device", "variables", "capability", "compilers", "reason"),
    [
        ("cpu", {}, None, (), NO_DEVICE),
        ("cpu", {"TRITON_INTERPRET": "0"}, None, (), NO_DEVICE),
        ("cpu", {"TRITON_INTERPRET": "1"}, None, (), None),
        ("cuda", {"TRITON_INTERPRET": "1"}, (9, 0), ("gcc",),
         "TRITON_INTERPRET=1 would interpret it, not run it on cuda"),
        ("cuda:1", {}, (7, 5), ("gcc",), "needs compute capability 8.0, cuda:1 has 7.5"),
        ("cuda", {}, (8, 0), (), "Triton needs a C compiler; none of gcc, clang is found"),
        ("cuda", {"CC": "icx"}, (8, 0), ("gcc",),
         "Triton needs a C compiler; none of icx is found"),
        ("cuda", {}, (8, 0), ("clang",), None),
        ("cuda", {}, (12, 0), ("gcc",), None),
    ],
)  # fmt: skip
def test_where_they_cannot_run_there_is_one_reason(  # noqa: PLR0913, PLR0917
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    variables: dict[str, str],
    capability: tuple[int, int] | None,
    compilers: tuple[str, ...],
    reason: str | None,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(shutil, "which", lambda name: name if name in compilers else None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name, operation in zip(NAMES, ("conv", "conv_shuffle"), strict=True):
        case = Case(operation=operation, groups=2)
        assert why_unsupported(named(name), case, device) == reason


@pytest.mark.usefixtures("fresh_reasons")
def test_without_triton_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    reason = named(NAMES[0]).why_unsupported(Case(), "cuda")
    assert reason == "needs Triton, which is not installed: pip install 'gconvbench[triton]'"


@needs_triton
@pytest.mark.usefixtures("fresh_reasons")
@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"batch": 2**15, "height": 256, "width": 256, "padding": (1, 1)}, 2**31),
        ({"batch": 2**15, "height": 256, "width": 255, "padding": (1, 1)}, None),
        ({"in_channels": 2**15, "height": 256, "width": 256}, 2**31),
    ],
)
def test_what_32_bits_cannot_count_is_refused(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], number: int | None
) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    reason = named(NAMES[0]).why_unsupported(Case(**fields), "cpu")
    words = "counts pixels and an image's elements in 32 bits; {} are too many"
    assert reason == (None if number is None else words.format(number))


def test_importing_the_table_does_not_import_triton() -> None:
    code = "import gconvbench.implementations, sys; sys.exit('triton' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_result_is_rounded_once_and_zeros_are_counted() -> None:
    packed = Case(groups=32, in_channels=128, out_channels=128, dtype="bfloat16", bias=True)
    for name in NAMES:
        for tensor in ("output", "grad_input", "grad_weight", "grad_bias"):
            assert named(name).roundings(packed, tensor, "cpu") == 1
        assert named(name).executed_flops(packed) == 4 * flops(packed)


@pytest.mark.parametrize(
    ("fields", "is_summed", "pack"),
    [
        ({"groups": 32, "in_channels": 128, "out_channels": 128, "dtype": "bfloat16"}, False, 4),
        ({"groups": 2, "in_channels": 6, "out_channels": 6, "dtype": "bfloat16"}, False, 2),
        ({"groups": 4, "in_channels": 12, "out_channels": 20, "dtype": "float16"}, False, 3),
        ({"groups": 4, "in_channels": 64, "out_channels": 64, "dtype": "float16"}, False, 1),
        ({"groups": 8, "in_channels": 8, "out_channels": 8, "dtype": "float16"}, True, 16),
        ({"groups": 8, "in_channels": 32, "out_channels": 32}, True, 4),
        ({"groups": 8, "in_channels": 32, "out_channels": 32, "math_mode": "tf32"}, False, 4),
        ({"groups": 4, "in_channels": 32, "out_channels": 32}, False, 2),
        ({"groups": 1, "dtype": "float64"}, True, 1),
    ],
)
def test_the_form_follows_from_the_case(
    fields: dict[str, Any], *, is_summed: bool, pack: int
) -> None:
    case = Case(**fields)
    assert tiles.sums(case) == is_summed
    assert tiles.pack_of(case) == min(pack, case.groups)


@pytest.mark.parametrize("row", range(len(MATRIX)))
def test_tiles_are_powers_of_two_and_large_enough_for_tensor_cores(row: int) -> None:
    case = case_of(row)
    inputs, outputs = case.group_in_channels, case.group_out_channels
    candidates = (
        *tiles.tiles_of_convolution(case, inputs, outputs),
        *tiles.tiles_of_convolution(case, outputs, inputs),
        *tiles.tiles_of_gradient(case),
    )
    for tile in candidates:
        sizes = (tile.pixels, tile.outputs, tile.inputs, tile.taps)
        assert all(size & (size - 1) == 0 for size in sizes)
        assert 1 <= tile.pack <= case.groups
        if not tiles.sums(case):
            assert min(tile.pixels, tile.outputs, tile.inputs) >= 16


class Scripted:
    """A benchmark that takes what it is told, or raises it."""

    def __init__(self, times_ms: dict[int, float | Exception]) -> None:
        self.times_ms = times_ms
        self.launched: list[int] = []

    def __call__(self, launch: Any, **_: Any) -> float:
        launch()
        took = self.times_ms[self.launched[-1]]
        if isinstance(took, Exception):
            raise took
        return took


@needs_triton
@pytest.mark.parametrize(
    ("times_ms", "best"),
    [
        ({16: 1.0, 32: 0.5, 64: 2.0}, 32),
        ({16: 1.0, 32: 0.96, 64: 0.97}, 16),
        ({16: 1.0, 32: 0.96, 64: 0.94}, 64),
        ({16: torch.OutOfMemoryError("out of resource"), 32: 1.0, 64: 3.0}, 32),
    ],
)
def test_a_tile_must_be_clearly_faster_than_those_before_it(
    monkeypatch: pytest.MonkeyPatch, times_ms: dict[int, float | Exception], best: int
) -> None:
    bench = Scripted(times_ms)
    monkeypatch.setattr("triton.testing.do_bench", bench)
    monkeypatch.setattr(tiles, "_TUNED", {})
    candidates = [tiles.Tile(pixels=pixels, outputs=16) for pixels in times_ms]
    for _ in range(2):
        found = tiles.tuned("key", candidates, lambda tile: bench.launched.append(tile.pixels))
        assert found.pixels == best
    assert bench.launched == [16, 32, 64]
    choice = tiles.chosen()["key"]
    failures = [took for took in times_ms.values() if isinstance(took, Exception)]
    assert len(choice.times_ms) == 3 - len(failures)
    assert [words for _, words in choice.failures] == [
        f"OutOfMemoryError: {one}" for one in failures
    ]


@needs_triton
def test_where_no_tile_can_be_launched_the_last_reason_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Scripted({n: torch.OutOfMemoryError(word) for n, word in ((16, "first"), (32, "last"))})
    monkeypatch.setattr("triton.testing.do_bench", bench)
    monkeypatch.setattr(tiles, "_TUNED", {})
    candidates = [tiles.Tile(pixels=pixels, outputs=16) for pixels in (16, 32)]
    with pytest.raises(torch.OutOfMemoryError, match="last"):
        tiles.tuned("key", candidates, lambda tile: bench.launched.append(tile.pixels))
    assert not tiles.chosen()


@needs_triton
def test_a_card_that_is_lost_is_no_tile_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Scripted({16: RuntimeError("CUDA error: an illegal memory access"), 32: 1.0})
    monkeypatch.setattr("triton.testing.do_bench", bench)
    monkeypatch.setattr(tiles, "_TUNED", {})
    candidates = [tiles.Tile(pixels=pixels, outputs=16) for pixels in (16, 32)]
    with pytest.raises(RuntimeError, match="illegal memory access"):
        tiles.tuned("key", candidates, lambda tile: bench.launched.append(tile.pixels))
    assert bench.launched == [16]
