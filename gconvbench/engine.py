"""The engine: proves and times one job after the other, in whatever process it lives."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import torch

from gconvbench.accuracy import Proof, output_fault, prepared_operands, prove, prove_again
from gconvbench.anchors import anchor_samples
from gconvbench.cases import parse_case
from gconvbench.device import (
    reset_settings,
    set_math_mode,
    set_switches,
    synchronizer,
    why_device_lacks,
    why_memory_lacks,
)
from gconvbench.dispatch import backends_of, cuda_kernels, dispatch_of
from gconvbench.failure import one_line, outcome_of
from gconvbench.implementations import (
    BUILT_IN_SOURCE,
    Table,
    why_not_its_operation,
    why_unsupported,
)
from gconvbench.memory import memory_of
from gconvbench.operands import normal_operands
from gconvbench.protocol import (
    Anchored,
    AskSupport,
    Measure,
    MeasureAnchors,
    SeeKernels,
    Support,
)
from gconvbench.questions import answer_of
from gconvbench.records import Dispatch, Job, KernelLine, Memory, Method, Outcome, Record, Timing
from gconvbench.switches import setting_text
from gconvbench.telemetry import Watch
from gconvbench.views import Views, Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation, Launch

__all__ = ["Engine"]

_READ = {
    "fprop": ("x", "weight", "bias"),
    "dgrad": ("weight", "grad_output"),
    "wgrad": ("x", "grad_output"),
    "training": ("x", "weight", "bias", "grad_output"),
}
"""The operands that a launch of a direction reads."""


class Engine:
    """Answers requests; everything it knows of the run came with `SetUp`.

    Args:
        device: `cpu`, `cuda` or `cuda:1`.
        method: how to measure.
        table: all implementations.
        switches: settings of torch that every job has.
        passes: exceptions that are not an implementation's, and leave `measure`.
    """

    def __init__(
        self,
        device: str,
        method: Method,
        table: Table,
        *,
        switches: Mapping[str, bool | str] | None = None,
        passes: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._device = device
        self._method = method
        self._table = table
        self._switches = switches or {}
        self._passes = passes
        self._synchronize = synchronizer(device)
        self._proof: Proof | None = None
        self._views = Views(device, method)

    @property
    def device(self) -> str:
        """`cpu`, `cuda` or `cuda:1`."""
        return self._device

    @property
    def method(self) -> Method:
        """How it measures."""
        return self._method

    def support(self, request: AskSupport) -> Support:
        """Why each job is unsupported, if it is.

        Implementations from outside are asked within their own jobs, where it costs one record if
        they raise, crash or never return.
        """
        return Support(
            tuple(
                (None if request.modes_apart else self._why_other_modes(job))
                or self._known_reason(job)
                for job in request.jobs
            )
        )

    def measure(self, request: Measure) -> Record:
        """Prove and time one job. Whatever else goes wrong is in the record, not an exception."""
        job, number = request.job, request.round
        reset_settings(self._method.threads)
        set_switches(self._switches)
        try:
            if reason := self._why_other_modes(job) or self._why_unsupported(job):
                return Record(job=job, round=number, outcome="unsupported", detail=reason)
            with torch.inference_mode(mode=False), Watch("cpu") as watch:
                record = self._prove_and_time(job, number)
        except self._passes:
            raise
        except BaseException as error:  # noqa: BLE001 (an implementation may raise anything)
            return self._failure(job, number, error)
        return msgspec.structs.replace(record, telemetry=watch.telemetry)

    def time(self, launch: Launch) -> tuple[Timing, ...]:
        """Samples of a launch in each view that it can have; nothing is proved."""
        return self._views.time(Work(launch=launch))[0]

    def see_kernels(self, request: SeeKernels) -> KernelLine:
        """Launch a job anew under the device's profiler, which may slow down what comes after it.

        The process has chosen its kernels already, and chooses them again.
        """
        job = request.job
        reset_settings(self._method.threads)
        set_switches(self._switches)
        try:
            with torch.inference_mode(mode=False):
                dispatch = self._kernels_of(job)
        except Exception as error:  # noqa: BLE001 (an implementation may raise anything)
            return KernelLine(job=job, round=request.round, detail=one_line(error))
        return KernelLine(job=job, round=request.round, dispatch=dispatch)

    def _kernels_of(self, job: Job) -> Dispatch:
        case = parse_case(job.case)
        set_math_mode(case.math_mode, self._device)
        operands = normal_operands(case, seed=self._method.seed, device=self._device)
        launch = self._table.implementations[job.implementation].launch(case, operands)
        launch()
        return cuda_kernels(launch, self._synchronize)

    def measure_anchors(self, request: MeasureAnchors) -> Anchored:
        """Time what is not under test."""
        return Anchored(anchor_samples(request.samples))

    def _why_other_modes(self, job: Job) -> str | None:
        """The reason where this process was not set up as the job asks for; it cannot be later."""
        implementation = self._table.implementations.get(job.implementation)
        modes = answer_of(implementation, "modes", {}) if implementation else {}
        missing = {name: on for name, on in modes.items() if self._switches.get(name) != on}
        if not missing:
            return None
        settings = " ".join(setting_text(*one) for one in missing.items())
        return f"needs a process with {settings} from its start, which gconvbench run gives it"

    def _known_reason(self, job: Job) -> str | None:
        implementation = self._table.implementations.get(job.implementation)
        if implementation is None or self._table.sources[job.implementation] == BUILT_IN_SOURCE:
            return self._why_unsupported(job)
        case = parse_case(job.case)
        return why_not_its_operation(implementation, case) or why_device_lacks(case, self._device)

    def _why_unsupported(self, job: Job) -> str | None:
        case = parse_case(job.case)
        implementation = self._table.implementations.get(job.implementation)
        if implementation is None:
            return f"implementation {job.implementation!r} is not installed"
        reason: object = why_unsupported(implementation, case, self._device)
        if not isinstance(reason, str | None):
            message = f"why_unsupported returns {type(reason).__name__} instead of str or None"
            raise TypeError(message)
        return reason or why_device_lacks(case, self._device)

    def _prove_and_time(self, job: Job, number: int) -> Record:
        case = parse_case(job.case)
        set_math_mode(case.math_mode, self._device)
        if reason := self._why_no_proof(case):
            return Record(job=job, round=number, outcome="out_of_memory", detail=reason)
        with _time_of() as preparing:
            proof = self._proof or Proof.of(case, device=self._device, seed=self._method.seed)
        self._proof = proof
        implementation = self._table.implementations[job.implementation]
        operands = proof.operands.copy()
        try:
            with prepared_operands(implementation) as prepared, _time_of() as first:
                launch = implementation.launch(case, operands)
                launch()
                self._synchronize()
        except Exception as error:
            if outcome_of(error) == "failed" and (fault := output_fault(implementation, proof)):
                return Record(job=job, round=number, outcome="wrong", detail=fault)
            raise
        with _time_of() as proving:
            accuracy = prove(implementation, proof, thorough=self._method.check_only)
        proof_s = preparing[0] + proving[0]
        timings: tuple[Timing, ...] = ()
        left_out: dict[str, str] = {}
        memory: Memory | None = None
        dispatch: Dispatch | None = None
        if not accuracy.faults and not self._method.check_only:
            memory = memory_of(launch, self._device)  # and what the proof displaced comes back
            self._synchronize()
            timings, left_out = self._views.time(_work(implementation, proof, launch))
            dispatch = self._dispatch_of(implementation, case, launch)
            with _time_of() as proving_again:
                faults = prove_again(implementation, proof, launch, operands, prepared)
            proof_s += proving_again[0]
            accuracy = msgspec.structs.replace(accuracy, faults=faults)
        if accuracy.faults:
            outcome: Outcome = "wrong"
            timings, left_out, memory, dispatch = (), {}, None, None
        else:
            outcome = "checked" if self._method.check_only else "measured"
        return Record(
            job=job,
            round=number,
            outcome=outcome,
            detail="; ".join(accuracy.faults),
            accuracy=accuracy,
            proof_s=proof_s,
            first_launch_s=first[0] if timings else None,
            timings=timings,
            left_out=left_out,
            memory=memory,
            dispatch=dispatch,
        )

    def _dispatch_of(self, implementation: Implementation, case: Case, launch: Launch) -> Dispatch:
        """Whatever can be seen without leaving a trace."""
        dispatch = dispatch_of(launch, self._synchronize)
        compiled = answer_of(implementation, "is_compiled", False)  # noqa: FBT003
        return msgspec.structs.replace(
            dispatch,
            backends=() if compiled else backends_of(launch, self._synchronize),
            choices=tuple(answer_of(implementation, "choices", lambda _: ())(case)),
        )

    def _why_no_proof(self, case: Case) -> str | None:
        """Forget the proof of another case; the reason where there is no room for a new one."""
        if self._proof and self._proof.case == case:
            return None
        self._proof = None
        return why_memory_lacks(case, self._device)

    def _failure(self, job: Job, number: int, error: BaseException) -> Record:
        outcome = outcome_of(error)
        if outcome == "out_of_memory":
            self._proof = None
            if self._device != "cpu":
                torch.cuda.empty_cache()
        return Record(job=job, round=number, outcome=outcome, detail=one_line(error))


@contextmanager
def _time_of() -> Iterator[list[float]]:
    """The seconds that the block took, as the only entry of the list once it is left."""
    taken: list[float] = []
    start = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - start)


def _work(implementation: Implementation, proof: Proof, launch: Launch) -> Work:
    """A launch to be timed, and how to make more of it."""
    operands = proof.operands
    read = [getattr(operands, name) for name in _READ[proof.case.direction]]
    return Work(
        launch=launch,
        again=lambda: implementation.launch(proof.case, operands.copy()),
        operand_bytes=sum(one.numel() * one.element_size() for one in read if one is not None),
        why_not_captured=answer_of(implementation, "why_not_captured", None),
    )
