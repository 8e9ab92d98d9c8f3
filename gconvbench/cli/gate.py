"""`gconvbench gate`: measure both sides, judge, accept, tell."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gconvbench.acceptance import apply, load_acceptances
from gconvbench.cli.gate_earlier import select_for
from gconvbench.cli.gate_sides import (
    Chosen,
    SideOptions,
    accepted_before,
    open_sides,
    this_side_alone,
)
from gconvbench.cli.output import tolerate_closed_pipe
from gconvbench.cli.run import stoppable
from gconvbench.cli.values import cores, seconds
from gconvbench.errors import ExitCode, NotMeasuredError, UsageError
from gconvbench.planning import default_device, gate_method
from gconvbench.records import Comparison, Finding, SideFacts
from gconvbench.report.comparison import (
    OUTPUTS,
    encode_comparison,
    github,
    print_comparison,
    remove_outputs,
    write_outputs,
)
from gconvbench.report.console import make_console
from gconvbench.runner import device_lock
from gconvbench.runner.checkout import (
    NoBaselineError,
    NotBuiltError,
    is_ancestor,
)
from gconvbench.runner.confront import confront
from gconvbench.runner.confront_stored import confront_stored
from gconvbench.runner.question import Question, Stored
from gconvbench.store import find_run, is_latest, load_unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.acceptance import Acceptance
    from gconvbench.cli.gate_sides import Sides
    from gconvbench.gate_options import GateOptions
    from gconvbench.store import Run

__all__ = ["conclude", "gate"]


@stoppable
def gate(  # noqa: PLR0913 (one argument per option)
    options: GateOptions,
    sides: SideOptions,
    *,
    results: Path,
    output: Path | None,
    json: bool,
    selection: Sequence[str],
) -> ExitCode:
    """Measure, judge and tell; returns the exit code.

    Args:
        options: of the configuration and the command line.
        sides: what the command line says of the sides.
        results: where both sides' runs are stored.
        output: a folder for the files of the comparison.
        json: print the document instead of the table.
        selection: the command line as it was typed, to repeat it.
    """
    try:
        found = _found(options, sides, results)
    except BaseException as error:
        remove_outputs(output)  # else accept would take an earlier gate's for this one's
        if isinstance(error, KeyboardInterrupt):
            runs = results / "runs"
            _tell(f"stopped before a verdict; what was measured until then is under {runs}")
        raise
    found = msgspec.structs.replace(found, selection=tuple(selection), fail_on=options.fail_on)
    unmatched = options.unmatched_effects((job.case, job.implementation) for job in found.jobs)
    details = [f"minimum_effects: {glob!r} matches no job" for glob in unmatched]
    notes = [Finding("soft_difference", detail) for detail in details]
    found = msgspec.structs.replace(found, findings=(*found.findings, *notes))
    return conclude(found, output=output, json=json)


def conclude(found: Comparison, *, output: Path | None, json: bool) -> ExitCode:
    """Write and print a comparison in every form that is wanted here; returns the exit code.

    What cannot be written costs neither the verdict nor its exit code; where that is none, it is 5.
    """
    target, written = github(os.environ), output is not None
    try:
        with tolerate_closed_pipe(sys.stderr):
            write_outputs(found, folder=output, summary=target.summary, annotate=target.annotate)
    except OSError as error:
        lost = f"{error.filename or output} cannot be written: {error.strerror}"
        written = False
        _tell(lost)
        if found.exit_code == ExitCode.FINE:
            findings = (*found.findings, Finding("not_written", lost))
            found = msgspec.structs.replace(found, findings=findings)
            remove_outputs(output)  # they said that it passed
            with contextlib.suppress(OSError):
                write_outputs(found, folder=output, summary=None, annotate=False)
    with tolerate_closed_pipe():
        if json:
            print(encode_comparison(found).decode())
        else:
            print_comparison(found, make_console(sys.stdout))
    if written:
        _tell(f"written to {output}: {', '.join(OUTPUTS)}")
    return found.exit_code


def _found(options: GateOptions, sides: SideOptions, results: Path) -> Comparison:
    selection = select_for(options)
    try:
        run = None if sides.kinds else _stored_baseline(options.baseline, results)
    except NoBaselineError as error:
        return _nothing(options, "unknown", Finding("no_baseline", str(error)))
    device = run.header.device if run else _one_device(selection.devices)
    method = gate_method(
        device,
        threads=options.threads,
        cores=cores(options.pin) if options.pin else (),
        seed=options.seed,
    )
    chosen = Chosen(selection, options.implementation, method)
    acceptances = load_acceptances(Path(options.acceptances))
    try:
        if run is not None:
            return _against_stored(options, sides, run, chosen, results, acceptances)
        with open_sides(options, sides, chosen) as opened, device_lock(device):
            _tell(opened.note)
            before = accepted_before(opened, options.acceptances)
            found = confront(_question(options, opened, device, results), tell=_tell)
            return _accepted(found, acceptances, opened, before)
    except NoBaselineError as error:
        return _nothing(options, device, Finding("no_baseline", str(error)))
    except NotBuiltError as error:
        return _nothing(options, device, Finding("not_built", str(error)))


def _stored_baseline(name: str | None, results: Path) -> Run | None:
    """The stored run that is meant by a file, `latest` or `latest~1`; None for a commit.

    The latest is one that stands for itself: the contender of an earlier gate may be what failed.

    Raises:
        NoBaselineError: there is no such run.
        UsageError: the file is none.
    """
    if name is None or not (is_latest(name) or name.endswith(".jsonl") or Path(name).is_file()):
        return None
    try:
        return load_unchanged(find_run(results, name, with_gates=False))
    except UsageError as error:
        if Path(name).is_file():
            raise
        raise NoBaselineError(str(error)) from None


def _against_stored(  # noqa: PLR0913, PLR0917 (all that is known)
    options: GateOptions,
    sides: SideOptions,
    run: Run,
    chosen: Chosen,
    results: Path,
    acceptances: Sequence[Acceptance],
) -> Comparison:
    """Screen by the stored run; its commit is measured again where it can be had."""
    device = run.header.device
    with contextlib.ExitStack() as stack:
        stack.enter_context(device_lock(device))
        try:
            config = SideOptions(config=sides.config)
            both = open_sides(options, config, chosen, commit=_commit_of(run))
            opened, why_not = stack.enter_context(both), ""
        except (UsageError, NotMeasuredError) as error:
            opened = this_side_alone(chosen)
            why_not = f"the stored run's side cannot be measured again: {error}"
        before = accepted_before(opened, options.acceptances)
        question = _question(options, opened, device, results)
        sweeps = () if options.axes else chosen.selection.sweeps
        found = confront_stored(question, Stored(run, why_not, sweeps), tell=_tell)
        return _accepted(found, acceptances, opened, before)


def _commit_of(run: Run) -> str:
    """Whose code a stored run measured.

    Raises:
        UsageError: that is not known, or it had changes that were not committed.
    """
    under_test = run.header.environment.under_test
    commit = str(under_test.get("commit") or "")
    if not commit or under_test.get("commit_dirty"):
        message = "its code was not that of a commit"
        raise UsageError(message)
    return commit


def _one_device(devices: Sequence[str]) -> str:
    if len(devices) > 1:
        message = f"device {','.join(devices)!r}: a gate is about one device; give one"
        raise UsageError(message)
    return devices[0] if devices else default_device()


def _question(options: GateOptions, sides: Sides, device: str, results: Path) -> Question:
    return Question(
        baseline=sides.baseline,
        contender=sides.contender,
        device=device,
        pairs=options.pairs,
        results=results,
        minimum_effect_for=options.minimum_effect_for,
        timeout_s=options.timeout,
        seed=options.seed,
        budget_s=seconds(options.budget) if options.budget else None,
        is_about_code=sides.is_about_code,
        is_about_interpreters=sides.is_about_interpreters,
        implementations=sides.implementations,
        declared=sides.declared,
    )


def _accepted(
    found: Comparison,
    acceptances: Sequence[Acceptance],
    sides: Sides,
    before: tuple[Acceptance, ...],
) -> Comparison:
    """With what was accepted since the baseline; what that has accepted is in its times already."""
    repository = sides.repository
    problems = tuple(Finding("soft_difference", problem) for problem in sides.problems)
    return apply(
        msgspec.structs.replace(found, findings=(*found.findings, *problems)),
        acceptances,
        baseline_has=before,
        is_ancestor=lambda a, b: repository is not None and is_ancestor(repository, a, b),
        today=datetime.now(UTC).date(),
    )


def _nothing(options: GateOptions, device: str, finding: Finding) -> Comparison:
    return Comparison(
        command="gate",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=device,
        baseline=SideFacts(what=options.baseline or "none"),
        contender=SideFacts(what="working tree"),
        jobs=(),
        findings=(finding,),
        seed=options.seed,
    )


def _tell(text: str) -> None:
    if text:
        with tolerate_closed_pipe(sys.stderr):
            print(f"gconvbench: {text}", file=sys.stderr, flush=True)
