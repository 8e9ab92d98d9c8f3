from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from gconvbench.cases import case_id, flops, min_bytes
from gconvbench.errors import UsageError
from gconvbench.records import Origin, PlannedCase
from gconvbench.report.gather import gather
from gconvbench.report.headline import headline
from gconvbench.report.markdown import MOST_CHARACTERS
from gconvbench.report.notes import notes_of
from gconvbench.report.page import samples as page_samples
from gconvbench.report.page.cases import rerun_command
from gconvbench.report.page.render import to_page
from gconvbench.report.page.samples import in_units, most_per_round
from gconvbench.report.summary_markdown import to_markdown
from tests.fakes import SMALL, make_accuracy, make_plan, make_record, make_records, store_run
from tests.functional.pages import HOSTILE, store_grid, store_hostile

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import Record
    from gconvbench.report.gather import Machine
    from gconvbench.store import Run


def machine_of(tmp_path: Path, *records: Record) -> Machine:
    store_run(tmp_path, records)
    return gather(list(tmp_path.glob("runs/*/*.jsonl")), named=False).machines[0]


def page(path: Path) -> str:
    found = gather([path], named=True)
    judged = dict.fromkeys((one.slug for one in found.machines), None)
    return to_page(found, judged, created="now", version="0")


def data(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(re.findall(r'id="data">(.*?)</script>', text, re.DOTALL)[0])
    return found


# The answer.


def test_a_clear_win_over_native_is_told_with_its_largest_speedup(tmp_path: Path) -> None:
    machine = machine_of(
        tmp_path, *make_records("native", 2.0, 2.02, 2.01), *make_records("other", 1.0, 1.01, 1.0)
    )
    assert headline(machine)[0].startswith(
        "In 1 of 1 case another implementation is clearly faster than native: other in 1 (up to 2.0"
    )


def test_a_single_round_is_no_clear_win(tmp_path: Path) -> None:
    machine = machine_of(tmp_path, *make_records("native", 2.0), *make_records("other", 1.0))
    assert headline(machine)[0] == (
        "In 1 case a single round tells which was fastest, not how surely: other in 1."
    )


def test_native_that_is_not_clearly_slower_has_no_clear_rival(tmp_path: Path) -> None:
    machine = machine_of(
        tmp_path, *make_records("native", 1.0, 2.0, 1.5), *make_records("other", 1.1, 1.9, 1.4)
    )
    assert headline(machine)[0] == "In 1 case none is clearly faster than native."


def test_one_implementation_without_rounds_takes_nothing_from_the_others(tmp_path: Path) -> None:
    machine = machine_of(
        tmp_path,
        *make_records("native", 2.0, 2.02, 2.01),
        *make_records("other", 1.0, 1.01, 1.0),
        *make_records("once", 3.0),
    )
    assert "another implementation is clearly faster than native" in headline(machine)[0]


def test_without_native_the_fastest_is_still_told(tmp_path: Path) -> None:
    machine = machine_of(tmp_path, *make_records("a", 2.0, 2.1), *make_records("b", 1.0, 1.1))
    assert headline(machine)[0] == "In 1 case native has no time; b in 1."


def test_winners_that_are_not_named_are_counted(tmp_path: Path) -> None:
    cases = [replace(SMALL, batch=batch) for batch in range(1, 7)]
    records = [
        one
        for number, case in enumerate(cases)
        for one in (
            *make_records("native", 2.0, case=case),
            *make_records(f"i{number}", 1.0, case=case),
        )
    ]
    store_run(tmp_path, records, plan=make_plan(cases))
    machine = gather(list(tmp_path.glob("runs/*/*.jsonl")), named=False).machines[0]
    assert headline(machine)[0].endswith("i0 in 1, i1 in 1, i2 in 1, i3 in 1, 2 others in 2.")


def test_what_another_tool_measured_is_not_called_right(tmp_path: Path) -> None:
    machine = machine_of(tmp_path, *make_records("native", 2.0))
    assert headline(machine)[-1] == "1 job measured by another tool, without a proof."


def test_what_is_wrong_is_part_of_the_answer(tmp_path: Path) -> None:
    machine = machine_of(tmp_path, make_record(), make_record("bad", outcome="wrong"))
    assert headline(machine)[-1].endswith("; 1 wrong (bad).")


def test_notes_come_worst_first_and_share_their_reason(tmp_path: Path) -> None:
    machine = machine_of(
        tmp_path,
        make_record("a", outcome="unsupported", detail="too wide"),
        make_record("b", outcome="unsupported", detail="too wide"),
        make_record("c", outcome="timed_out", detail="60 s"),
        make_record("d", outcome="wrong", detail="off"),
    )
    notes, more = notes_of(machine)
    assert [(one.kind, one.count) for one in notes] == [
        ("wrong", 1), ("timed out", 1), ("unsupported", 2),
    ]  # fmt: skip
    assert notes[-1].names == ("a", "b")
    assert more == {}


# Samples.


def test_samples_keep_four_digits_in_their_order() -> None:
    noise = random.Random(0)  # noqa: S311 (of times)
    times_s = [noise.lognormvariate(-8, 0.3) for _ in range(50)]
    unit, *units = in_units(times_s, None)
    assert [one * unit for one in units] == pytest.approx(times_s, rel=2e-3)
    assert all(one == int(one) for one in units)


def test_too_many_samples_are_thinned_to_order_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_samples, "MOST_SAMPLES", 100)
    assert most_per_round([50, 50]) is None
    assert most_per_round([100, 100]) == 50
    assert most_per_round([100] * 50) == 9
    unit, *units = in_units([float(one) for one in range(1, 102)], 11)
    assert [round(one * unit) for one in units] == list(range(1, 102, 10))


# The page.


def test_the_data_cannot_end_their_element(tmp_path: Path) -> None:
    text = page(store_hostile(tmp_path))
    inside = re.findall(r'id="data">(.*?)</script>', text, re.DOTALL)[0]
    assert "<" not in inside
    assert data(text)["machines"][0]["slug"] == HOSTILE[1]


def test_every_word_of_a_result_file_is_escaped_in_the_static_part(tmp_path: Path) -> None:
    text = page(store_hostile(tmp_path))
    static = text.partition("<body>")[2].partition('<script type="application/json"')[0]
    for value in HOSTILE:
        if "<" in value:
            assert value not in static


def test_the_policy_names_the_hashes_of_the_pages_own_scripts(tmp_path: Path) -> None:
    text = page(store_grid(tmp_path))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2
    scripts = policy.partition("script-src")[2]
    assert "unsafe-inline" not in scripts
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def rows_of(text: str) -> list[dict[str, Any]]:
    found = data(text)
    machine = found["machines"][0]
    cases = [dict(zip(found["fields"]["case"], one, strict=True)) for one in machine["cases"]]
    return [
        dict(zip(found["fields"]["row"], row, strict=True)) for one in cases for row in one["rows"]
    ]


def test_the_error_of_a_result_is_the_largest_over_rounds(tmp_path: Path) -> None:
    path = store_run(
        tmp_path,
        [
            replace(make_record(number=number), accuracy=make_accuracy(error))
            for number, error in ((1, 1e-8), (2, 3e-7), (3, 2e-8))
        ],
    )
    (row,) = rows_of(page(path))
    ((_, _, error, limit, text, _, share, _),) = row["tensors"]
    assert (error, limit, text, share) == (3e-7, 4e-7, "3.0e-07", "75 %")


def test_the_highest_throughput_is_that_of_any_row(tmp_path: Path) -> None:
    path = store_run(tmp_path, [*make_records("fast", 1e-5), *make_records("slow", 1e-3)])
    reached = data(page(path))["machines"][0]["highest"]["float32"]
    assert reached["flops_per_s"] == pytest.approx(flops(SMALL) / 1e-5)
    assert reached["bytes_per_s"] == pytest.approx(min_bytes(SMALL) / 1e-5)


def test_the_command_has_everything_of_the_method(tmp_path: Path) -> None:
    store_run(tmp_path, make_records("native", 1e-3))
    machine = gather(list(tmp_path.glob("runs/*/*.jsonl")), named=False).machines[0]
    run, summary = machine.runs[0], machine.entries[0].summary
    method = replace(run.header.method, threads=2, cores=(0, 1), seed=7, budget_s=90.0, target=0.01)
    words = rerun_command(replace_header(run, method=method), summary).split()
    for option, value in (
        ("--threads", "2"), ("--pin", "0,1"), ("--seed", "7"), ("--budget", "90s"),
        ("--target", "1%"), ("--device", "cpu"), ("--implementation", "native"),
    ):  # fmt: skip
        assert words[words.index(option) + 1] == value
    checked = replace_header(run, method=replace(method, check_only=True))
    assert rerun_command(checked, summary).endswith("--check-only")
    foreign = replace_header(run, origin=Origin(tool="asv", files={}))
    assert rerun_command(foreign, summary) == ""


def replace_header(run: Run, **fields: Any) -> Run:
    return replace(run, header=replace(run.header, **fields))


def test_a_network_whose_layers_are_not_all_there_has_no_total(tmp_path: Path) -> None:
    second = replace(SMALL, height=10)
    plan = make_plan([PlannedCase(case_id(SMALL), "net/a"), PlannedCase(case_id(second), "net/b")])
    first = make_records("native", 1e-3)
    torn = store_run(tmp_path / "torn", first, plan=plan)
    assert data(page(torn))["machines"][0]["networks"] == []
    both = [*first, *make_records("native", 1e-3, case=second)]
    whole = store_run(tmp_path / "whole", both, plan=plan)
    (network,) = data(page(whole))["machines"][0]["networks"]
    assert network["layers"] == 2


def test_a_sample_that_no_clock_can_tell_ends_no_page(tmp_path: Path) -> None:
    store_run(tmp_path, make_records("native", 1e-3))
    store_run(tmp_path, make_records("native", 1e-320), run="20250102T000000Z-abc")
    paths = sorted(tmp_path.glob("runs/*/*.jsonl"))
    assert gather(paths, named=False).left_out == {"cannot be read": 1}
    with pytest.raises(UsageError, match="has a sample of 1e-320 s; allowed: 1e-15 to 1e"):
        gather(paths, named=True)


def test_a_page_of_an_interrupted_run_says_so(tmp_path: Path) -> None:
    path = store_run(tmp_path, make_records("native", 1.0), finished=False)
    assert "this run was interrupted" in page(path)


# Markdown.


def test_markdown_keeps_to_what_a_comment_may_have(tmp_path: Path) -> None:
    cases = [replace(SMALL, batch=batch) for batch in range(1, 1001)]
    records = [make_record(name, case=case) for case in cases for name in ("native", "x" * 300)]
    path = store_run(tmp_path, records, plan=make_plan(cases))
    text = to_markdown(gather([path], named=True))
    assert len(text) <= MOST_CHARACTERS
    assert re.search(r"and \d+ cases more", text)


def test_markdown_of_many_interrupted_runs_keeps_to_it_too(tmp_path: Path) -> None:
    for number in range(900):
        path = tmp_path / f"{number}.jsonl"
        made = store_run(tmp_path / "one", make_records("native", 1e-3), finished=False)
        path.write_bytes(made.read_bytes())
        made.unlink()
    text = to_markdown(gather(sorted(tmp_path.glob("*.jsonl")), named=True))
    assert len(text) <= MOST_CHARACTERS
    assert "and 890 such lines more" in text


def test_markdown_counts_what_is_unsupported_and_links_nothing(tmp_path: Path) -> None:
    path = store_run(
        tmp_path,
        [
            make_record(),
            make_record("a", outcome="unsupported", detail="x"),
            make_record("b", outcome="failed", detail="https://evil.invalid WWW.evil.invalid"),
        ],
    )
    text = to_markdown(gather([path], named=True))
    assert "1 job unsupported" in text
    assert "https://" not in text
    assert "www.evil" not in text.lower()


def test_markdown_of_hostile_values_has_no_tag_of_theirs(tmp_path: Path) -> None:
    text = to_markdown(gather([store_hostile(tmp_path)], named=True))
    tags = set(re.findall(r"</?[a-z]+", text))
    assert tags <= {"<details", "</details", "<summary", "</summary"}
