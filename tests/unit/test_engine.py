"""One job in the worker: what is recorded of it, whatever happens."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch

from gconvbench import device as device_module
from gconvbench.cases import DIRECTIONS, Case, case_id
from gconvbench.engine import Engine
from gconvbench.implementations import Implementation, Table, load_table, result_names
from gconvbench.implementations.native import Native
from gconvbench.protocol import AskSupport, Measure
from gconvbench.records import Job, Method, dispatch_text
from gconvbench.start import descriptions
from tests.faults import GroupsSwapped

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

CASE = Case(groups=2, in_channels=4, out_channels=4, height=6, width=6)


def make_engine(*extra: Implementation, check_only: bool = False, target: float = 0.5) -> Engine:
    table = load_table()
    for one in extra:
        table.implementations[one.name] = one
        table.sources[one.name] = "test"
    method = Method(
        clock="host", cache_modes=("hot",), target=target, max_samples=12, min_time_s=0.0,
        warmup_time_s=0.0, check_only=check_only,
    )  # fmt: skip
    return Engine("cpu", method, table)


def job(implementation: str = "native", case: Case = CASE) -> Job:
    return Job(case_id(case), implementation)


class Failing(Implementation):
    """Raises what it is told to."""

    name = "failing"
    idea = "raises"

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def forward(self, case: object, x: object, weight: object, bias: object) -> torch.Tensor:
        raise self._error


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("implementation", ["native", "split_preallocated", "block_diagonal"])
def test_every_direction_is_measured(implementation: str, direction: str) -> None:
    case = Case(groups=2, in_channels=4, out_channels=4, direction=direction, bias=True)
    record = make_engine().measure(Measure(job(implementation, case), 1))
    assert record.outcome == "measured", record.detail


def test_a_right_implementation_is_measured_with_its_proof_and_telemetry() -> None:
    record = make_engine().measure(Measure(job(), 2))
    assert (record.outcome, record.round, record.detail) == ("measured", 2, "")
    assert record.accuracy is not None
    assert record.accuracy.flow == "isolated"
    assert record.timings[0].cache_mode == "hot"
    assert len(record.timings[0].samples_s) >= 10
    assert all(sample_s > 0 for sample_s in record.timings[0].samples_s)
    assert record.telemetry is not None
    assert record.first_launch_s is not None


def test_dispatch_is_recorded_of_a_measured_job_only() -> None:
    record = make_engine().measure(Measure(job(), 1))
    assert record.dispatch is not None
    assert "aten::conv2d" in record.dispatch.operators
    assert make_engine(check_only=True).measure(Measure(job(), 1)).dispatch is None


def test_memory_and_what_the_machine_did_are_recorded_of_a_measured_job() -> None:
    record = make_engine().measure(Measure(job(), 1))
    assert record.memory is not None
    assert record.memory.result_bytes == 4 * 4 * 4 * 4  # four channels of 4x4 numbers of four bytes
    telemetry = record.timings[0].telemetry
    assert telemetry is not None
    assert record.telemetry is not None
    assert 0 < telemetry.wall_s < record.telemetry.wall_s


class ScriptedClock:
    """Readings as scripted, whatever is launched."""

    tick_s = 0.0

    def __init__(self, *samples_s: float) -> None:
        self._samples_s = iter(samples_s)

    def begin(self, launch: object, launch_s: float) -> int:
        return 1

    def chunk(self, launch: object, launches: int) -> tuple[float]:
        return (next(self._samples_s),)

    def labels(self) -> tuple[str, ...]:
        return ()

    def facts(self) -> None:
        return None


@pytest.mark.parametrize(
    ("samples_s", "labels"),
    [
        ([1.0] * 10, set()),
        ([1.0 + n / 100 for n in range(12)], {"drifting", "target not reached"}),
        ([1.0, 9.0, 9.0, 1.0] * 3, {"target not reached"}),
    ],
    ids=["steady", "rising", "unsteady"],
)
def test_labels_follow_the_clock(samples_s: list[float], labels: set[str]) -> None:
    engine = make_engine(target=0.02)
    engine._views._clocks = {"hot": ScriptedClock(*samples_s)}
    record = engine.measure(Measure(job(), 1))
    assert record.outcome == "measured", record.detail
    assert record.timings[0].samples_s == tuple(samples_s)
    assert set(record.timings[0].labels) - {"contended"} == labels


class Sleeping(Native):
    """Sleeps in each launch, and longer in the first."""

    name = "sleeping"

    def __init__(self) -> None:
        self._launches = 0

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        time.sleep(0.002 if self._launches else 0.05)
        self._launches += 1
        return super().forward(case, x, weight, bias)


def test_one_that_lies_idle_is_labelled_and_its_first_launch_is_told_apart() -> None:
    record = make_engine(Sleeping()).measure(Measure(job("sleeping"), 1))
    assert record.outcome == "measured", record.detail
    assert "contended" in record.timings[0].labels  # as one without a core would be
    assert record.first_launch_s is not None
    assert record.first_launch_s >= 0.05


def test_a_wrong_implementation_is_recorded_with_its_error_and_gets_no_time() -> None:
    record = make_engine(GroupsSwapped()).measure(Measure(job("groups_swapped"), 1))
    assert record.outcome == "wrong"
    assert record.timings == ()
    assert record.first_launch_s is None
    assert record.accuracy is not None
    assert record.accuracy.tensors[0].error is not None
    assert "output has error" in record.detail


def test_check_only_proves_and_does_not_time() -> None:
    record = make_engine(check_only=True).measure(Measure(job(), 1))
    assert (record.outcome, record.timings) == ("checked", ())


def test_an_unsupported_job_has_its_reason() -> None:
    record = make_engine().measure(Measure(job("split_stack"), 1))
    assert (record.outcome, record.detail) == ("unsupported", "computes conv_shuffle, not conv")


def test_tf32_does_not_exist_on_the_cpu() -> None:
    tf32 = Case(math_mode="tf32")
    (reason,) = make_engine().support(AskSupport((job(case=tf32),))).reasons
    assert reason == "math_mode tf32 does not exist on cpu"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (MemoryError("no"), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "crashed"),
        (RuntimeError("something else"), "failed"),
        (ZeroDivisionError("division by zero"), "failed"),
    ],
)
def test_an_exception_becomes_an_outcome(error: Exception, outcome: str) -> None:
    record = make_engine(Failing(error)).measure(Measure(job("failing"), 1))
    assert record.outcome == outcome
    assert record.detail == f"{type(error).__name__}: {error}"


def test_a_reason_is_one_line_without_home_or_working_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/somewhere/alice")
    text = f"cannot open /somewhere/alice/x nor {Path.cwd()}/y\nand more"
    record = make_engine(Failing(OSError(text))).measure(Measure(job("failing"), 1))
    assert record.detail == "OSError: cannot open ~/x nor ./y"


def test_the_next_job_is_measured_after_a_failure() -> None:
    engine = make_engine(Failing(ValueError("no")))
    engine.measure(Measure(job("failing"), 1))
    assert engine.measure(Measure(job(), 1)).outcome == "measured"


def test_a_job_that_cannot_fit_is_refused_before_it_takes_the_machine_down() -> None:
    huge = Case(batch=100_000, height=2000, width=2000)
    record = make_engine().measure(Measure(job(case=huge), 1))
    assert record.outcome == "out_of_memory"
    assert "GiB are free" in record.detail


class Undecided(Native):
    """Answers, or raises, something else when asked what it supports."""

    name = "undecided"

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def why_unsupported(self, case: Case, device: str) -> str | None:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (KeyError("x"), "KeyError: 'x'"),
        (SystemExit(3), "SystemExit: 3"),
        (7, "TypeError: why_unsupported returns int instead of str or None"),
    ],
    ids=["raises", "ends the process", "wrong type"],
)
def test_one_that_does_not_say_what_it_supports_fails_by_name(answer: object, detail: str) -> None:
    engine = make_engine(Undecided(answer))
    assert engine.support(AskSupport((job("undecided"), job()))).reasons == (None, None)
    record = engine.measure(Measure(job("undecided"), 1))
    assert (record.outcome, record.detail) == ("failed", detail)


def test_one_from_outside_is_asked_what_it_supports_within_its_job() -> None:
    engine = make_engine(Undecided("not today"))
    assert engine.support(AskSupport((job("undecided"),))).reasons == (None,)
    record = engine.measure(Measure(job("undecided"), 1))
    assert (record.outcome, record.detail) == ("unsupported", "not today")


class Unspeakable(Exception):  # noqa: N818 (it is what it is)
    """Raises when it is shown."""

    def __str__(self) -> str:
        message = "no"
        raise ValueError(message)


@pytest.mark.parametrize("error", [Unspeakable(), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_is_raised_is_named_by_its_type(error: BaseException) -> None:
    record = make_engine(Failing(error)).measure(Measure(job("failing"), 1))
    assert (record.outcome, record.detail) == ("failed", type(error).__name__)


def test_a_dtype_that_the_device_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        message = '"conv" not implemented for Half\nsecond line'
        raise RuntimeError(message)

    monkeypatch.setattr(device_module, "normal_operands", refuse)
    device_module._why_not_computed.cache_clear()
    reason = device_module.why_device_lacks(Case(dtype="float16"), "cpu")
    device_module._why_not_computed.cache_clear()
    assert reason == 'float16 fprop is not available on cpu: "conv" not implemented for Half'


class _Deviant(Native):
    """Native, but for what a test makes of it."""

    name = "deviant"


class Inplace(_Deviant):
    """Writes to its input."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        x.data.mul_(2)
        return y


class Unsettling(_Deviant):
    """Leaves settings of the whole process changed."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(2)
        torch.set_default_device("meta")
        torch.autocast("cpu").__enter__()
        torch.backends.mkldnn.set_flags(_enabled=False)
        torch.set_float32_matmul_precision("medium")
        return super().forward(case, x, weight, bias)


class Stale(_Deviant):
    """Computes once and hands out the result for ever."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        results = super().launch(case, operands)()
        return lambda: results


class Decaying(_Deviant):
    """Right for as long as the proof lasts."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)
        launches = iter(range(10**9))
        return lambda: tuple(r * (1 if next(launches) < 20 else 1.01) for r in right())


class StaleCopies(_Deviant):
    """Computes once, and hands out copies."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        results = super().launch(case, operands)()
        return lambda: tuple(result.clone() for result in results)


class Inferring(_Deviant):
    """Right, and nothing that could be written to outside of inference mode."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)

        def launch() -> tuple[Tensor, ...]:
            with torch.inference_mode():
                return right()

        return launch


class Keeping(_Deviant):
    """Keeps operands of its own, as its `prepare` says."""

    def prepare(self, case: Case, operands: Operands) -> Operands:
        return operands.copy()


class KeepingStale(StaleCopies):
    """Keeps operands of its own, and still computes once."""

    def prepare(self, case: Case, operands: Operands) -> Operands:
        return operands.copy()


class Delegating(_Deviant):
    """Has its `prepare` from an attribute of its own."""

    def __init__(self) -> None:
        self.prepare = Keeping().prepare  # type: ignore[method-assign]


class InAnotherForm(_Deviant):
    """Keeps its operands as tensors without storage."""

    def prepare(self, case: Case, operands: Operands) -> Operands:
        return dataclasses.replace(operands, x=operands.x.to_mkldnn())

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x.to_dense(), weight, bias)


class Entering(_Deviant):
    """Enters inference mode and never leaves it."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        torch.inference_mode().__enter__()
        return super().forward(case, x, weight, bias)


class OfAnotherShape(_Deviant):
    """Loses the last column."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias)[..., :-1]


class Absent(_Deviant):
    """Returns nothing."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        return lambda: None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("deviant", "words"),
    [
        (Inplace(), "changes its input x"),
        (Stale(), "after timing, output is not finite"),
        (Decaying(), "after timing, output has error 0.01"),
        (Absent(), "returns NoneType instead of a tuple of tensors"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_is_not_a_function_of_its_inputs_is_wrong_and_harms_no_other(
    deviant: Implementation, words: str
) -> None:
    engine = make_engine(deviant)
    record = engine.measure(Measure(job("deviant"), 1))
    assert record.outcome == "wrong"
    assert words in record.detail
    assert record.timings == ()
    assert engine.measure(Measure(job(), 1)).outcome == "measured"


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("deviant", [StaleCopies(), KeepingStale()], ids=["given", "prepared"])
def test_copies_of_one_result_are_found_out_in_every_direction(
    deviant: Implementation, direction: str
) -> None:
    case = msgspec.structs.replace(CASE, direction=direction, bias=True)
    record = make_engine(deviant).measure(Measure(job("deviant", case), 1))
    assert record.outcome == "wrong"
    assert record.detail.startswith("after timing, ")
    assert "is the same for other operands: it was computed before" in record.detail
    assert len(record.detail.split(";")) == len(result_names(case))


@pytest.mark.parametrize(
    ("deviant", "direction"),
    [
        *((Keeping(), direction) for direction in DIRECTIONS),
        (Inferring(), "fprop"),
        (InAnotherForm(), "fprop"),
    ],
)
def test_what_computes_anew_is_measured(deviant: Implementation, direction: str) -> None:
    case = msgspec.structs.replace(CASE, direction=direction)
    record = make_engine(deviant).measure(Measure(job("deviant", case), 1))
    assert (record.outcome, record.detail) == ("measured", "")


def test_a_prepare_of_its_own_is_left_as_it_was() -> None:
    delegating, plain = Delegating(), Keeping()
    own = delegating.prepare
    engine = make_engine(delegating)
    assert engine.measure(Measure(job("deviant"), 1)).outcome == "measured"
    assert delegating.prepare == own
    assert make_engine(plain).measure(Measure(job("deviant"), 1)).outcome == "measured"
    assert "prepare" not in vars(plain)


def test_a_result_that_is_the_bias_alone_is_not_called_stale() -> None:
    case = Case(in_channels=2, out_channels=2, height=1, width=1, kernel_size=(1, 1),
                padding=(1, 1), stride=(2, 2), bias=True)  # fmt: skip
    assert make_engine().measure(Measure(job(case=case), 1)).outcome == "measured"


def test_one_that_enters_inference_mode_for_good_harms_no_other() -> None:
    engine = make_engine(Entering())
    engine.measure(Measure(job("deviant"), 1))
    training = msgspec.structs.replace(CASE, direction="training")
    assert engine.measure(Measure(job(case=training), 1)).outcome == "measured"


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_output_of_another_shape_is_called_so_in_every_direction(direction: str) -> None:
    case = msgspec.structs.replace(CASE, direction=direction)
    record = make_engine(OfAnotherShape()).measure(Measure(job("deviant", case), 1))
    assert record.outcome == "wrong"
    assert record.detail == "output has shape (1, 4, 4, 3) instead of (1, 4, 4, 4)"


def test_settings_that_an_implementation_changed_are_put_back() -> None:
    engine = make_engine(Unsettling())
    training = Case(
        groups=2, in_channels=4, out_channels=4, height=6, width=6, direction="training"
    )
    engine.measure(Measure(job("deviant"), 1))
    assert engine.measure(Measure(job(case=training), 1)).outcome == "measured"
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_num_threads() == 1
    assert torch.ones(1).device == torch.device("cpu")
    assert not torch.is_autocast_enabled("cpu")
    assert torch.backends.mkldnn.enabled
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_job_of_an_implementation_that_is_not_installed_is_unsupported() -> None:
    record = make_engine().measure(Measure(job("gone"), 1))
    assert record.outcome == "unsupported"
    assert record.detail == "implementation 'gone' is not installed"


class Earlier(Native):
    """As of a version that knows nothing of what the engine may ask of later ones."""

    name = "earlier"

    def __getattribute__(self, name: str) -> object:
        if name in {"modes", "choices", "is_compiled", "why_not_captured"}:
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_one_of_an_earlier_version_is_measured_by_a_later_engine() -> None:
    record = make_engine(Earlier()).measure(Measure(job("earlier"), 1))
    assert record.outcome == "measured", record.detail
    assert descriptions(Table({"earlier": Earlier()}, {"earlier": "older"}), "")[0].modes == {}


class Choosing(Native):
    """Tries something out, and says what it chose."""

    name = "choosing"

    def choices(self, case: Case) -> tuple[str, ...]:
        return (f"tile: {case.groups}",)


def test_what_was_chosen_is_part_of_the_dispatch() -> None:
    record = make_engine(Choosing()).measure(Measure(job("choosing"), 1))
    assert record.dispatch is not None
    assert record.dispatch.choices == (f"tile: {CASE.groups}",)
    other = msgspec.structs.replace(record.dispatch, choices=("tile: 0",))
    assert dispatch_text(other, record.dispatch).startswith("choices tile: 0 no longer")
