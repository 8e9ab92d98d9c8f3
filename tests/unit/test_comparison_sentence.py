"""The first sentence, and the exit code that it names."""

from __future__ import annotations

import pytest

from gconvbench.errors import ExitCode
from gconvbench.records import FAILABLE, FINDING_KINDS, JOB_KINDS, Finding
from gconvbench.report.comparison import first_sentence
from tests.comparisons import make_case, make_comparison, make_typical, make_verdict

CASE = make_case()


def test_the_worst_slower_job_is_named_with_its_interval() -> None:
    mild, bad = make_verdict("slower", ratio=1.05), make_verdict("slower", ratio=1.104)
    found = make_comparison([mild, bad, make_verdict()])
    assert first_sentence(found) == (
        f"2 of 3 jobs are slower: native {CASE}: +10.4 % (95 % +8.4 to +12.4 %); exit code 1"
    )


def test_one_job_is_in_the_singular() -> None:
    found = make_comparison([make_verdict("slower"), make_verdict()])
    assert first_sentence(found).startswith("1 of 2 jobs is slower: ")


def test_a_passing_comparison_says_what_it_could_have_seen() -> None:
    found = make_comparison([make_verdict(), make_verdict("faster"), make_verdict("unsupported")])
    assert first_sentence(found) == (
        "None of 2 jobs is slower (1 faster, 1 unsupported): commit 5d6e7f8a9b against commit "
        "1a2b3c4d5e; a slowdown of 3.1 % in one job would have been found with 95 % power; "
        "exit code 0"
    )


def test_where_the_power_is_not_known_that_is_said() -> None:
    assert "would have been found cannot be told" in first_sentence(
        make_comparison(detectable=None)
    )


def test_a_passing_comparison_says_what_was_accepted_or_only_screened() -> None:
    jobs = [make_verdict(), make_verdict("accepted", ratio=1.2)]
    found = make_comparison(jobs, findings=(Finding("only_screened", "no commit"),))
    told = first_sentence(found)
    assert "None of 2 jobs is slower beyond what was accepted (1 accepted)" in told
    assert "only screened" in told


def test_other_failures_are_counted_behind_the_worst() -> None:
    found = make_typical()
    assert first_sentence(found) == (
        f"1 of 12 jobs crashed: native {found.jobs[0].case}: the worker died of SIGSEGV; "
        "also 2 slower, 1 uncertain; exit code 5"
    )


@pytest.mark.parametrize("jobs", [(), (make_verdict("unsupported"),), (make_verdict("new"),)])
def test_a_comparison_of_nothing_says_so_and_fails(jobs: tuple[object, ...]) -> None:
    told = first_sentence(make_comparison(jobs))  # type: ignore[arg-type]
    assert told.startswith("Nothing could be compared of ")
    assert told.endswith("exit code 5")


def test_a_failing_note_is_the_reason() -> None:
    note = Finding("memory", "peak 12 MiB was 4 MiB")
    found = make_comparison([make_verdict(notes=(note,)), make_verdict()], fail_on=("memory",))
    assert first_sentence(found) == (
        f"1 of 2 jobs changed in memory: native {CASE}: peak 12 MiB was 4 MiB; exit code 1"
    )


def test_a_slower_suite_stands_before_its_jobs() -> None:
    finding = Finding("suite_slower", "by 3.1 %")
    told = first_sentence(make_comparison([make_verdict("slower")], findings=(finding,)))
    assert told.startswith(
        "The whole suite is slower (suite slower): by 3.1 %; 1 of 1 job is slower"
    )


def test_an_endless_detail_does_not_make_an_endless_sentence() -> None:
    found = make_comparison([make_verdict("crashed", detail="x" * 10_000)])
    assert len(first_sentence(found)) < 500


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_the_sentence_names_the_exit_code_and_the_kind_of_a_job(kind: str) -> None:
    found = make_comparison([make_verdict(kind), make_verdict()])
    assert found.exit_code == JOB_KINDS[kind].exit_code
    told = first_sentence(found)
    assert told.endswith(f"; exit code {int(found.exit_code)}")
    assert kind == "unchanged" or kind.replace("_", " ") in told


@pytest.mark.parametrize("kind", FINDING_KINDS)
def test_the_sentence_names_the_exit_code_and_the_kind_of_a_finding(kind: str) -> None:
    found = make_comparison(findings=(Finding(kind, "the facts"),))
    assert found.exit_code == FINDING_KINDS[kind].exit_code
    told = first_sentence(found)
    assert told.endswith(f"; exit code {int(found.exit_code)}")
    assert kind.replace("_", " ") in told
    assert found.exit_code == ExitCode.FINE or "the facts" in told


@pytest.mark.parametrize("kind", FAILABLE)
def test_what_is_asked_to_fail_has_its_exit_code(kind: str) -> None:
    notes = () if kind == "new" else (Finding(kind, "the facts"),)
    jobs = [make_verdict("new" if kind == "new" else "unchanged", notes=notes), make_verdict()]
    assert make_comparison(jobs).exit_code == ExitCode.FINE
    found = make_comparison(jobs, fail_on=(kind,))
    assert found.exit_code == FAILABLE[kind]
    assert kind in first_sentence(found)
    assert first_sentence(found).endswith(f"exit code {int(FAILABLE[kind])}")
