"""`roofline`: measured, stored, shown, and carried by the runs that follow."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from gconvbench.cases import flops, min_bytes, parse_case
from tests.functional.conftest import SMALL, Command, children
from tests.functional.test_show import without_torch

if TYPE_CHECKING:
    from pathlib import Path

HURRIED = ("roofline", "--device", "cpu", "--budget", "0.1s")


@pytest.fixture(scope="module")
def roofed(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A machine with ceilings, and a run before them and one after them."""
    command = Command(tmp_path_factory.mktemp("roofed"))
    options = (*SMALL, "--device", "cpu", "--implementation", "native,im2col_bmm", "--rounds", "1")
    for line in (("run", *options), HURRIED, ("run", *options)):
        outcome = command(*line)
        assert outcome.code == 0, outcome.err
    return command


def stored_document(command: Command) -> Path:
    (path,) = command.results.glob("runs/*/*.roofline.json")
    return path


def test_the_table_fits_and_names_every_ceiling_of_the_stored_document(
    gconvbench: Command,
) -> None:
    outcome = gconvbench(*HURRIED)
    assert outcome.code == 0, outcome.err
    assert outcome.err == "gconvbench: measuring for about 0.1 s\n"
    assert max(map(len, outcome.out.splitlines()[:-1])) <= 80
    document = json.loads(stored_document(gconvbench).read_bytes())
    assert document["ceilings"]["replay_s"] is None
    for dtype in document["ceilings"]["flops_per_s"]:
        assert re.search(rf"^ +{dtype} .* FLOP/byte ", outcome.out, re.MULTILINE)
    path = outcome.out.splitlines()[-1].removeprefix("stored in ")
    assert path.endswith(str(stored_document(gconvbench).relative_to(gconvbench.folder)))


def test_json_is_the_stored_document(gconvbench: Command) -> None:
    outcome = gconvbench(*HURRIED, "--json")
    assert outcome.code == 0, outcome.err
    (line,) = outcome.lines
    assert line == json.loads(stored_document(gconvbench).read_bytes())
    assert line["kind"] == "roofline"
    assert set(line["ceilings"]["flops_per_s"]) >= {"float32", "float64"}


def test_only_runs_that_begin_later_carry_the_ceilings_and_their_records_a_floor(
    roofed: Command,
) -> None:
    before, after = (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in roofed.stored()
    )
    assert before[0]["ceilings"] is None
    assert [line["floor_s"] for line in before if line["kind"] == "record"] == [None, None]
    ceilings = json.loads(stored_document(roofed).read_bytes())["ceilings"]
    assert after[0]["ceilings"] == ceilings
    for record in after[1:-1]:
        case = parse_case(record["job"]["case"])
        assert record["floor_s"] == pytest.approx(
            max(
                flops(case) / ceilings["flops_per_s"]["float32"],
                min_bytes(case) / ceilings["bytes_per_s"],
            )
        )


def test_show_has_the_share_without_torch(roofed: Command) -> None:
    hidden = without_torch(roofed)
    assert re.search(r"memory  limit  of floor\n", roofed("show", "latest", **hidden).out)
    assert "of floor" not in roofed("show", "latest~1", **hidden).out
    header, *rows = roofed("show", "--csv").out.splitlines()
    column = header.split(",").index("of_floor") - len(header.split(","))
    assert all(float(row.split(",")[column]) > 0 for row in rows)


def test_a_resumed_run_keeps_the_ceilings_that_it_began_with(roofed: Command) -> None:
    path = roofed.stored()[0]
    header, first, *_ = path.read_text("utf-8").splitlines()
    torn = path.with_name("20200101T000000Z-torn.jsonl")
    torn.write_text(f"{header}\n{first}\n", "utf-8")
    outcome = roofed("run", "--resume", str(torn))
    assert outcome.code == 0, outcome.err
    lines = [json.loads(line) for line in torn.read_text("utf-8").splitlines() if line]
    torn.unlink()
    assert lines[0]["ceilings"] is None
    assert [line["floor_s"] for line in lines if line["kind"] == "record"] == [None, None]


def test_two_devices_at_once_are_refused(gconvbench: Command) -> None:
    outcome = gconvbench("roofline", "--device", "cpu,cuda")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "gconvbench: device 'cpu,cuda': one at a time, please\n"
    assert gconvbench("roofline", "--device", "tpu").code == 2


def test_a_device_in_use_is_left_alone(gconvbench: Command) -> None:
    import fcntl  # noqa: PLC0415

    lock = gconvbench.folder / "gconvbench-cpu.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        outcome = gconvbench(*HURRIED)
    assert outcome.code == 3
    assert "in use by another run" in outcome.err
    assert not list(gconvbench.results.glob("**/*.json"))


def test_a_worker_that_is_killed_costs_the_ceilings_and_says_so(gconvbench: Command) -> None:
    process = gconvbench.start("roofline", "--device", "cpu", "--budget", "60s")
    while not (workers := children(process.pid)):
        assert process.poll() is None
    os.kill(workers[0], 9)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "SIGKILL" in err
    assert "fault in gconvbench" not in err


def test_what_cannot_be_stored_is_told(gconvbench: Command) -> None:
    gconvbench.results.write_text("a file", "utf-8")
    outcome = gconvbench(*HURRIED)
    assert outcome.code == 5
    assert "results cannot be stored" in outcome.err


def test_a_stored_document_is_shown_again_and_a_broken_one_refused(gconvbench: Command) -> None:
    made = gconvbench("roofline", "--budget", "0.1s")
    (path,) = gconvbench.results.glob("runs/*/*.roofline.json")
    shown = gconvbench("show", str(path))
    assert (shown.code, shown.out) == (0, made.out[: made.out.index("stored in ")])
    assert json.loads(gconvbench("show", str(path), "--json").out) == json.loads(path.read_text())
    path.write_text("{")
    broken = gconvbench("show", str(path))
    assert broken.code == 2
    assert "is not what its name says" in broken.err
