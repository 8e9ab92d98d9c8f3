"""`show`, `list` and `environment`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from gconvbench.store import load_run
from tests.functional.conftest import ROOT, SMALL

if TYPE_CHECKING:
    from tests.functional.conftest import Command, Outcome


def without_torch(command: Command) -> dict[str, str]:
    """An environment in which importing torch, numpy or pandas fails at once."""
    blocker = command.folder / "no_torch"
    blocker.mkdir(exist_ok=True)
    for name in ("torch", "numpy", "pandas"):
        (blocker / f"{name}.py").write_text("raise ImportError('not installed here')\n")
    return {"PYTHONPATH": f"{blocker}:{command.environment['PYTHONPATH']}"}


def test_show_and_help_work_without_torch(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    for arguments in (
        ("show",),
        ("show", "--json"),
        ("--help",),
        ("run", "--help"),
        ("list", "--sweeps"),
    ):
        outcome = command(*arguments, **without_torch(command))
        assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(("schema", "records"), [(1, 4), (2, 6)])
def test_runs_of_earlier_schemas_are_still_shown(
    gconvbench: Command, schema: int, records: int
) -> None:
    path = ROOT / "tests" / "data" / f"schema-{schema}.jsonl"
    outcome = gconvbench("show", str(path), **without_torch(gconvbench))
    assert outcome.code == 0, outcome.err
    assert f"2 cases; jobs: {records - 1} measured, 1 unsupported" in outcome.out
    assert len(gconvbench("show", str(path), "--json").records()) == records


def test_without_torch_a_run_says_what_to_install(gconvbench: Command) -> None:
    (gconvbench.folder / "sitecustomize.py").write_text(
        """
import importlib.abc
import sys

class NoTorch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
"""
    )
    path = f"{gconvbench.folder}:{gconvbench.environment['PYTHONPATH']}"
    outcome = gconvbench("run", *SMALL, PYTHONPATH=path)
    assert outcome.code == 2
    assert "torch is not installed for " in outcome.err
    assert "pip install 'torch>=2.6'" in outcome.err
    assert "Traceback" not in outcome.err


def test_show_json_is_the_stored_file(measured: tuple[Command, Outcome]) -> None:
    command, outcome = measured
    assert command("show", "latest", "--json").lines == outcome.lines


def test_csv_has_a_row_per_round_and_times_only_where_measured(
    measured: tuple[Command, Outcome],
) -> None:
    command, _ = measured
    rows = list(csv.DictReader(io.StringIO(command("show", "--csv").out)))
    assert len(rows) == 15
    assert all(bool(row["time_s"]) == (row["outcome"] == "measured") for row in rows)


def test_show_reads_a_truncated_run_as_far_as_it_goes(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    half = command.folder / "half.jsonl"
    data = command.stored()[0].read_bytes()
    half.write_bytes(data[: len(data) // 2])
    outcome = command("show", "half.jsonl")
    assert outcome.code == 0
    assert "1 line(s) could not be read and were left out" in outcome.out
    assert "this run was interrupted" in outcome.out


def test_show_says_that_a_file_was_changed_afterwards(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    changed = command.folder / "changed.jsonl"
    changed.write_text(command.stored()[0].read_text().replace('"round":2', '"round":3'))
    assert "its checksum does not hold" not in command("show").out
    assert "checksum does not hold" in command("show", "changed.jsonl").out


def test_list_shows_what_would_run_what_not_and_how_long(gconvbench: Command) -> None:
    outcome = gconvbench("list", "-a", "groups=1,3", "-a", "channels=4", "--json")
    kinds = {line["kind"]: line for line in outcome.lines}
    assert kinds["case"]["parameters"] == 4 * 4 * 9
    assert "native" in kinds["case"]["runs"]
    assert kinds["case"]["unsupported"]["split_stack"] == "computes conv_shuffle, not conv"
    assert "multiple of groups (3)" in kinds["excluded"]["reason"]
    assert kinds["estimate"]["estimate_s"] > 0
    assert kinds["estimate"]["jobs_known"] == 0
    text = gconvbench("list", "-a", "groups=1,3", "-a", "channels=4").out
    assert "estimated time: " in text
    assert "assumed: no earlier run" in text


def test_the_estimate_knows_earlier_runs(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    outcome = command("list", *SMALL, "--implementation", "native,split_concat", "--json")
    assert outcome.lines[-1]["jobs_known"] == 2


def test_implementations_from_outside_are_listed_with_their_source_and_problems(
    gconvbench: Command,
) -> None:
    found = {one["name"]: one for one in gconvbench("list", "--implementations", "--json").lines}
    assert found["native"]["source"] == "built in"
    assert found["chatty"]["source"] == "gconvbench-test-plugin"
    assert "No module named 'gconvbench_no_such_module'" in found["unimportable"]["problem"]
    assert found["leaving"]["problem"] == "SystemExit: 3"
    assert "is no gconvbench Implementation" in found["shapeless"]["problem"]
    assert "'native' is taken" in found["native (gconvbench-test-plugin)"]["problem"]
    text = gconvbench("list", "--implementations").out
    assert "F.conv2d(groups=g)" in text
    assert "cannot be used: ModuleNotFoundError" in text


def test_the_environment_is_printed_in_its_classes(gconvbench: Command) -> None:
    facts = json.loads(gconvbench("environment", "--json").out)
    assert facts["identity"]["device_type"] == "cpu"
    assert facts["machine"].count("-") >= 1
    text = gconvbench("environment").out
    for kind in ("identity", "under_test", "soft"):
        assert kind in text


@pytest.mark.parametrize("form", ["", "--json", "--csv"])
def test_a_reader_that_leaves_is_no_slowdown(measured: tuple[Command, Outcome], form: str) -> None:
    command, _ = measured
    process = command.start("show", *form.split())
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    assert process.wait(60) == 0
    _, err = process.communicate()
    assert err == ""


def test_a_run_goes_on_when_nobody_reads_its_records_any_more(gconvbench: Command) -> None:
    process = gconvbench.start("run", *SMALL, "--implementation", "native", "--json")
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    assert process.wait(100) == 0
    process.communicate()
    assert load_run(gconvbench.stored()[0]).is_complete


def test_output_that_cannot_be_written_is_said(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    with open("/dev/full", "w", encoding="ascii") as full:  # noqa: PTH123
        done = subprocess.run(
            command.line("show"), cwd=command.folder, env=command.environment, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 5
    assert done.stderr.startswith("gconvbench: cannot read or write: ")
