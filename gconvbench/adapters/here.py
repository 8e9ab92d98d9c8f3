"""Measuring in the process of a test: its own convolutions, and any callable that runs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import torch

from gconvbench.device import reset_settings, why_unavailable
from gconvbench.engine import Engine
from gconvbench.environment import machine_slug, read_environment
from gconvbench.errors import UsageError
from gconvbench.implementations import Implementation, Table
from gconvbench.modules import case_of_module
from gconvbench.protocol import Measure, Ready
from gconvbench.records import Job, Plan, Record
from gconvbench.runner import make_header
from gconvbench.settings import preserved_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from gconvbench.adapters.session import Asked
    from gconvbench.cases import Case
    from gconvbench.implementations import Launch
    from gconvbench.records import Header, Method

__all__ = [
    "CALLABLE",
    "as_implementation",
    "case_of_module",
    "check_result",
    "device_of",
    "measure_case",
    "time_callable",
]

CALLABLE = "callable"
"""What stands for the implementation of a callable, which is of no case."""


class _Function(Implementation):
    """A function with the signature of `torch.nn.functional.conv2d`.

    Args:
        function: `(x, weight, bias, stride, padding, dilation, groups)`.
        operation: what it computes.
    """

    idea = "a function under test"

    def __init__(self, function: Callable[..., Tensor], operation: str) -> None:
        name = getattr(function, "__name__", type(function).__name__)
        self.name = name if name.isidentifier() else CALLABLE
        self.operations = (operation,)
        self._function = function

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self._function(
            x, weight, bias, case.stride, case.padding, case.dilation, case.groups
        )


def as_implementation(what: object, case: Case) -> Implementation:
    """An implementation, its class, or a function with the signature of `conv2d`.

    Raises:
        UsageError: none of them.
    """
    found = what() if isinstance(what, type) else what
    if isinstance(found, Implementation):
        return found
    if callable(found):
        return _Function(found, case.operation)
    message = (
        f"implementation {what!r} must be a name, an Implementation, or a function "
        "(x, weight, bias, stride, padding, dilation, groups)"
    )
    raise UsageError(message)


def measure_case(what: Asked, job: Job, implementation: Implementation) -> tuple[Header, Record]:
    """Prove and time an implementation that only this process has.

    The process's settings are reset for it, and put back afterwards.

    Raises:
        UsageError: the device cannot be used.
    """
    table = Table({implementation.name: implementation}, {implementation.name: "the test"})
    device, method, _ = what
    if reason := why_unavailable(device):
        raise UsageError(reason)
    with preserved_settings(device):
        reset_settings(method.threads)
        engine = Engine(device, method, table, passes=(KeyboardInterrupt,))
        return _header(device, method), engine.measure(Measure(job, 1))


def time_callable(what: Asked, test: str, launch: Launch) -> tuple[Header, Record]:
    """Time a callable with the settings that the process has; the case is called as its test.

    Raises:
        UsageError: the device cannot be used.
    """
    device = what.device
    if reason := why_unavailable(device):
        raise UsageError(reason)
    method = msgspec.structs.replace(what.method, threads=torch.get_num_threads())
    timings = Engine(device, method, Table()).time(launch)
    job = Job(test, CALLABLE)
    return _header(device, method), Record(job=job, round=1, outcome="measured", timings=timings)


def check_result(result: object, expected: object, rtol: float | None, atol: float | None) -> None:
    """Compare a result with what is expected, by `torch.testing.assert_close`.

    Raises:
        AssertionError: it is not close.
    """
    wanted = expected() if callable(expected) else expected
    torch.testing.assert_close(result, wanted, rtol=rtol, atol=atol)


def _header(device: str, method: Method) -> Header:
    """Of a run without cases, made here."""
    environment = read_environment(device, threads=method.threads)
    ready = Ready(environment, machine_slug(environment), ())
    return make_header(Plan(cases=(), implementations=(), rounds=1), method, device, ready)


def device_of(*values: object) -> str | None:
    """The device of the first tensor among these."""
    found = (value for value in values if isinstance(value, torch.Tensor))
    first = next(found, None)
    return None if first is None else str(first.device)
