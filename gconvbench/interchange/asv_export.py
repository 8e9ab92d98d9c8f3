"""A stored run in asv's result files, written by asv's own classes."""

from __future__ import annotations

import itertools
import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from gconvbench.asv_files import asv_is_missing, asv_values
from gconvbench.errors import UsageError
from gconvbench.interchange.asv_benchmarks import merge_benchmarks
from gconvbench.interchange.asv_tables import SKIPPED, Cell, tables_of
from gconvbench.interchange.asv_verbatim import write_back
from gconvbench.interchange.machine import machine_facts
from gconvbench.interchange.storing import refuse_unsafe_name

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.interchange.asv_tables import Table
    from gconvbench.records import Header
    from gconvbench.store import Run

__all__ = ["Written", "export_asv"]

_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class Written(NamedTuple):
    """What an export did.

    Attributes:
        path: of the result file.
        left_out: how many jobs are no cases, so that asv has no name for them.
    """

    path: Path
    left_out: int = 0


def export_asv(run: Run, folder: Path) -> Written:
    """Write a run below asv's `results_dir`, beside what is there.

    Benchmarks of the same name in the same result file get the run's combinations, and keep their
    other ones. A run that was read from asv is written back as it was.

    Raises:
        UsageError: asv is not installed; asv files results by commit and this run has none or more
            than it; it has nothing for asv; a file that is there cannot be read or is another.
    """
    try:
        import asv.results  # noqa: F401, PLC0415 (optional, and slow to import)
    except ModuleNotFoundError as error:
        message = "export asv"
        raise asv_is_missing(message, error) from None
    origin = run.header.origin
    if origin is not None and origin.tool == "asv":
        return Written(write_back(origin, folder))
    tables, left_out = tables_of(run)
    if not tables:
        message = f"run {run.header.run} has nothing of a case, and asv is told of cases"
        raise UsageError(message)
    commit = _commit(run.header)
    refuse_unsafe_name(run.header.machine)
    merge_benchmarks(folder, {table.name: _metadata(table) for table in tables})
    return Written(_write(run.header, commit, tables, folder), left_out)


def _commit(header: Header) -> str:
    """The commit that was measured, and nothing else.

    Raises:
        UsageError: none is known, or there were changes.
    """
    tested = header.environment.under_test
    commit = tested.get("commit")
    why = ""
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        why = "has no commit"
    elif tested.get("commit_dirty"):
        why = f"measured changes beside commit {commit[:7]}"
    if why:
        message = f"run {header.run} {why}, and asv files results by commit; measure a clean one"
        raise UsageError(message)
    return str(commit)


def _write(header: Header, commit: str, tables: list[Table], folder: Path) -> Path:
    from asv.environment import get_env_name  # noqa: PLC0415
    from asv.machine import Machine  # noqa: PLC0415
    from asv.results import Results, get_filename  # noqa: PLC0415

    facts = machine_facts(header.environment, header.machine)
    python = ".".join(str(header.environment.soft.get("python")).split(".")[:2])
    needs = {"torch": str(header.environment.under_test.get("torch"))}
    env_name = get_env_name("gconvbench", python, needs, {})
    params = {**facts, "python": python, **needs}
    date_ms = _commit_date_s(header, commit) * 1000
    results = Results(params, needs, commit, date_ms, python, env_name, {})
    path = folder / get_filename(header.machine, commit, env_name)
    try:
        results.load_data(str(folder))
    except Exception as error:  # noqa: BLE001 (asv does not look at what it loads)
        message = f"file {str(path)!r} is there and asv cannot read it: {error}; move it away"
        raise UsageError(message) from None
    for table in tables:
        _add(results, table, _created(header))
    machine = Machine()
    vars(machine).update(facts)
    machine.save(str(folder))
    results.save(str(folder))
    return path


def _metadata(table: Table) -> dict[str, Any]:
    """What asv keeps of a benchmark in benchmarks.json."""
    return {
        "code": f"gconvbench export asv  # {table.version}",
        "name": table.name,
        "param_names": ["case", "implementation"],
        "params": table.params,
        "pretty_name": table.name,
        "type": "track",
        "unit": table.unit,
        "version": table.version,
    }


def _add(results: Any, table: Table, created: datetime) -> None:  # noqa: ANN401 (of asv)
    """Put a table into a result file, with what the file has of other combinations."""
    from asv.runner import BenchmarkResult  # noqa: PLC0415

    ours = {(repr(case), repr(name)): cell for (case, name), cell in table.cells.items()}
    cells = _cells_there(results, table) | ours
    params = [list(dict.fromkeys(words)) for words in zip(*cells, strict=True)]
    row = [cells.get((case, name), SKIPPED) for case, name in itertools.product(*params)]
    result = BenchmarkResult(
        [cell.value for cell in row],
        [cell.samples and list(cell.samples) for cell in row],
        [cell.number for cell in row],
        0,
        "",
        None,
    )
    benchmark = {"name": table.name, "version": table.version, "params": params}
    results.add_result(benchmark, result, started_at=created, record_samples=True)


def _cells_there(results: Any, table: Table) -> dict[tuple[str, str], Cell]:  # noqa: ANN401
    """The combinations of a benchmark that a result file has already, of the same version."""
    found: dict[tuple[str, str], Cell] = {}
    for one in asv_values(results):
        if (one.benchmark, one.version, len(one.words)) == (table.name, table.version, 2):
            samples = tuple(one.samples) if isinstance(one.samples, list) else None
            number = one.number if isinstance(one.number, int) and samples else None
            case, name = one.words
            found[case, name] = Cell(one.value, samples, number)  # type: ignore[arg-type]
    return found


def _created(header: Header) -> datetime:
    """When the run began, in UTC.

    Raises:
        UsageError: its header says no time.
    """
    try:
        found = datetime.fromisoformat(header.created)
    except ValueError:
        message = f"run {header.run} was created at {header.created[:50]!r}, which is no time"
        raise UsageError(message) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _commit_date_s(header: Header, commit: str) -> int:
    """When the commit was made, in seconds since 1970: asv orders results by it.

    Where the repository is not at hand, the run's own time stands for it.
    """
    try:
        done = subprocess.run(  # noqa: S603 (a commit is hexadecimal)
            ["git", "show", "-s", "--format=%ct", commit],  # noqa: S607 (whatever git the user has)
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        )
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return int(_created(header).timestamp())
