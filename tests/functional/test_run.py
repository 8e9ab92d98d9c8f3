"""`gconvbench run` end to end."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from gconvbench.store import load_run
from tests.functional.conftest import SMALL, WITHOUT_PLUGIN

if TYPE_CHECKING:
    from tests.functional.conftest import Command, Outcome


def test_every_supported_job_is_measured_once_per_round(measured: tuple[Command, Outcome]) -> None:
    _, outcome = measured
    seen = [(r["job"]["case"][:2], r["job"]["implementation"], r["round"])
            for r in outcome.records() if r["outcome"] == "measured"]  # fmt: skip
    expected = [
        (case, name, number)
        for case in ("g1", "g2")
        for name in ("native", "split_concat", "block_diagonal", "chatty")
        for number in (1, 2)
        if (case, name) != ("g1", "block_diagonal")
    ]
    assert sorted(seen) == sorted(expected)


def test_rounds_are_shuffled_in_blocks_of_a_case(measured: tuple[Command, Outcome]) -> None:
    _, outcome = measured
    measured_records = [r for r in outcome.records() if r["outcome"] == "measured"]
    for number in (1, 2):
        cases = [r["job"]["case"] for r in measured_records if r["round"] == number]
        changes = sum(a != b for a, b in itertools.pairwise(cases))
        assert changes == 1


def test_json_is_the_stored_file(measured: tuple[Command, Outcome]) -> None:
    command, outcome = measured
    (path,) = command.stored()
    assert [json.loads(line) for line in path.read_text().splitlines()] == outcome.lines
    assert load_run(path).is_complete


def test_what_an_implementation_prints_does_not_reach_the_results(
    measured: tuple[Command, Outcome],
) -> None:
    _, outcome = measured
    chatty = outcome.records(implementation="chatty")
    assert [record["outcome"] for record in chatty] == ["measured"] * 4


def test_an_unsupported_job_is_one_record_and_no_failure(measured: tuple[Command, Outcome]) -> None:
    _, outcome = measured
    (record,) = [r for r in outcome.records() if r["outcome"] == "unsupported"]
    assert record["job"]["implementation"] == "block_diagonal"
    assert record["detail"] == "with groups=1 this would be native once more"
    assert outcome.code == 0


def test_the_header_says_what_where_and_how(measured: tuple[Command, Outcome]) -> None:
    _, outcome = measured
    header = outcome.lines[0]
    assert header["method"]["clock"] == "host"
    assert header["method"]["threads"] == 1
    assert header["environment"]["identity"]["device_type"] == "cpu"
    assert header["environment"]["under_test"]["torch"]
    assert header["plan"]["rounds"] == 2
    assert outcome.lines[-1]["counts"] == {"measured": 14, "unsupported": 1}


def test_other_programs_can_drive_a_check(gconvbench: Command) -> None:
    ids = gconvbench.folder / "ids.txt"
    ids.write_text(
        '# a comment\ng2mb1ic4ih6oc4kh3ph1n"x"  # a name\n\ng1mb1ic4ih6oc4kh3:conv:bfloat16\n'
    )
    outcome = gconvbench(
        "run",
        "--cases",
        str(ids),
        "--implementation",
        "all",
        "--check-only",
        "--json",
        **WITHOUT_PLUGIN,
    )
    assert outcome.code == 0
    kinds = {record["outcome"] for record in outcome.records()}
    assert kinds == {"checked", "unsupported"}
    assert not any(record["timings"] for record in outcome.records())


def test_the_same_seed_gives_the_same_inputs_and_errors(gconvbench: Command) -> None:
    def errors() -> list[float]:
        done = gconvbench("run", *SMALL, "--check-only", "--json", "--implementation", "native")
        return [t["error"] for r in done.records() for t in r["accuracy"]["tensors"]]

    assert errors() == errors()


def test_the_table_answers_which_to_use_in_80_columns(gconvbench: Command) -> None:
    outcome = gconvbench("run", *SMALL, "--implementation", "native,split_concat", "--rounds", "2")
    assert outcome.code == 0
    assert "speedup" in outcome.out
    assert "  use " in outcome.out
    assert "[2/4," in outcome.err
    stored = [line for line in outcome.out.splitlines() if line.startswith("stored in")]
    assert stored == [f"stored in {gconvbench.stored()[0].relative_to(gconvbench.folder)}"]
    body = [line for line in outcome.out.splitlines() if line not in stored]
    assert max(map(len, body)) <= 80


def test_a_user_s_sweep_file_is_a_network_with_an_answer(gconvbench: Command) -> None:
    (gconvbench.folder / "mine.toml").write_text(
        """
        network = "tiny"
        [[block]]
        name = "a"
        groups = [1, 2]
        channels = 4
        size = 6
        count = 3
        """
    )
    assert gconvbench("check", "--sweep", "mine.toml", **WITHOUT_PLUGIN).code == 0
    outcome = gconvbench("show")
    assert "tiny, fprop: a with groups 2 against groups 1 everywhere" in outcome.out
    assert "in 1 of 1 grouped layers" in outcome.out
