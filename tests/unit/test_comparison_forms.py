"""A comparison as markdown, JUnit XML, annotations and JSON, and where they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from gconvbench.errors import UsageError
from gconvbench.records import FAILABLE, FINDING_KINDS, JOB_KINDS, Finding
from gconvbench.report.comparison import (
    decode_comparison,
    encode_comparison,
    first_sentence,
    github,
    to_junit,
    to_markdown,
    workflow_commands,
    write_outputs,
)
from gconvbench.report.comparison.annotations import _command
from tests.comparisons import make_comparison, make_typical, make_verdict

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import Comparison

EVERY_KIND = [
    *(make_comparison([make_verdict(kind, detail="why"), make_verdict()]) for kind in JOB_KINDS),
    *(make_comparison(findings=(Finding(kind, "a reason"),)) for kind in FINDING_KINDS),
    *(make_comparison([make_verdict(notes=(Finding(kind, "a"),))], fail_on=(kind,))
      for kind in FAILABLE if kind != "new"),
    make_comparison([make_verdict("new"), make_verdict()], fail_on=("new",)),
    make_comparison([]),
    make_comparison([make_verdict("unsupported")]),
]  # fmt: skip


def failing_cases(found: Comparison) -> list[ET.Element]:
    cases = ET.fromstring(to_junit(found)).iter("testcase")  # noqa: S314 (our own text)
    return [case for case in cases if {"failure", "error"} & {child.tag for child in case}]


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_each_kind_of_job_has_its_own_word_in_all_forms(kind: str) -> None:
    found = make_comparison([make_verdict(kind), make_verdict("faster")])
    word = kind.replace("_", " ")
    assert word in to_markdown(found)
    assert word in to_junit(found)
    assert word in "\n".join(workflow_commands(found))
    assert f'"kind":"{kind}"' in encode_comparison(found).decode()


@pytest.mark.parametrize("kind", FINDING_KINDS)
def test_each_kind_of_finding_has_its_own_word_in_all_forms(kind: str) -> None:
    found = make_comparison(findings=(Finding(kind, "the facts"),))
    word = kind.replace("_", " ")
    assert f"{word}: {FINDING_KINDS[kind].meaning}; the facts" in to_markdown(found)
    assert f"{word}: the facts" in to_junit(found)
    assert word in "\n".join(workflow_commands(found))
    assert f'"kind":"{kind}"' in encode_comparison(found).decode()


@pytest.mark.parametrize("found", EVERY_KIND)
def test_junit_and_errors_fail_exactly_where_the_exit_code_does(found: Comparison) -> None:
    errors = [line for line in workflow_commands(found) if line.startswith("::error ")]
    assert bool(failing_cases(found)) == bool(found.exit_code)
    assert bool(errors) == bool(found.exit_code)


@pytest.mark.parametrize(
    ("kind", "tag"),
    [("wrong", "failure"), ("missing", "failure"), ("slower", "failure"), ("uncertain", "failure"),
     ("crashed", "error"), ("timed_out", "error"), ("unsupported", "skipped"), ("new", "skipped"),
     ("faster", None), ("accepted", None), ("unchanged", None)],
)  # fmt: skip
def test_a_job_is_a_failure_an_error_skipped_or_passed(kind: str, tag: str | None) -> None:
    found = make_comparison([make_verdict(kind, cache_mode="cold")])
    root = ET.fromstring(to_junit(found))  # noqa: S314 (our own text)
    case = root.findall(".//testcase")[0]
    assert (case.get("classname"), case.get("name")) == ("native", f"{found.jobs[0].case} cold")
    assert [child.tag for child in case if child.tag != "system-out"] == ([tag] if tag else [])


def test_junit_counts_what_it_has() -> None:
    jobs = [make_verdict(kind) for kind in ("slower", "crashed", "unsupported", "unchanged")]
    root = ET.fromstring(to_junit(make_comparison(jobs)))  # noqa: S314 (our own text)
    for element in (root, root[0]):
        counts = [element.get(key) for key in ("tests", "failures", "errors", "skipped")]
        assert counts == ["5", "1", "1", "1"]


def test_markdown_has_a_table_worst_first_and_folds_the_rest() -> None:
    jobs = [make_verdict("slower", ratio=1 + i / 100) for i in range(3, 33)]
    text = to_markdown(make_comparison([*jobs, make_verdict()]))
    rows = [line for line in text.splitlines() if line.startswith("| slower |")]
    assert [row.split(" | ")[4] for row in rows] == [f"+{i}.0 %" for i in range(32, 2, -1)]
    before, fold = text.split("<details><summary>10 more</summary>\n\n| kind |")
    assert before.count("| slower |") == 20
    assert fold.count("| slower |") == 10
    assert "</details>\n\nand 1 unchanged\n" in fold
    assert text.startswith("**30 of 31 jobs are slower: ")


def test_markdown_of_a_typical_comparison() -> None:
    text = to_markdown(make_typical())
    assert "\n- all 2 with groups=32 and dtype=float16: slower, +5.0 to +10.4 %\n" in text
    assert (
        "| crashed | `native g1mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:fprop`"
        "<br>the worker died of SIGSEGV |  |  |  |  |  |\n"
    ) in text
    assert "\n```sh\n# to reproduce\ngconvbench gate --baseline main" in text


def test_foreign_text_means_itself_in_markdown() -> None:
    nasty = "a|b `c` <img src=x> **d**\n# e @someone ```"
    found = make_comparison(
        [make_verdict("crashed", case=nasty, implementation=nasty, detail=nasty)],
        findings=(Finding("soft_difference", nasty),),
        selection=("--case", nasty),
    )
    prose, _, code = to_markdown(found).partition("````sh")
    rows = [line for line in prose.splitlines() if line.startswith("| crashed")]
    assert [row.count("|") for row in rows] == [8]
    assert not {"<img", "`c`", "@someone", "**d"} & set(prose.split())
    assert "&lt;img src=x&gt;" in prose
    assert "\n# e" not in prose
    assert code.endswith("\n````\n")


def test_markdown_of_very_many_jobs_counts_what_it_leaves_out() -> None:
    jobs = [make_verdict("slower", ratio=1.1, detail="x" * 300) for _ in range(2000)]
    text = to_markdown(make_comparison(jobs))
    rows = text.count("\n| slower |")
    assert len(text) <= 65_000
    assert 100 < rows < 200
    assert f"\nand {2000 - rows:,} slower\n" in text


def test_ten_annotations_at_most_worst_first_and_a_notice_at_last() -> None:
    jobs = [make_verdict("slower", ratio=1 + i / 100) for i in range(3, 33)]
    lines = workflow_commands(make_comparison([*jobs, make_verdict("wrong")]))
    assert len(lines) == 10
    assert lines[0].startswith("::error title=wrong::native g2")
    assert "+32.0 %25 (95 %25 +30.0 to +34.0 %25)" in lines[1]
    assert lines[-1].startswith("::notice title=gconvbench gate::1 wrong, 30 slower. 1 of 31 jobs")


def test_warnings_come_after_errors() -> None:
    note = Finding("memory", "more")
    found = make_comparison(
        [make_verdict(notes=(note,)), make_verdict("slower")],
        findings=(Finding("acceptance_unused", "entry"), Finding("too_noisy", "half")),
    )
    levels = [line.split("::")[1] for line in workflow_commands(found)]
    assert levels == [
        "error title=too noisy", "error title=slower", "warning title=acceptance unused",
        "warning title=unchanged", "notice title=gconvbench gate",
    ]  # fmt: skip


def test_annotations_are_escaped() -> None:
    lines = workflow_commands(
        make_comparison([make_verdict("crashed", detail="50 %0A\n::error::no\r")])
    )
    assert lines[0].endswith("; 50 %250A ::error::no")
    assert all("\n" not in line and "\r" not in line for line in lines)


def test_titles_are_escaped_as_properties() -> None:
    assert _command("error", "a:b,c%", "d:e,f%") == "::error title=a%3Ab%2Cc%25::d:e,f%25"


def test_characters_that_xml_forbids_are_replaced() -> None:
    nasty = "\ufffe\uffff\x00"
    text = to_junit(make_comparison([make_verdict("crashed", case=nasty, detail=nasty)]))
    assert not set(text) & set(nasty)


def test_json_is_the_record_with_its_exit_code_and_sentence() -> None:
    found = make_typical()
    table = json.loads(encode_comparison(found))
    assert (table.pop("exit_code"), table.pop("sentence")) == (5, first_sentence(found))
    assert table == json.loads(msgspec.json.encode(found))
    assert decode_comparison(encode_comparison(found), "x") == found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "'x' is no comparison: "),
        (b"[]", "'x' is no comparison: Expected `object`, got `array`"),
        (encode_comparison(make_comparison(schema=99)), "'x' has schema 99, at most 1 is known"),
        (encode_comparison(make_comparison()).replace(b'"unchanged"', b'"unchangd"'),
         "'x': kind 'unchangd' is not known; did you mean 'unchanged'?"),
        (b'{"command":"gte"}', "Invalid enum value 'gte'"),
    ],
)  # fmt: skip
def test_what_is_no_comparison_is_named(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match="'x'") as refused:
        decode_comparison(data, "x")
    assert words in str(refused.value)


def test_outputs_are_written_and_the_summary_appended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, folder, summary = make_typical(), tmp_path / "a" / "b", tmp_path / "summary.md"
    summary.write_text("before\n")
    write_outputs(found, folder=folder, summary=summary, annotate=True)
    assert decode_comparison((folder / "comparison.json").read_bytes(), "x") == found
    assert (folder / "comparison.md").read_text() == to_markdown(found)
    assert (folder / "junit.xml").read_text() == to_junit(found)
    assert summary.read_text() == f"before\n{to_markdown(found)}\n"
    printed = capsys.readouterr()
    assert printed.err.splitlines() == workflow_commands(found)
    assert printed.out == ""


def test_nothing_is_written_where_nothing_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_outputs(make_typical(), folder=None, summary=None, annotate=False)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_github_is_recognised(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    assert github({}) == (None, False)
    assert github({"GITHUB_STEP_SUMMARY": "", "GITHUB_ACTIONS": "false"}) == (None, False)
    environment = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"}
    assert github(environment) == (summary, True)


def test_lone_surrogates_can_be_written(tmp_path: Path) -> None:
    found = make_comparison([make_verdict("crashed", detail="\ud800")])
    found = replace(found, selection=("\udc80",))
    (tmp_path / "x").write_text(to_markdown(found) + to_junit(found), "utf-8")
