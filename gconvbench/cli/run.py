"""`gconvbench run`: sweep, prove, time, store, answer."""

from __future__ import annotations

import functools
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from gconvbench.cases import case_id
from gconvbench.cli.output import tolerate_closed_pipe
from gconvbench.errors import ExitCode, NotComparableError, NotMeasuredError, UsageError, worst
from gconvbench.planning import DEFAULT, chosen_implementations, default_device, modes_of
from gconvbench.records import (
    FAILED_OUTCOMES,
    SCHEMA,
    Job,
    KernelLine,
    Plan,
    PlannedCase,
    Record,
    encode_line,
)
from gconvbench.report.accuracy_table import print_accuracy
from gconvbench.report.console import make_console
from gconvbench.report.instrument import unfit_line
from gconvbench.report.progress import progress
from gconvbench.report.table import print_run
from gconvbench.runner import WorkerProcess, begin_run, device_lock, execute, open_jobs, spent_s
from gconvbench.runner.workers import why_other_environment
from gconvbench.store import Run, RunWriter, earlier_runs, find_run, load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

    from gconvbench.cli.selection import Selection
    from gconvbench.protocol import Description, Ready
    from gconvbench.records import Method
    from gconvbench.runner import Observer

__all__ = ["make_plan", "resume", "run_exit_code", "start", "stoppable"]


_Options = ParamSpec("_Options")


class _Terminated(KeyboardInterrupt):
    """SIGTERM, so that it takes the same way out as Ctrl-C."""


def stoppable(work: Callable[_Options, ExitCode]) -> Callable[_Options, ExitCode]:
    """Ctrl-C and SIGTERM end it with their exit codes, wherever they find it."""

    @functools.wraps(work)
    def stopped(*arguments: _Options.args, **options: _Options.kwargs) -> ExitCode:
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return work(*arguments, **options)
        except _Terminated:
            return ExitCode.TERMINATED
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED

    return stopped


@stoppable
def start(  # noqa: PLR0913 (one argument per option)
    selection: Selection,
    *,
    method_of: Callable[[str], Method],
    implementation: str,
    twins: str | None,
    rounds: int,
    timeout_s: float,
    results: Path,
    json: bool,
) -> ExitCode:
    """A new run on each of the selection's devices; returns the exit code."""
    _note_excluded(selection)
    codes: list[ExitCode] = []
    for name in selection.devices or (default_device(),):
        method = method_of(name)
        with device_lock(name), WorkerProcess(name, method) as worker:
            known = worker.ready.implementations
            plan = make_plan(selection, known, implementation, twins=twins, rounds=rounds)
            _note_on_request(implementation, known)
            writer = begin_run(results, plan, method, name, worker=worker)
            codes.append(_carry_out(writer, worker, timeout_s=timeout_s, json=json))
    return worst(codes)


@stoppable
def resume(results: Path, reference: str, *, timeout_s: float, json: bool) -> ExitCode:
    """Finish an interrupted run; returns the exit code."""
    stored = load_run(find_run(results, reference))
    if stored.footer is not None:
        _note(f"run {stored.path.stem} is complete; nothing is left to resume")
        if json:
            for line in (stored.header, *stored.records, stored.footer):
                _print_line(line)
        else:
            _show(stored)
        return run_exit_code(stored.footer.counts)
    if stored.header.schema != SCHEMA:
        message = (
            f"run {stored.path.stem} cannot be resumed: it has schema {stored.header.schema}, "
            f"this version writes {SCHEMA}; start a new run"
        )
        raise NotComparableError(message)
    device, method = stored.header.device, stored.header.method
    with device_lock(device), WorkerProcess(device, method) as worker:
        if reason := why_other_environment(stored.header.environment, worker.ready):
            message = f"run {stored.path.stem} cannot be resumed: {reason}"
            raise NotComparableError(message)
        _refuse_missing(stored, worker.ready)
        _note_commit(stored, worker.ready)
        writer = RunWriter(stored.path)
        writer.mend()
        return _carry_out(writer, worker, timeout_s=timeout_s, json=json)


def _refuse_missing(stored: Run, ready: Ready) -> None:
    usable = {one.name for one in ready.implementations if not one.problem}
    missing = [name for name in stored.header.plan.implementations if name not in usable]
    if missing:
        message = (
            f"run {stored.path.stem} cannot be resumed: implementation {missing[0]!r} of its plan "
            "is not installed now; install it again, or start a new run"
        )
        raise NotComparableError(message)


def _note_commit(stored: Run, ready: Ready) -> None:
    before = stored.header.environment.under_test.get("commit")
    now = ready.environment.under_test.get("commit")
    if before != now:
        _note(f"the run began at commit {str(before)[:10]}, this is {str(now)[:10]}")


def make_plan(
    selection: Selection,
    known: Sequence[Description],
    implementation: str,
    *,
    twins: str | None,
    rounds: int,
) -> Plan:
    """The selection's cases with the implementations chosen, some of them twice.

    Raises:
        UsageError: a name that is not known, or a twin of one that is not measured.
    """
    chosen = chosen_implementations(implementation, known)
    doubled = chosen_implementations(twins, known) if twins is not None else ()
    if twins is not None and not set(doubled) & set(chosen):
        message = f"--aa {twins!r} names nothing that is measured; measured: {', '.join(chosen)}"
        raise UsageError(message)
    return Plan(
        cases=tuple(
            PlannedCase(case_id(named.case), named.name, named.count)
            for named in selection.expansion.cases
        ),
        implementations=chosen,
        rounds=rounds,
        sweeps=selection.sweeps,
        twins=tuple(name for name in chosen if name in doubled),
        modes=modes_of(chosen, known),
    )


def _carry_out(
    writer: RunWriter, worker: WorkerProcess, *, timeout_s: float, json: bool
) -> ExitCode:
    """Do what is left of a run, telling what happens, and leave with the run's exit code."""
    stored = load_run(writer.path)
    header = stored.header
    console = make_console(sys.stderr)
    _note(f"storing in {writer.path}")
    if (unfit := unfit_line(header)) and not header.method.check_only:
        _note(f"{unfit}; gconvbench doctor tells what to do")
    if json:
        for line in (header, *stored.records):
            _print_line(line)
    try:
        left = len(open_jobs(header.plan, stored.records))
        budget_s = header.method.budget_s
        left_s = None if budget_s is None else budget_s - spent_s(header, stored.records)
        with progress(console, left, budget_s=left_s) as display:
            observer = _JsonObserver(display) if json else display
            footer = execute(stored, writer, observer, worker=worker, timeout_s=timeout_s)
    except KeyboardInterrupt:
        _note(f"interrupted; {_resuming(writer.path)} goes on")
        raise
    except NotMeasuredError:
        _note(f"stopped; {_resuming(writer.path)} goes on")
        raise
    if json:
        _print_line(footer)
    else:
        _show(load_run(writer.path))
    return run_exit_code(footer.counts)


def _resuming(path: Path) -> str:
    """The command that finishes a run."""
    results = path.parents[2]
    where = [] if results == Path("results") else ["--results", str(results)]
    return shlex.join(["gconvbench", "run", "--resume", path.stem, *where])


def _show(stored: Run) -> None:
    """Times, or errors where nothing was to be timed, and where they are stored."""
    console = make_console(sys.stdout)
    with tolerate_closed_pipe():
        if stored.header.method.check_only:
            print_accuracy(stored, console, earlier=earlier_runs(stored.path.parents[2], stored))
        else:
            print_run(stored, console)
        print(f"stored in {stored.path}")


def run_exit_code(outcomes: Iterable[str]) -> ExitCode:
    """6 with a wrong implementation, 5 with a job, or with all, not measured, else 0."""
    found = set(outcomes)
    codes = [ExitCode.WRONG] if "wrong" in found else []
    if found & FAILED_OUTCOMES or found == {"unsupported"}:
        codes.append(ExitCode.NOT_MEASURED)
    return worst(codes)


class _JsonObserver:
    """Prints each record as it is stored, and passes it on."""

    def __init__(self, other: Observer) -> None:
        self._other = other

    def job_started(self, job: Job, number: int) -> None:
        self._other.job_started(job, number)

    def job_done(self, record: Record) -> None:
        _print_line(record)
        self._other.job_done(record)

    def kernels_seen(self, line: KernelLine) -> None:
        _print_line(line)
        self._other.kernels_seen(line)


def _print_line(line: object) -> None:
    with tolerate_closed_pipe():
        print(encode_line(line).decode())  # type: ignore[arg-type]


def _note_excluded(selection: Selection) -> None:
    excluded = selection.expansion.excluded
    reasons: dict[str, int] = {}
    for item in excluded:
        reasons[item.reason] = reasons.get(item.reason, 0) + 1
    for reason, count in list(reasons.items())[:5]:
        _note(f"left out {count} combination(s): {reason}")
    if len(reasons) > 5:  # noqa: PLR2004 (as many as are shown)
        _note(f"{len(reasons) - 5} more reasons; gconvbench list shows all")


def _note_on_request(implementation: str, known: Sequence[Description]) -> None:
    names = [one.name for one in known if one.on_request and not one.problem]
    if implementation == DEFAULT and names:
        _note(f"left out {len(names)} that are on request; --implementation all")


def _note(text: str) -> None:
    print(f"gconvbench: {text}", file=sys.stderr)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated
