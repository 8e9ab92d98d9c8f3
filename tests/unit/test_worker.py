"""One job in the worker: what is recorded of it, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from gconvbench import device as device_module
from gconvbench.cases import DIRECTIONS, Case, case_id
from gconvbench.implementations import Implementation, load_table
from gconvbench.implementations.native import Native
from gconvbench.protocol import Explain, Measure
from gconvbench.records import Job, Method
from gconvbench.worker import Worker
from tests.faults import GroupsSwapped

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

CASE = Case(groups=2, in_channels=4, out_channels=4, height=6, width=6)


def make_worker(*extra: Implementation, check_only: bool = False) -> Worker:
    table = load_table()
    for one in extra:
        table.implementations[one.name] = one
        table.sources[one.name] = "test"
    method = Method(
        clock="host", cache_modes=("hot",), target=0.5, max_samples=12, min_time_s=0.0,
        warmup_time_s=0.0, check_only=check_only,
    )  # fmt: skip
    return Worker("cpu", method, table)


def job(implementation: str = "native", case: Case = CASE) -> Job:
    return Job(case_id(case), implementation)


class Failing(Implementation):
    """Raises what it is told to."""

    name = "failing"
    idea = "raises"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def forward(self, case: object, x: object, weight: object, bias: object) -> torch.Tensor:
        raise self._error


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("implementation", ["native", "split_preallocated", "block_diagonal"])
def test_every_direction_is_measured(implementation: str, direction: str) -> None:
    case = Case(groups=2, in_channels=4, out_channels=4, direction=direction, bias=True)
    record = make_worker().measure(Measure(job(implementation, case), 1))
    assert record.outcome == "measured", record.detail


def test_a_right_implementation_is_measured_with_its_proof_and_telemetry() -> None:
    record = make_worker().measure(Measure(job(), 2))
    assert (record.outcome, record.round, record.detail) == ("measured", 2, "")
    assert record.accuracy is not None
    assert record.accuracy.flow == "isolated"
    assert record.timings[0].cache_mode == "hot"
    assert len(record.timings[0].samples_s) >= 10
    assert all(sample_s > 0 for sample_s in record.timings[0].samples_s)
    assert record.telemetry is not None
    assert record.first_launch_s is not None


def test_a_wrong_implementation_is_recorded_with_its_error_and_gets_no_time() -> None:
    record = make_worker(GroupsSwapped()).measure(Measure(job("groups_swapped"), 1))
    assert record.outcome == "wrong"
    assert record.timings == ()
    assert record.first_launch_s is None
    assert record.accuracy is not None
    assert record.accuracy.tensors[0].error is not None
    assert "output has error" in record.detail


def test_check_only_proves_and_does_not_time() -> None:
    record = make_worker(check_only=True).measure(Measure(job(), 1))
    assert (record.outcome, record.timings) == ("checked", ())


def test_an_unsupported_job_has_its_reason() -> None:
    record = make_worker().measure(Measure(job("split_stack"), 1))
    assert (record.outcome, record.detail) == ("unsupported", "computes conv_shuffle, not conv")


def test_tf32_does_not_exist_on_the_cpu() -> None:
    tf32 = Case(math_mode="tf32")
    (reason,) = make_worker().explain(Explain((job(case=tf32),))).reasons
    assert reason == "math_mode tf32 does not exist on cpu"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (MemoryError("no"), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "crashed"),
        (RuntimeError("something else"), "failed"),
        (ZeroDivisionError("division by zero"), "failed"),
    ],
)
def test_an_exception_becomes_an_outcome(error: Exception, outcome: str) -> None:
    record = make_worker(Failing(error)).measure(Measure(job("failing"), 1))
    assert record.outcome == outcome
    assert record.detail == f"{type(error).__name__}: {error}"


def test_a_reason_is_one_line_without_home_or_working_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/somewhere/alice")
    text = f"cannot open /somewhere/alice/x nor {Path.cwd()}/y\nand more"
    record = make_worker(Failing(OSError(text))).measure(Measure(job("failing"), 1))
    assert record.detail == "OSError: cannot open ~/x nor ./y"


def test_the_next_job_is_measured_after_a_failure() -> None:
    worker = make_worker(Failing(ValueError("no")))
    worker.measure(Measure(job("failing"), 1))
    assert worker.measure(Measure(job(), 1)).outcome == "measured"


def test_a_job_that_cannot_fit_is_refused_before_it_takes_the_machine_down() -> None:
    huge = Case(batch=100_000, height=2000, width=2000)
    record = make_worker().measure(Measure(job(case=huge), 1))
    assert record.outcome == "out_of_memory"
    assert "GiB are free" in record.detail


def test_an_implementation_whose_support_check_raises_is_unsupported_by_name() -> None:
    class Undecided(Failing):
        name = "undecided"

        def why_unsupported(self, case: Case, device: str) -> str | None:
            raise self._error

    record = make_worker(Undecided(KeyError("x"))).measure(Measure(job("undecided"), 1))
    assert record.outcome == "unsupported"
    assert record.detail == "why_unsupported raised KeyError: 'x'"


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
    worker = make_worker(deviant)
    record = worker.measure(Measure(job("deviant"), 1))
    assert record.outcome == "wrong"
    assert words in record.detail
    assert record.timings == ()
    assert worker.measure(Measure(job(), 1)).outcome == "measured"


def test_settings_that_an_implementation_changed_are_put_back() -> None:
    worker = make_worker(Unsettling())
    training = Case(
        groups=2, in_channels=4, out_channels=4, height=6, width=6, direction="training"
    )
    worker.measure(Measure(job("deviant"), 1))
    assert worker.measure(Measure(job(case=training), 1)).outcome == "measured"
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_num_threads() == 1


def test_a_job_of_an_implementation_that_is_not_installed_is_unsupported() -> None:
    record = make_worker().measure(Measure(job("gone"), 1))
    assert record.outcome == "unsupported"
    assert record.detail == "implementation 'gone' is not installed"
