"""The fixture `gconv_benchmark`. Imports torch only where a test has brought it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest

from gconvbench.adapters.replay import replay
from gconvbench.cases import Case, case_id, parse_case
from gconvbench.errors import GconvbenchError, UsageError
from gconvbench.planning import make_method, refuse_device
from gconvbench.records import Job, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gconvbench.adapters.pytest_state import State
    from gconvbench.adapters.session import Asked

__all__ = ["GconvBenchmark"]


class GconvBenchmark:
    """Proves and times by gconvbench's engine, and hands the samples to pytest-benchmark.

    Made by the fixture; call it once in a test.

    Args:
        state_of: makes the session's state, or gives the one that is there.
        benchmark: pytest-benchmark's fixture of the same test.
        test: the test's id.
    """

    def __init__(
        self,
        state_of: Callable[[], State],
        benchmark: Any,  # noqa: ANN401
        test: str,
    ) -> None:
        self._state_of = state_of
        self._benchmark = benchmark
        self._test = test
        self._is_used = False

    def __call__(  # noqa: PLR0913 (keyword-only, one per choice)
        self,
        what: Any,  # noqa: ANN401 (a case in one of its forms, or a callable)
        *arguments: Any,  # noqa: ANN401
        implementation: Any = None,  # noqa: ANN401 (a name, or code)
        input_shape: Sequence[int] | None = None,
        direction: str | None = None,
        expected: object = None,
        rtol: float | None = None,
        atol: float | None = None,
        device: str | None = None,
    ) -> Any:  # noqa: ANN401
        """Prove, then time; a wrong result fails the test and leaves no time.

        A case is measured with operands of the engine's: a built-in or installed implementation,
        by its name, in worker processes, and one that the test brings in this process, with a
        proof against float64 either way. A callable is timed as it is.

        Args:
            what: a case id, a `Case`, a `torch.nn.Conv2d`, or a callable.
            arguments: of a callable.
            implementation: of a case: a name, an `Implementation`, or a function with the
                signature of `torch.nn.functional.conv2d`; by default `native`.
            input_shape: (N, C, H, W), of a `Conv2d`.
            direction: of a case: `fprop`, `dgrad`, `wgrad` or `training`; by default its own.
            expected: of a callable: the right result, or a function that returns it; compared by
                `torch.testing.assert_close` before anything is timed. Without it nothing is.
            rtol: relative tolerance of `expected`; by default that of the result's dtype.
            atol: absolute tolerance, likewise.
            device: `cpu`, `cuda` or `cuda:1`; by default that of GCONVBENCH_DEVICE or the usual
                one, of a callable that of its tensors.

        Returns:
            The first record of a case; the result of a callable.
        """
        try:
            self._refuse_second_use()
            case = _case(what, arguments, input_shape)
            of_case = {"direction": direction, "implementation": implementation}
            of_callable = {"expected": expected, "rtol": rtol, "atol": atol}
            if case is None:
                _refuse(of_case | {"input_shape": input_shape}, "a case", what)
                if expected is None:
                    _refuse({"rtol": rtol, "atol": atol}, "expected", what)
                return self._time_callable(what, arguments, expected, (rtol, atol), device)
            _refuse(of_callable | {"arguments": arguments or None}, "a callable", what)
            if direction is not None:
                case = msgspec.structs.replace(case, direction=direction)
            return self._measure(
                case, "native" if implementation is None else implementation, device
            )
        except GconvbenchError as error:
            reason = f"gconv_benchmark: {error}"
        return self._fail(reason)

    @property
    def _state(self) -> State:
        return self._state_of()

    def _refuse_second_use(self) -> None:
        """pytest-benchmark has one time per test.

        Raises:
            UsageError: this is the second.
        """
        if self._is_used:
            message = "it was called before in this test; a test has one time: write another one"
            raise UsageError(message)
        self._is_used = True

    def _measure(self, case: Case, implementation: Any, device: str | None) -> Record:  # noqa: ANN401
        what = self._asked(device)
        if isinstance(implementation, str):
            job = Job(case_id(case), implementation)
            if device is not None and device != self._state.what.device:
                message = (
                    f"device {device!r} is not that of the session's workers "
                    f"({self._state.what.device!r}); set GCONVBENCH_DEVICE"
                )
                raise UsageError(message)
            if self._benchmark.disabled:
                records: tuple[Record, ...] = (self._state.check(job),)
            else:
                records = self._state.measure(self._test, job)
        else:
            from gconvbench.adapters import here  # noqa: PLC0415 (needs torch)

            found = here.as_implementation(implementation, case)
            job = Job(case_id(case), found.name)
            records = (
                self._state.measure_here(self._test, lambda: here.measure_case(what, job, found)),
            )
        self._refuse_failure(records[-1])
        self._benchmark.group = self._benchmark.group or job.case
        self._hand_over(records)
        return records[0]

    def _time_callable(
        self,
        function: Any,  # noqa: ANN401
        arguments: Sequence[Any],
        expected: object,
        tolerance: tuple[float | None, float | None],
        device: str | None,
    ) -> Any:  # noqa: ANN401
        from gconvbench.adapters import here  # noqa: PLC0415 (needs torch)

        result = function(*arguments)
        try:
            if expected is not None:
                here.check_result(result, expected, *tolerance)
        except AssertionError:
            self._note_failure()
            raise
        if self._benchmark.disabled:
            self._benchmark(lambda: None)
            return result
        what = self._asked(device or here.device_of(result, *arguments))
        record = self._state.measure_here(
            self._test,
            lambda: here.time_callable(what, self._test, lambda: function(*arguments)),
        )
        self._hand_over((record,))
        return result

    def _asked(self, device: str | None) -> Asked:
        """As the session asks, for this device; without timing where benchmarks are disabled."""
        what = self._state.what
        if device is not None and device != what.device:
            refuse_device(device)
            usual = make_method(device, threads=what.method.threads)
            fields = {name: getattr(usual, name) for name in ("clock", "target", "warmup_time_s")}
            fields["cache_modes"] = usual.cache_modes[:1]
            what = what._replace(
                device=device, method=msgspec.structs.replace(what.method, **fields)
            )
        if self._benchmark.disabled:
            method = msgspec.structs.replace(what.method, check_only=True)
            what = what._replace(method=method)
        return what

    def _refuse_failure(self, last: Record) -> None:
        """Skip what is unsupported, fail on what is wrong or was not measured."""
        if last.outcome == "unsupported":
            pytest.skip(f"{last.job.implementation}: {last.detail}")
        if last.outcome not in {"measured", "checked"}:
            words = last.outcome.replace("_", " ")
            self._fail(f"{last.job.implementation} is {words}: {last.detail}")

    def _fail(self, reason: str) -> NoReturn:
        """Fail the test with this line alone."""
        self._note_failure()
        pytest.fail(reason, pytrace=False)

    def _note_failure(self) -> None:
        """Let pytest-benchmark know, which would warn of a fixture that was not used."""
        with contextlib.suppress(_FailedError):
            self._benchmark.pedantic(_raise)

    def _hand_over(self, records: Sequence[Record]) -> None:
        """To pytest-benchmark: samples, and what it is to keep beside them."""
        samples_s = [s for record in records for t in record.timings for s in t.samples_s]
        if not samples_s:
            self._benchmark(lambda: None)
            return
        self._benchmark.extra_info.update(_extra(records))
        replay(self._benchmark, samples_s)


class _FailedError(Exception):
    """What a target raises that is never to be timed."""


def _raise() -> NoReturn:
    raise _FailedError


def _extra(records: Sequence[Record]) -> dict[str, Any]:
    """What pytest-benchmark keeps of a test beside its samples."""
    job, (timing,) = records[0].job, records[0].timings
    tensors = [t for one in records if one.accuracy for t in one.accuracy.tensors]
    errors = [t.group_error for t in tensors if t.group_error is not None]
    labels = {label for one in records for t in one.timings for label in t.labels}
    return {
        "case": job.case,
        "implementation": job.implementation,
        "cache_mode": timing.cache_mode,
        "error": max(errors, default=None),
        "limit": min((t.limit for t in tensors), default=None),
        "labels": sorted(labels),
        "launches_per_sample": timing.launches_per_sample,
        "processes": len(records),
    }


def _refuse(given: Mapping[str, object], owner: str, what: object) -> None:
    """Arguments that say nothing here are a mistake.

    Raises:
        UsageError: one of them was given.
    """
    for name, value in given.items():
        if value is not None:
            kind = type(what).__name__
            message = f"{name} belongs to {owner}, and {kind} was given without; see its docstring"
            raise UsageError(message)


def _case(
    what: Any,  # noqa: ANN401
    arguments: Sequence[Any],
    input_shape: Sequence[int] | None,
) -> Case | None:
    """The case that is meant; None of a callable.

    Raises:
        UsageError: neither.
    """
    torch = sys.modules.get("torch")
    if isinstance(what, str):
        return parse_case(what)
    if isinstance(what, Case):
        return what
    if torch and isinstance(what, torch.nn.Conv2d) and input_shape is not None:
        from gconvbench.adapters.here import case_of_module  # noqa: PLC0415 (needs torch)

        return case_of_module(what, input_shape)
    if torch and isinstance(what, torch.nn.Conv2d) and not arguments:
        message = (
            "input_shape is missing; a layer needs that of its input (N, C, H, W), such as "
            f"(8, {what.in_channels}, 27, 27), or an input to be called with"
        )
        raise UsageError(message)
    if callable(what):
        return None
    message = (
        f"{type(what).__name__} cannot be timed; allowed: a case id, a Case, a "
        "torch.nn.Conv2d with input_shape, or a callable"
    )
    raise UsageError(message)
