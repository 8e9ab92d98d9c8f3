"""`gconvbench check` and `show --accuracy`, as a user would call them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from gconvbench.store import load_run
from tests.functional.conftest import SMALL, WITHOUT_PLUGIN
from tests.functional.test_show import without_torch

if TYPE_CHECKING:
    from tests.functional.conftest import Command, Outcome

SWEEP = ("-a", "groups=2,4", "-a", "channels=8", "-a", "size=6", "-a", "kernel_size=1,3")


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Command, Outcome]:
    """One check that several tests look at."""
    from tests.functional.conftest import Command  # noqa: PLC0415 (a type elsewhere)

    command = Command(tmp_path_factory.mktemp("checked"))
    outcome = command(
        "check", *SWEEP, "-a", "direction=fprop,training", "-a", "dtype=float32,bfloat16",
        **WITHOUT_PLUGIN,
    )  # fmt: skip
    assert outcome.code == 0, outcome
    return command, outcome


def matrix_rows(out: str) -> dict[str, dict[str, list[str]]]:
    """Cells by dtype and implementation, as printed."""
    found: dict[str, dict[str, list[str]]] = {}
    dtype = ""
    for line in out.splitlines():
        if match := re.match(r"(float\d+|bfloat16) +(fprop|dgrad|wgrad|training)", line):
            dtype = match[1]
        elif dtype and re.match(r"[a-z]\w+ ", line):
            name, *cells = re.split(r"  +", line)
            found.setdefault(dtype, {})[name] = cells
        elif not line:
            dtype = ""
    return found


def test_the_matrix_has_implementations_directions_and_dtypes(
    checked: tuple[Command, Outcome],
) -> None:
    rows = matrix_rows(checked[1].out)
    assert set(rows) == {"float32", "bfloat16"}
    for cells in rows.values():
        assert {"native", "split_concat", "merged_groups_2", "im2col_bmm"} <= set(cells)
        assert "depthwise_mac" not in cells
        for row in cells.values():
            assert len(row) == 2
            assert all(re.fullmatch(r"\d+(\.\d)? %", cell) for cell in row), cells


def test_it_is_readable_at_80_columns(checked: tuple[Command, Outcome]) -> None:
    ids = re.compile(r"^ +g\d+mb")
    lines = [line for line in checked[1].out.splitlines() if not ids.match(line)]
    assert max(map(len, lines)) <= 80


def test_what_leaks_and_what_loses_its_layout_is_said_by_name(
    checked: tuple[Command, Outcome],
) -> None:
    text = " ".join(checked[1].out.split())
    assert re.search(r"NaN leaks between groups \(0 \* NaN\):[^:]*block_diagonal 16 of 16", text)
    assert re.search(r"output comes out channels_last, not contiguous: native_channels_last", text)
    assert "agreement: no two differ by more than" in text


def test_those_on_request_are_left_out_and_that_is_said(checked: tuple[Command, Outcome]) -> None:
    known = checked[0]("list", "--implementations", "--json", **WITHOUT_PLUGIN).lines
    count = sum(one["on_request"] for one in known)
    note = f"gconvbench: left out {count} that are on request; --implementation all\n"
    assert note in checked[1].err
    assert "compiled" not in checked[1].out


def test_a_check_is_stored_as_records_without_times(checked: tuple[Command, Outcome]) -> None:
    command, _ = checked
    run = load_run(command.stored()[0])
    done = [record for record in run.records if record.outcome != "unsupported"]
    assert {record.outcome for record in done} == {"checked"}
    for record in done:
        assert record.accuracy is not None
        assert record.accuracy.repeatability
        assert record.accuracy.deterministic
        assert set(record.accuracy.layouts.values()) == {"right"}
        assert {"sliced", "step 2", "transposed", "expanded", "batch 0"} <= set(
            record.accuracy.layouts
        )
        assert record.proof_s is not None
        assert all(one.precision in {"ieee", "half"} for one in record.accuracy.tensors)
        assert all(one.memory_format for one in record.accuracy.tensors)


def test_show_accuracy_prints_the_same_matrix_without_torch(
    checked: tuple[Command, Outcome],
) -> None:
    command, outcome = checked
    shown = command("show", "--accuracy", **without_torch(command))
    assert shown.code == 0, shown.err
    assert matrix_rows(shown.out) == matrix_rows(outcome.out)


def test_a_wrong_implementation_is_named_and_the_exit_code_is_6(gconvbench: Command) -> None:
    outcome = gconvbench("check", *SMALL, "--implementation", "native,wrong,split_concat")
    assert outcome.code == 6
    rows = matrix_rows(outcome.out)["float32"]
    assert rows["wrong"] == ["WRONG"]
    assert rows["native"][0].endswith("%")
    assert re.search(r"wrong wrong: output has error 0\.01, limit", outcome.out)


def test_names_may_be_patterns(gconvbench: Command) -> None:
    outcome = gconvbench("check", *SMALL, "--implementation", "nat*,split_c*", **WITHOUT_PLUGIN)
    assert outcome.code == 0
    assert set(matrix_rows(outcome.out)["float32"]) == {
        "native", "native_channels_last", "native_channels_last_copies", "native_without_onednn",
        "split_concat", "split_contiguous",
    }  # fmt: skip


def test_bits_are_compared_with_earlier_runs_and_between_processes(gconvbench: Command) -> None:
    for _ in range(2):
        outcome = gconvbench("check", *SMALL, "--implementation", "native", "--rounds", "2")
        assert outcome.code == 0
    assert "1 of 1 results have the same bits, 0 changed" in " ".join(outcome.out.split())
    run = load_run(gconvbench.stored()[-1])
    first, second = (record.accuracy for record in run.records)
    assert first is not None
    assert second is not None
    assert [one.digest for one in first.tensors] == [one.digest for one in second.tensors]
    assert "another process" not in outcome.out


def test_an_error_that_grew_is_reported_as_a_changed_algorithm(gconvbench: Command) -> None:
    gconvbench("check", *SMALL, "--implementation", "native")
    (path,) = gconvbench.stored()
    header, record, *_ = path.read_text("utf-8").splitlines()
    changed = json.loads(record)
    tensor = changed["accuracy"]["tensors"][0]
    tensor["group_error"] *= 1.6
    tensor["digest"] = "0" * 16
    later = path.with_name("29990101T000000Z-abc.jsonl")
    later.write_text("\n".join([header, json.dumps(changed)]) + "\n")
    shown = gconvbench("show", str(later), "--accuracy")
    assert shown.code == 0, shown.err
    text = " ".join(shown.out.split())
    assert "0 of 1 results have the same bits, 1 changed their algorithm" in text
    assert f"native output: error {tensor['group_error'] / 1.6:.1e} in {path.stem}, now" in text


def test_runs_of_other_machines_are_not_compared(
    gconvbench: Command, measured: tuple[Command, Outcome]
) -> None:
    gconvbench("check", *SMALL, "--implementation", "native")
    (path,) = gconvbench.stored()
    foreign = path.read_text("utf-8").replace('"machine":"', '"machine":"other-')
    (gconvbench.folder / "foreign.jsonl").write_text(foreign)
    outcome = gconvbench("show", "--accuracy", "--against", "foreign.jsonl")
    assert outcome.code == 4
    assert "cannot be compared: its machine is other-" in outcome.err


def test_runs_with_no_result_in_common_are_said_to_have_none(gconvbench: Command) -> None:
    for name in ("native", "split_concat"):
        gconvbench("check", *SMALL, "--implementation", name)
    first, second = sorted(path.stem for path in gconvbench.stored())
    shown = gconvbench("show", second, "--accuracy", "--against", first)
    assert shown.code == 0, shown.err
    assert f"run {first} has no result in common with this one" in shown.out
    assert "against" not in shown.out.partition("in common")[2]


def test_a_run_of_nothing_that_is_supported_has_measured_nothing(gconvbench: Command) -> None:
    outcome = gconvbench("check", *SMALL, "--implementation", "choosy")
    assert outcome.code == 5
    assert "1 unsupported" in outcome.out


def test_errors_are_drawn_over_reduction_lengths(checked: tuple[Command, Outcome]) -> None:
    command, _ = checked
    outcome = command("show", "--plot", "errors.svg")
    assert outcome.code == 0, outcome.err
    picture = (command.folder / "errors.svg").read_text("utf-8")
    assert picture.startswith("<?xml")
    assert str(command.folder) not in picture


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "--plot", "errors.bmp"), "must end in one of .svg, .png, .pdf"),
        (("show", "--accuracy", "--json"), "--json and --csv have all errors without it"),
        (("show", "--accuracy", "--against", "nowhere"), "run 'nowhere' is not known"),
        (("check", "-a", "groups=3"), "in_channels (64) must be a multiple of groups (3)"),
        (("check", *SMALL, "--implementation", "natve"), "did you mean 'native'?"),
        (("check", "--cache", "hot"), "No such option: --cache"),
    ],
)
def test_wrong_use_is_one_clear_line(
    checked: tuple[Command, Outcome], arguments: tuple[str, ...], words: str
) -> None:
    outcome = checked[0](*arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert "Traceback" not in outcome.err
