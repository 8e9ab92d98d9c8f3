"""`gconvbench run`: sweep, prove, time, store, answer."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gconvbench.cli import options as opt
from gconvbench.cli.selection import Selection, select
from gconvbench.errors import ExitCode, NotComparableError, UsageError, worst
from gconvbench.records import FAILED_OUTCOMES, Header, Job, Plan, PlannedCase, Record, encode_line
from gconvbench.cases import case_id
from gconvbench.report.progress import progress
from gconvbench.report.table import make_console, print_run
from gconvbench.runner import WorkerProcess, device_lock, execute, jobs_of
from gconvbench.runner.execute import why_other_environment
from gconvbench.store import Run, RunWriter, find_run, load_run

if TYPE_CHECKING:
    from types import FrameType

    from gconvbench.protocol import Ready
    from gconvbench.records import Method
    from gconvbench.runner import Observer

__all__ = ["run"]

_OPTIONS_OF_A_NEW_RUN = (
    "case", "cases", "sweep", "axis", "implementation", "device", "rounds",
    "check_only", "cache", "target", "threads", "seed",
)  # fmt: skip


class _Terminated(KeyboardInterrupt):
    """SIGTERM, so that it takes the same way out as Ctrl-C."""


def run(  # noqa: PLR0913 (one argument per option)
    context: typer.Context,
    case: opt.CaseOption = None,
    cases: opt.CasesOption = None,
    sweep: opt.SweepOption = None,
    axis: opt.AxisOption = None,
    implementation: opt.ImplementationOption = "all",
    device: opt.DeviceOption = None,
    rounds: opt.RoundsOption = 3,
    check_only: opt.CheckOnlyOption = False,
    cache: opt.CacheOption = None,
    target: opt.TargetOption = None,
    threads: opt.ThreadsOption = 1,
    seed: opt.SeedOption = 0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds until a job counts as hung.")
    ] = 120.0,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Finish an interrupted run, such as latest."),
    ] = None,
    results: opt.ResultsOption = Path("results"),
    json: opt.JsonOption = False,
) -> int:
    """Measure cases with every implementation, after proving each one right.

    Without --case, --cases, --sweep or -a this is the sweep 'quick'.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if resume is not None:
        _refuse_new_options(context)
        return _resume(results, resume, timeout_s=timeout, json=json)
    selection = select(
        ids=case or (), files=cases or (), sweeps=sweep or (), axes=axis or (), device=device
    )
    _note_excluded(selection)
    codes = []
    for name in selection.devices or (opt.default_device(),):
        method = opt.make_method(
            name, cache=cache, target=target, threads=threads, seed=seed, check_only=check_only
        )
        with device_lock(name):
            header = _plan(selection, name, method, implementation, 1 if check_only else rounds)
            writer = RunWriter.create(results, header)
            codes.append(_carry_out(load_run(writer.path), writer, timeout_s=timeout, json=json))
    return worst(codes)


def _resume(results: Path, reference: str, *, timeout_s: float, json: bool) -> int:
    stored = load_run(find_run(results, reference))
    if stored.footer is not None:
        _note(f"run {stored.path.stem} is complete; nothing is left to resume")
        return _finish(stored, json=json)
    with device_lock(stored.header.device):
        with WorkerProcess(stored.header.device, stored.header.method) as worker:
            ready = worker.ready
        if reason := why_other_environment(stored.header.environment, ready):
            message = f"run {stored.path.stem} cannot be resumed: {reason}"
            raise NotComparableError(message)
        writer = RunWriter(stored.path)
        writer.mend()
        return _carry_out(stored, writer, timeout_s=timeout_s, json=json)


def _plan(
    selection: Selection, device: str, method: Method, implementation: str, rounds: int
) -> Header:
    """Ask a worker where it is and what it knows, and write down what the run is to do."""
    with WorkerProcess(device, method) as worker:
        ready = worker.ready
        plan = Plan(
            cases=planned_cases(selection),
            implementations=opt.chosen_implementations(implementation, ready.implementations),
            rounds=rounds,
            sweeps=selection.sweeps,
        )
        _refuse_impossible(plan, worker.explain(jobs_of(plan)))
    return _header(plan, method, device, ready)


def planned_cases(selection: Selection) -> tuple[PlannedCase, ...]:
    """The selection's cases as a plan stores them."""
    return tuple(
        PlannedCase(case_id(named.case), named.name, named.count)
        for named in selection.expansion.cases
    )


def _refuse_impossible(plan: Plan, reasons: tuple[str | None, ...]) -> None:
    if all(reasons):
        message = f"nothing can be run: {jobs_of(plan)[0].implementation}: {reasons[0]}"
        raise UsageError(message)


def _header(plan: Plan, method: Method, device: str, ready: Ready) -> Header:
    now = datetime.now(UTC)
    commit = str(ready.environment.under_test.get("commit") or "nocommit")[:7]
    return Header(
        run=f"{now:%Y%m%dT%H%M%SZ}-{commit}",
        created=now.isoformat(timespec="seconds"),
        plan=plan,
        method=method,
        environment=ready.environment,
        device=device,
        machine=ready.machine,
    )


def _carry_out(stored: Run, writer: RunWriter, *, timeout_s: float, json: bool) -> int:
    """Do what is left of a run, telling what happens, and leave with the run's exit code."""
    header = stored.header
    console = make_console(sys.stderr)
    total = len(jobs_of(header.plan)) * header.plan.rounds
    _note(f"storing in {writer.path}")
    if json:
        for line in (header, *stored.records):
            _print_line(line)
    try:
        with progress(console, total - len(stored.records)) as display:
            observer = _JsonObserver(display) if json else display
            execute(header, writer, observer, done=stored.records, timeout_s=timeout_s)
    except KeyboardInterrupt as interrupt:
        _note(f"interrupted; gconvbench run --resume {writer.path.stem} goes on")
        terminated = isinstance(interrupt, _Terminated)
        return ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED
    return _finish(load_run(writer.path), json=json, already_printed=True)


def _finish(stored: Run, *, json: bool, already_printed: bool = False) -> int:
    if not json:
        print_run(stored, make_console(sys.stdout))
        print(f"stored in {stored.path}")
    elif already_printed:
        _print_line(stored.footer)
    else:
        for line in (stored.header, *stored.records, stored.footer):
            _print_line(line)
    return run_exit_code(stored.records)


def run_exit_code(records: tuple[Record, ...]) -> ExitCode:
    """6 with a wrong implementation, 5 with something not measured, else 0."""
    outcomes = {record.outcome for record in records}
    codes = [ExitCode.WRONG] if "wrong" in outcomes else []
    codes += [ExitCode.NOT_MEASURED] if outcomes & FAILED_OUTCOMES else []
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


def _print_line(line: object) -> None:
    sys.stdout.write(encode_line(line).decode() + "\n")  # type: ignore[arg-type]
    sys.stdout.flush()


def _note_excluded(selection: Selection) -> None:
    excluded = selection.expansion.excluded
    reasons: dict[str, int] = {}
    for item in excluded:
        reasons[item.reason] = reasons.get(item.reason, 0) + 1
    for reason, count in list(reasons.items())[:5]:
        _note(f"left out {count} combination(s): {reason}")
    if len(reasons) > 5:  # noqa: PLR2004 (as many as are shown)
        _note(f"{len(reasons) - 5} more reasons; gconvbench list shows all")


def _refuse_new_options(context: typer.Context) -> None:
    for name in _OPTIONS_OF_A_NEW_RUN:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "-a" if name == "axis" else "--" + name.replace("_", "-")
            message = f"--resume goes on with the stored plan; {option} cannot change it"
            raise UsageError(message)


def _note(text: str) -> None:
    print(f"gconvbench: {text}", file=sys.stderr)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated
