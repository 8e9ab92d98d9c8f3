"""A worker that measures one job after the other for another tool. Imports no torch.

Other tools have no options for what they do not know of. Three variables say it:

    GCONVBENCH_DEVICE     cpu, cuda or cuda:1; without it cuda if there is any
    GCONVBENCH_THREADS    CPU threads; without it one
    GCONVBENCH_CODE       a checkout that is under test; without it what is installed
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.adapters.sides import code_paths_of
from gconvbench.errors import UsageError, refused_name
from gconvbench.planning import (
    chosen_implementations,
    default_device,
    make_method,
    refuse_device,
)
from gconvbench.records import Plan
from gconvbench.runner import WorkerProcess, device_lock, make_header
from gconvbench.runner.side import Side
from gconvbench.runner.workers import Workers

if TYPE_CHECKING:
    from gconvbench.protocol import Description
    from gconvbench.records import Environment, Header, Job, Method, Record

__all__ = ["CODE_VARIABLE", "Asked", "Machine", "Session", "asked", "machine_of"]

CODE_VARIABLE = "GCONVBENCH_CODE"
_DEVICE_VARIABLE = "GCONVBENCH_DEVICE"
_THREADS_VARIABLE = "GCONVBENCH_THREADS"
_MOST_THREADS = 1024
_TIMEOUT_S = 600.0
"""Until a job counts as hung, as in `gconvbench run`."""


class Asked(NamedTuple):
    """What the variables ask for.

    Attributes:
        device: where to measure.
        method: how: one cache mode, the first of the device's.
        side: the checkout under test, if one is named.
    """

    device: str
    method: Method
    side: Side | None


def asked() -> Asked:
    """Read the variables.

    Raises:
        UsageError: one has a value that is not allowed.
    """
    device = os.environ.get(_DEVICE_VARIABLE) or default_device()
    refuse_device(device)
    method = make_method(device, threads=_threads(os.environ.get(_THREADS_VARIABLE) or "1"))
    one_mode = msgspec.structs.replace(method, cache_modes=method.cache_modes[:1])
    return Asked(device, one_mode, _side(os.environ.get(CODE_VARIABLE)))


class Machine(NamedTuple):
    """Where a worker is.

    Attributes:
        name: the machine's slug.
        environment: its fingerprint.
    """

    name: str
    environment: Environment


def machine_of(what: Asked) -> Machine:
    """Start a worker and ask it where it is: as long as one import of torch."""
    with _worker(what) as worker:
        return Machine(worker.ready.machine, worker.ready.environment)


class Session:
    """A worker, to be closed in the end.

    While it lives the device is its own, as in a run. One that dies costs a record, and the next
    job has another.

    Args:
        what: device, method and code.
        is_locking: False for one of several that measure in turn under another's lock.

    Raises:
        UsageError: the device cannot be used.
        InstrumentError: the device is in use by another run.
    """

    def __init__(self, what: Asked, *, is_locking: bool = True) -> None:
        self._what = what
        self._known: tuple[Description, ...] = ()
        self._open = contextlib.ExitStack()
        if is_locking:
            self._open.enter_context(device_lock(what.device))
        try:
            self._header, self._workers = self._start()
        except BaseException:
            self._open.close()
            raise

    @property
    def header(self) -> Header:
        """Of a run without cases, made when the first worker started."""
        return self._header

    @property
    def machine(self) -> Machine:
        """Where it measures."""
        return Machine(self._header.machine, self._header.environment)

    def measure(self, job: Job, number: int = 1) -> Record:
        """Prove and time one job, whatever happens to the worker.

        Args:
            job: which.
            number: of the round that the record is of.

        Raises:
            UsageError: there is no implementation of this name, or it cannot be used.
        """
        if job.implementation not in chosen_implementations(job.implementation, self._known):
            usable = [one.name for one in self._known if not one.problem]  # it was a pattern
            raise UsageError(refused_name("implementation", job.implementation, usable))
        return self._workers.measure(job, number)

    def measure_anchors(self, samples: int) -> dict[str, tuple[float, ...]]:
        """Samples of work beside the code under test, in seconds; none where the worker died."""
        return self._workers.measure_anchors(samples)

    def renew(self) -> None:
        """Go on in a fresh process."""
        self._workers.renew()

    def close(self) -> None:
        """End the worker, and leave the device to others."""
        self._open.close()

    def _start(self) -> tuple[Header, Workers]:
        device, method, side = self._what
        worker = _worker(self._what)
        self._known = worker.ready.implementations
        nothing = Plan(cases=(), implementations=(), rounds=1)
        header = make_header(nothing, method, device, worker.ready, start_s=worker.start_s)
        workers = Workers(header, _TIMEOUT_S, worker, side)
        return header, self._open.enter_context(workers)


def _worker(what: Asked) -> WorkerProcess:
    """A worker; where the device cannot be used, the reason names what chooses it here."""
    try:
        return WorkerProcess(what.device, what.method, what.side)
    except UsageError as error:
        text = str(error).replace("--device ", f"{_DEVICE_VARIABLE}=")
        raise UsageError(text) from None


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_THREADS:
        message = f"{_THREADS_VARIABLE} {text!r} must be a whole number from 1 to {_MOST_THREADS}"
        raise UsageError(message)
    return int(text)


def _side(code: str | None) -> Side | None:
    if not code:
        return None
    if not Path(code).is_dir():
        message = f"{CODE_VARIABLE} {code!r} is no folder; name a checkout, or unset it"
        raise UsageError(message)
    paths = tuple(map(str, code_paths_of(Path(code))))
    return Side(what=f"checkout {code}", code=Path(code), code_paths=paths)
