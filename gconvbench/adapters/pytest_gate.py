"""The gate inside pytest: the same tests of two commits, in fresh processes, judged as ever.

Each process is a pytest of its own, in a checkout of its side, so that tests, fixtures and the code
that they time are all that side's; only the engine is one. What only one side has is missing or
new. Nothing is stored but by the tests themselves.
"""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gconvbench.adapters.notes import PYTEST
from gconvbench.adapters.pytest_side import PytestSide, Selection
from gconvbench.adapters.session import asked
from gconvbench.comparing import (
    Row,
    findings_of,
    job_verdicts,
    other_environment,
    pair_up,
    with_judgement,
)
from gconvbench.errors import ExitCode, GconvbenchError, UsageError
from gconvbench.gate import judge_sides
from gconvbench.gate_options import read_gate_options
from gconvbench.records import Comparison, Finding, SideFacts
from gconvbench.report.comparison import print_comparison
from gconvbench.report.console import make_console
from gconvbench.runner.checkout import (
    Baseline,
    checkout,
    default_baseline,
    has_new_code,
    is_dirty,
    resolve,
    top_if_any,
    top_of,
)
from gconvbench.runner.gating import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from gconvbench.gate.processes import SideName
    from gconvbench.gate_options import GateOptions
    from gconvbench.records import CacheMode, Job, Record

    Sides = Mapping[SideName, PytestSide]
__all__ = ["gate", "lines_of", "why_no_gate"]


def gate(config: pytest.Config) -> tuple[Comparison | str, bool]:
    """Measure and judge; returns what was found, or why nothing was, and whether it passes."""
    try:
        found = _gate(config)
    except GconvbenchError as error:
        return str(error), False
    return found, found.exit_code == ExitCode.FINE


def why_no_gate(config: pytest.Config) -> str:
    """Why there can be none, as far as that is known before anything is measured; else empty."""
    here = Path(config.invocation_params.dir).resolve()
    repository = top_if_any(here)
    if repository is None:
        return f"{here.name!r} is in no git repository; a gate compares two commits of one"
    try:
        _baseline(repository, config.getoption("--gconvbench-gate"))
        _selection(config, here, repository.resolve())
    except GconvbenchError as error:
        return str(error)
    return ""


def lines_of(found: Comparison | str, exit_code: int) -> list[str]:
    """What to print at the end of pytest's report.

    Args:
        found: of `gate`.
        exit_code: with which pytest leaves where the gate does not pass.
    """
    if isinstance(found, str):
        return [f"no verdict: {found}; exit code {exit_code}"]
    text = io.StringIO()
    code = 0 if found.exit_code == ExitCode.FINE else exit_code
    print_comparison(found, make_console(text, plain=True), exit_code=code)
    return text.getvalue().splitlines()


def _gate(config: pytest.Config) -> Comparison:
    start = time.monotonic()
    here = Path(config.invocation_params.dir).resolve()
    repository = top_of(here).resolve()
    options = read_gate_options(None, repository)
    baseline = _baseline(repository, config.getoption("--gconvbench-gate"))
    selection = _selection(config, here, repository)
    with checkout(repository, baseline.commit, build=options.build) as tree:
        sides: Sides = {
            "baseline": PytestSide(tree, selection),
            "contender": PytestSide(repository, selection),
        }
        found = _confronted(sides, options, _teller(config))
    return msgspec.structs.replace(
        found,
        baseline=_facts(f"commit {baseline.commit[:10]}, {baseline.why}", sides["baseline"]),
        contender=_facts("this working tree", sides["contender"]),
        spent_s=round(time.monotonic() - start, 1),
    )


def _teller(config: pytest.Config) -> Callable[[str], object]:
    """What says on the terminal how far the gate is."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return str
    reporter.write_line("")  # the dots end without one
    return lambda text: reporter.write_line(f"gconvbench gate: {text}")


def _baseline(repository: Path, name: str) -> Baseline:
    """The commit to compare with.

    Raises:
        UsageError: it is the working tree's own.
        NoBaselineError: there is none.
    """
    found = Baseline(resolve(repository, name), f"given as {name}") if name else None
    found = found or default_baseline(repository)
    changed = is_dirty(repository) or has_new_code(repository)
    if found.commit == resolve(repository, "HEAD") and not changed:
        message = f"both sides are commit {found.commit[:10]}; name an earlier one"
        raise UsageError(message)
    return found


def _selection(config: pytest.Config, here: Path, repository: Path) -> Selection:
    """What selects tests, as any checkout has it.

    Raises:
        UsageError: tests outside the repository.
    """
    paths = []
    for word in config.args:
        path, separator, rest = word.partition("::")
        paths.append((_inside(path, here, repository), f"{separator}{rest}"))
    options: list[str] = []
    for name in ("-k", "-m"):
        if text := config.getoption(name):
            options += [name, text]
    for test in config.getoption("--deselect") or ():
        options += ["--deselect", test]
    ignored = [_inside(path, here, repository) for path in config.getoption("--ignore") or ()]
    inside = here.relative_to(repository)
    return Selection(inside, tuple(paths), tuple(options), tuple(ignored))


def _inside(path: str, here: Path, repository: Path) -> Path:
    """A path below the repository's top."""
    found = (here / path).resolve()
    if not found.is_relative_to(repository):
        message = f"{path!r} lies outside the repository {repository.name!r}; gate what is in it"
        raise UsageError(message)
    return found.relative_to(repository)


def _facts(what: str, side: PytestSide) -> SideFacts:
    tested = side.taken.environment.under_test if side.taken.environment else {}
    return SideFacts(
        what=what,
        commit=str(tested.get("commit") or ""),
        torch=str(tested.get("torch") or ""),
        machine=side.taken.machine,
        processes=side.slots,
    )


def _confronted(sides: Sides, options: GateOptions, tell: Callable[[str], object]) -> Comparison:
    tell("asking both sides what they have")
    offers = {name: side.offer() for name, side in sides.items()}
    pairs = pair_up(offers["baseline"], offers["contender"])
    modes = _modes(sides)
    rows = [Row(pair, modes[pair.job.case]) for pair in pairs if not pair.kind]
    findings = _other_environment(sides)
    if not rows:
        findings = (*findings, Finding("empty", "no test was measured on both sides"))
    found = Comparison(
        command="gate",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=asked().device,
        baseline=SideFacts(what=""),
        contender=SideFacts(what=""),
        jobs=(),
        findings=findings,
        seed=options.seed,
        fail_on=options.fail_on,
    )
    if findings:
        jobs = job_verdicts(pairs, {}, {}, {}, ("hot",))
        return msgspec.structs.replace(found, jobs=jobs)
    session = Session(sides, rows, anchors=_anchors(sides), tell=tell)  # type: ignore[arg-type]
    minimum = [options.minimum_effect_for(row.pair.job.case, PYTEST) for row in rows]
    judgement = judge_sides(
        session.measure,
        len(rows),
        pairs=options.pairs,
        anchors=len(session.anchors),
        minimum_effect=np.array(minimum),
        seed=options.seed,
    )
    new = [pair.job for pair in pairs if pair.kind == "new"]
    records = session.records
    records["contender"] |= {job: [_record_of(sides["contender"], job)] for job in new}
    verdicts = {row: (judgement.cases[i], minimum[i]) for i, row in enumerate(rows)}
    jobs = tuple(
        one
        for pair in pairs
        for one in job_verdicts(
            [pair],
            verdicts,
            records["baseline"],
            records["contender"],
            (modes.get(pair.job.case, "hot"),),
        )
    )
    found = msgspec.structs.replace(found, jobs=jobs, findings=findings_of(judgement))
    return with_judgement(found, judgement)


def _record_of(side: PytestSide, job: Job) -> Record:
    return msgspec.structs.replace(side.taken.records[job.case], job=job)


def _modes(sides: Sides) -> dict[str, CacheMode]:
    """By test the cache mode of its times, the contender's where they differ."""
    return {
        test: record.timings[0].cache_mode if record.timings else "hot"
        for side in (sides["baseline"], sides["contender"])
        for test, record in side.taken.records.items()
    }


def _other_environment(sides: Sides) -> tuple[Finding, ...]:
    before, after = (sides[name].taken.environment for name in ("baseline", "contender"))
    return other_environment(before, after) if before and after else ()


def _anchors(sides: Sides) -> tuple[str, ...]:
    """Names of the work beside the code under test that both sides did."""
    before, after = (sides[name].taken.anchors for name in ("baseline", "contender"))
    return tuple(name for name in before if name in after)
