"""What a comparison of two sides found: per job a kind with its exit code, and all the numbers."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from gconvbench.errors import ExitCode, worst
from gconvbench.records.job import CacheMode

__all__ = [
    "ACCEPTABLE",
    "FAILABLE",
    "FINDING_KINDS",
    "JOB_KINDS",
    "VERDICT_SCHEMA",
    "Change",
    "Comparison",
    "Finding",
    "JobVerdict",
    "Kind",
    "SideFacts",
    "Suite",
    "Verdict",
    "exit_code_of",
]

VERDICT_SCHEMA = 1

Verdict = Literal["faster", "slower", "unchanged", "uncertain", "missing", "incomparable"]


class Kind(NamedTuple):
    """A way in which a job, or the whole comparison, can end.

    Attributes:
        verdict: what it comes down to.
        exit_code: with which a comparison leaves that has one of these.
        meaning: for the reader, in a few words.
    """

    verdict: Verdict
    exit_code: ExitCode
    meaning: str


JOB_KINDS: dict[str, Kind] = {
    "wrong": Kind("missing", ExitCode.WRONG, "the contender computes it wrongly"),
    "not_finite": Kind("missing", ExitCode.WRONG, "the contender's result has NaN or infinity"),
    "missing": Kind("missing", ExitCode.NOT_MEASURED, "the baseline has it, the contender not"),
    "renamed": Kind("missing", ExitCode.NOT_MEASURED, "the baseline has it by another name"),
    "crashed": Kind("missing", ExitCode.NOT_MEASURED, "the contender's process died of it"),
    "timed_out": Kind("missing", ExitCode.NOT_MEASURED, "the contender did not end in time"),
    "out_of_memory": Kind("missing", ExitCode.NOT_MEASURED, "the contender ran out of memory"),
    "failed": Kind("missing", ExitCode.NOT_MEASURED, "the contender raised an exception"),
    "no_baseline": Kind("missing", ExitCode.NOT_MEASURED, "the baseline could not be measured"),
    "implausibly_faster": Kind(
        "uncertain", ExitCode.NOT_MEASURED, "more than twice as fast is not believed"
    ),
    "slower": Kind("slower", ExitCode.SLOWER, "confirmed slower"),
    "uncertain": Kind("uncertain", ExitCode.UNCERTAIN, "could not be decided"),
    "slower_with_suite": Kind(
        "uncertain", ExitCode.UNCERTAIN, "slower together with the suite, not looked at alone"
    ),
    "not_reached": Kind(
        "uncertain", ExitCode.UNCERTAIN, "not measured often enough for a decision"
    ),
    "accepted": Kind("slower", ExitCode.FINE, "a change that was accepted"),
    "new": Kind("missing", ExitCode.FINE, "the contender has it, the baseline not"),
    "faster": Kind("faster", ExitCode.FINE, "confirmed faster"),
    "unchanged": Kind("unchanged", ExitCode.FINE, "no change beyond the minimum effect"),
    "unsupported": Kind("unchanged", ExitCode.FINE, "neither side can compute it"),
}
"""Worst first. A job has exactly one."""

FINDING_KINDS: dict[str, Kind] = {
    "other_machine": Kind("incomparable", ExitCode.NOT_COMPARABLE, "the machines differ"),
    "other_settings": Kind("incomparable", ExitCode.NOT_COMPARABLE, "undeclared settings differ"),
    "other_method": Kind("incomparable", ExitCode.NOT_COMPARABLE, "times were taken otherwise"),
    "machine_moved": Kind(
        "incomparable", ExitCode.NOT_COMPARABLE, "work beside the code under test changed, too"
    ),
    "no_baseline": Kind("missing", ExitCode.NOT_MEASURED, "there is nothing to compare with"),
    "unusable": Kind("missing", ExitCode.NOT_MEASURED, "a new implementation that cannot be used"),
    "empty": Kind("missing", ExitCode.NOT_MEASURED, "nothing could be measured on both sides"),
    "not_written": Kind("missing", ExitCode.NOT_MEASURED, "what was found could not be written"),
    "suite_slower": Kind("slower", ExitCode.SLOWER, "the whole suite is slower"),
    "too_noisy": Kind("uncertain", ExitCode.UNCERTAIN, "too many processes had to be refused"),
    "not_built": Kind("uncertain", ExitCode.UNCERTAIN, "the baseline could not be built"),
    "only_screened": Kind("uncertain", ExitCode.FINE, "stored data can only screen"),
    "suite_faster": Kind("faster", ExitCode.FINE, "the whole suite is faster"),
    "suite_accepted": Kind("slower", ExitCode.FINE, "a slower suite that was accepted"),
    "acceptance_expired": Kind("unchanged", ExitCode.FINE, "an acceptance is past its expiry"),
    "acceptance_exceeded": Kind("unchanged", ExitCode.FINE, "slower than what was accepted"),
    "acceptance_unused": Kind("unchanged", ExitCode.FINE, "an acceptance that silences nothing"),
    "soft_difference": Kind("unchanged", ExitCode.FINE, "worth a warning"),
}
"""What is true of the comparison as a whole; there may be any number."""

FAILABLE: dict[str, ExitCode] = {
    "accuracy": ExitCode.WRONG,
    "memory": ExitCode.SLOWER,
    "dispatch": ExitCode.SLOWER,
    "new": ExitCode.NOT_MEASURED,
}
"""What can be made to fail by `fail_on`: notes of a job by their kind, and new jobs."""


ACCEPTABLE = (
    "slower",
    "suite_slower",
    "missing",
    "renamed",
    "no_baseline",
    "implausibly_faster",
    "new",
    *(kind for kind in FAILABLE if kind != "new"),
)
"""What a reviewed file can accept: kinds of jobs and of their notes, and a slower suite. Wrong
results, crashes and what could not be decided are not among them."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Contender against baseline in one job, and how sure.

    Attributes:
        baseline_s: the baseline's time, as tables show it, in seconds.
        contender_s: the contender's.
        ratio: contender over baseline, as the verdict's own estimate has it; > 1 is slower.
        low: lower end of its 95 % interval; null where a side has too few processes for one.
        high: upper end, likewise.
        p: one-sided, adjusted for the number of suspects; null where it was only screened.
        baseline_processes: fresh processes behind the estimate.
        contender_processes: likewise.
        decided: whether fresh processes were measured for it after it looked suspicious.
        minimum_effect: the smallest change that counts, as a share.
    """

    baseline_s: float
    contender_s: float
    ratio: float
    low: float | None
    high: float | None
    p: float | None
    baseline_processes: int
    contender_processes: int
    decided: bool
    minimum_effect: float


class Finding(msgspec.Struct, frozen=True):
    """Something found, by its kind, with the facts in one line.

    Attributes:
        kind: of `FINDING_KINDS`; as a job's note `dispatch`, `accuracy`, `memory`, or `accepted`
            where it was one of these.
        detail: subject, value found, value allowed, next step.
    """

    kind: str
    detail: str


class JobVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One job's end: a case, an implementation and a cache mode.

    Attributes:
        case: its id; the contender's.
        implementation: the contender's.
        baseline_implementation: where it has another name, else empty.
        cache_mode: the view, such as `hot`.
        name: the layer's name where the case has one.
        kind: of `JOB_KINDS`.
        change: null where one side has no time.
        detail: the reason where there is one to say.
        notes: changes beside the time: `dispatch`, `accuracy`, `memory`, `accepted`.
    """

    case: str
    implementation: str
    baseline_implementation: str = ""
    cache_mode: CacheMode = "hot"
    name: str = ""
    kind: str
    change: Change | None = None
    detail: str = ""
    notes: tuple[Finding, ...] = ()


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """What all jobs have in common: contender over baseline, minus 1, as shares.

    Attributes:
        shift: of the median over all jobs.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided (Welch).
        confirmed: whether fresh processes confirmed it; null where that was not asked.
        controls: how many unsuspicious jobs were measured along with the suspects.
        controls_shift: theirs, in fresh processes; null where there were none.
        anchors_shift: of work that does not run the code under test; null where there was none.
    """

    shift: float
    low: float
    high: float
    p: float
    confirmed: bool | None = None
    controls: int = 0
    controls_shift: float | None = None
    anchors_shift: float | None = None


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two sides.

    Attributes:
        what: for people, such as `commit 1a2b3c4d5e` or `native`.
        run: the name of its stored run.
        commit: of the code under test, or empty.
        torch: its version.
        machine: the machine's folder.
        processes: fresh processes measured, refused ones included.
        refused: those refused because all their times stood out.
    """

    what: str
    run: str = ""
    commit: str = ""
    torch: str = ""
    machine: str = ""
    processes: int = 0
    refused: int = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a gate or a comparison found; what `--json` prints.

    Attributes:
        command: `gate` or `compare`.
        created: when, in UTC.
        device: `cpu`, `cuda` or `cuda:1`.
        baseline: the older side.
        contender: the newer side.
        jobs: one verdict each, in the order asked for.
        findings: what is true of the whole.
        suite: the common shift; null where nothing was measured on both sides.
        detectable: the smallest slowdown of a single job, as a share, that would have been found
            with 95 % power: the median over jobs; null where it cannot be told.
        rule: the constants of the decision by name.
        seed: of orders and of the choice of controls.
        fail_on: which notes fail, of `FAILABLE`.
        spent_s: wall time.
        budget_s: what it was allowed; null without.
        extra: case measurements after the first look, as a share of those in it.
        selection: the command's options that choose the jobs, to reproduce them.
    """

    command: Literal["gate", "compare"]
    created: str
    device: str
    baseline: SideFacts
    contender: SideFacts
    jobs: tuple[JobVerdict, ...]
    findings: tuple[Finding, ...] = ()
    suite: Suite | None = None
    detectable: float | None = None
    rule: dict[str, Any] = {}
    seed: int = 0
    fail_on: tuple[str, ...] = ()
    spent_s: float = 0.0
    budget_s: float | None = None
    extra: float = 0.0
    selection: tuple[str, ...] = ()
    schema: int = VERDICT_SCHEMA

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all kinds and failing notes; 5 where there is no job at all."""
        return exit_code_of(self)


def exit_code_of(found: Comparison) -> ExitCode:
    """The exit code of the one table; a comparison of nothing never passes."""
    codes = [JOB_KINDS[job.kind].exit_code for job in found.jobs]
    codes += [FINDING_KINDS[finding.kind].exit_code for finding in found.findings]
    noted = {note.kind for job in found.jobs for note in job.notes}
    noted |= {job.kind for job in found.jobs if job.kind == "new"}
    codes += [FAILABLE[kind] for kind in sorted(noted & set(found.fail_on))]
    says_why = any(code != ExitCode.FINE for code in codes)
    compared = any(job.change is not None for job in found.jobs)
    return worst(codes if compared or says_why else [ExitCode.NOT_MEASURED])
