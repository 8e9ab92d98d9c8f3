"""Accepted changes: the file, what its entries silence, and how they are written."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from gconvbench.acceptance import Acceptance, accept, apply, entry_text, read_acceptances
from gconvbench.errors import UsageError
from gconvbench.records import ACCEPTABLE, JOB_KINDS, Finding, SideFacts, Suite
from tests.comparisons import (
    BASELINE,
    CONTENDER,
    make_case,
    make_change,
    make_comparison,
    make_verdict,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from gconvbench.records import Comparison

TODAY = date(2026, 6, 1)
ENTRY = """\
[[accepted]]
cases = "g2*"          # glob over case ids
implementations = "*"
kinds = ["slower"]
from = "1a2b3c4"
to = "5d6e7f8"
largest_change = 0.12
reason = "a guard against overflow"
expires = 2027-01-01
"""
(READ,) = read_acceptances(ENTRY)
OF_SUITE = replace(READ, cases="*", kinds=("suite_slower",))
TORCH = {"baseline": SideFacts(what="torch 2.11.0", commit=BASELINE.commit),
         "contender": SideFacts(what="torch 2.13.0", commit=BASELINE.commit)}  # fmt: skip


def applied(
    found: Comparison,
    *entries: Acceptance,
    baseline_has: Collection[Acceptance] = (),
    ancestors: Collection[str] = (),
    today: date = TODAY,
) -> Comparison:
    return apply(
        found,
        entries,
        baseline_has=baseline_has,
        is_ancestor=lambda one, _: one in ancestors,
        today=today,
    )


def kinds(found: Comparison) -> tuple[list[str], list[str]]:
    return [job.kind for job in found.jobs], [finding.kind for finding in found.findings]


def test_an_entry_is_read() -> None:
    assert Acceptance(
        cases="g2*", implementations="*", kinds=("slower",), from_="1a2b3c4", to="5d6e7f8",
        largest_change=0.12, reason="a guard against overflow", expires=date(2027, 1, 1),
    ) == READ  # fmt: skip
    assert read_acceptances("") == read_acceptances("# nothing yet\n") == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("reason =", "raeson =", "entry 1: key 'raeson' is not known; did you mean 'reason'?"),
        ("from =", "form =", "entry 1: key 'form' is not known; did you mean 'from'?"),
        ('reason = "a guard against overflow"\n', "", "entry 1: key 'reason' is missing; a reason"),
        ("expires = 2027-01-01\n", "", "entry 1: key 'expires' is missing; a date without quotes"),
        ("largest_change = 0.12\n", "",
         "entry 1: key 'largest_change' is missing; slower needs a share like 0.12"),
        ("a guard against overflow", "  ", "entry 1: reason ('  ') must be a reason in words"),
        ("2027-01-01", '"soon"', "entry 1: expires ('soon') must be a date without quotes"),
        ("2027-01-01", "2027-01-01T00:00:00", "must be a date"),
        ("0.12", '"12%"', "entry 1: largest_change ('12%') must be a share above 0 such as 0.12"),
        ("0.12", "-0.1", "entry 1: largest_change (-0.1) must be a share above 0 such as 0.12"),
        ("0.12", "inf", "entry 1: largest_change (inf) must be a share above 0 such as 0.12"),
        ("0.12", "nan", "entry 1: largest_change (nan) must be a share above 0 such as 0.12"),
        ('["slower"]', '"slower"', "entry 1: kinds ('slower') must be a list of slower, "),
        ('["slower"]', "[]", "entry 1: kinds ([]) must be a list of slower, "),
        ('["slower"]', '["slowr"]', "entry 1: kind 'slowr' is not known; did you mean 'slower'?"),
        ('["slower"]', '["wrong"]', "entry 1: kind 'wrong' is not known"),
        ('["slower"]', '["not_finite"]', "entry 1: kind 'not_finite' is not known"),
        ('"g2*"', '""', "entry 1: cases ('') must be a glob in quotes"),
        ('["slower"]', '["slower", "suite_slower"]', "entry 1: suite_slower is about all jobs"),
        ("[[accepted]]", "[[acepted]]", "key 'acepted' is not known; did you mean 'accepted'?"),
        ("[[accepted]]", "[accepted]", "key 'accepted' must be written as [[accepted]] tables"),
        ("[[accepted]]", "accepted = [1]\n[x]", "is not known"),
        ("cases =", "cases", "'f.toml' is not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(old: str, new: str, words: str) -> None:
    assert old in ENTRY
    with pytest.raises(UsageError) as refused:
        read_acceptances(ENTRY.replace(old, new), "f.toml")
    message = str(refused.value)
    assert message.startswith("'f.toml'")
    assert words in message
    assert "\n" not in message


def test_the_second_entry_is_named_by_its_number() -> None:
    with pytest.raises(UsageError, match="entry 2: key 'reason' is missing"):
        read_acceptances(ENTRY + "\n" + ENTRY.replace('reason = "a guard against overflow"\n', ""))


def test_a_slower_job_within_the_limit_is_accepted_with_the_reason() -> None:
    found = applied(make_comparison([make_verdict("slower", ratio=1.12, detail="so")]), READ)
    assert kinds(found) == (["accepted"], [])
    assert found.jobs[0].detail == "slower, accepted: a guard against overflow (so)"
    assert found.jobs[0].change is not None
    assert found.exit_code == 0


def test_a_larger_change_stays_slower_and_says_so() -> None:
    jobs = [make_verdict("slower", ratio=ratio) for ratio in (1.121, 1.2, 1.05)]
    found = applied(make_comparison(jobs), READ)
    assert kinds(found) == (["slower", "slower", "accepted"], ["acceptance_exceeded"])
    assert found.findings[0].detail == (
        f"native {make_case()} is slower by 20.0 %, and 1 more; accepted is 12 %"
    )
    assert found.exit_code == 1


def test_the_larger_of_two_entries_accepts() -> None:
    larger = replace(READ, largest_change=0.3)
    found = applied(make_comparison([make_verdict("slower", ratio=1.2)]), READ, larger)
    assert kinds(found) == (["accepted"], ["acceptance_unused"])


def test_jobs_outside_the_globs_are_untouched() -> None:
    jobs = [make_verdict("slower", case=make_case(groups=4)), make_verdict("slower")]
    entry = replace(READ, implementations="split_*")
    jobs += [make_verdict("slower", implementation="split_concat")]
    found = applied(make_comparison(jobs), entry)
    assert kinds(found) == (["slower", "slower", "accepted"], [])


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_an_entry_of_all_kinds_accepts_what_can_be_accepted(kind: str) -> None:
    entry = replace(READ, kinds=ACCEPTABLE, largest_change=9.0)
    found = applied(make_comparison([make_verdict(kind), make_verdict()]), entry)
    assert found.jobs[0].kind == ("accepted" if kind in ACCEPTABLE else kind)
    assert kinds(found)[1] == ([] if kind in ACCEPTABLE else ["acceptance_unused"])


@pytest.mark.parametrize("kind", ["accuracy", "memory"])
def test_a_note_is_accepted_and_no_longer_fails(kind: str) -> None:
    note = Finding(kind, "from a to b")
    found = make_comparison([make_verdict(notes=(note,))], fail_on=(kind,))
    assert found.exit_code != 0
    silenced = applied(found, replace(READ, kinds=(kind,), largest_change=None))
    assert silenced.jobs[0].notes == (
        Finding("accepted", f"{kind}, accepted: a guard against overflow (from a to b)"),
    )
    assert (silenced.jobs[0].kind, silenced.exit_code) == ("unchanged", 0)


def test_a_wrong_job_stays_wrong_though_its_note_is_accepted() -> None:
    job = make_verdict("wrong", notes=(Finding("memory", "more"),))
    found = applied(make_comparison([job]), replace(READ, kinds=("memory", "slower")))
    assert (found.jobs[0].kind, found.exit_code) == ("wrong", 6)


@pytest.mark.parametrize(("shift", "kind"), [(0.12, "suite_accepted"), (0.13, "suite_slower")])
def test_a_slower_suite_is_accepted_up_to_the_limit(shift: float, kind: str) -> None:
    found = make_comparison(
        findings=(Finding("suite_slower", "by much"),),
        suite=Suite(shift=shift, low=shift - 0.01, high=shift + 0.01, p=1e-6),
    )
    silenced = applied(found, OF_SUITE)
    assert silenced.findings[0].kind == kind
    assert silenced.exit_code == (0 if kind == "suite_accepted" else 1)
    assert kinds(silenced)[1][1:] == ([] if kind == "suite_accepted" else ["acceptance_exceeded"])


def test_what_the_baseline_has_accepted_is_in_its_times_already() -> None:
    found = make_comparison([make_verdict("slower")])
    assert applied(found, READ, baseline_has=[READ]) == found


@pytest.mark.parametrize(
    "older",
    [{"reason": "another one"}, {"expires": date(2026, 1, 1)}, {"to": READ.to + "a9"},
     {"from_": READ.from_ + "d5"}, {"largest_change": 0.5}, {"largest_change": 0.05},
     {"kinds": ("missing",)}, {"cache_mode": "cold"}, {"cases": "g4*"}],
)  # fmt: skip
def test_an_entry_that_is_written_anew_is_not_about_a_new_step(older: dict[str, Any]) -> None:
    found = make_comparison([make_verdict("slower")])
    assert applied(found, READ, baseline_has=[replace(READ, **older)]) == found


def test_of_a_working_tree_there_may_be_several_steps() -> None:
    found = make_comparison([make_verdict("slower")])
    tree = replace(READ, to="working tree")
    assert applied(found, tree, baseline_has=[replace(tree, reason="another one")]) == found
    other = replace(tree, cases="g4*")
    assert kinds(applied(found, tree, baseline_has=[other]))[0] == ["accepted"]


def test_an_entry_of_a_cache_mode_is_about_that_alone(tmp_path: Path) -> None:
    jobs = [make_verdict("slower", cache_mode=mode) for mode in ("hot", "cold")]
    found = make_comparison(jobs)
    assert kinds(applied(found, replace(READ, cache_mode="cold")))[0] == ["slower", "accepted"]
    cold = make_comparison([make_verdict(cache_mode="hot"), jobs[1]])
    (entry,) = accepted(cold, tmp_path / "f")
    assert entry.cache_mode == "cold"
    assert 'cache_mode = "cold"' in (tmp_path / "f").read_text()
    assert kinds(applied(found, entry))[0] == ["slower", "accepted"]
    assert applied(found, *accepted(found, tmp_path / "g")).exit_code == 0
    with pytest.raises(
        UsageError, match=r"cache_mode \('warm'\) must be one of cold, hot, graph, as_called"
    ):
        read_acceptances(ENTRY + 'cache_mode = "warm"')


@pytest.mark.parametrize(("low", "kind"), [(1.119, "accepted"), (1.121, "slower_with_suite")])
def test_what_is_slower_with_an_accepted_suite_is_accepted_with_it(low: float, kind: str) -> None:
    found = make_comparison(
        [make_verdict("slower_with_suite", change=make_change(1.13, low=low))],
        findings=(Finding("suite_slower", "by much"),),
        suite=Suite(shift=0.1, low=0.09, high=0.11, p=1e-6),
    )
    assert kinds(applied(found, OF_SUITE)) == ([kind], ["suite_accepted"])
    for scope in ({"cases": "g2*"}, {"implementations": "native"}, {"cache_mode": "hot"}):
        assert applied(found, replace(OF_SUITE, **scope)).jobs == found.jobs


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "f"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(UsageError, match=r"file of accepted .*(not UTF-8|Is a directory)"):
        accepted(make_comparison([make_verdict("slower")]), path)
    assert path.is_dir() or path.read_bytes() == content


def test_an_entry_from_an_ancestor_of_the_baseline_applies() -> None:
    found = make_comparison([make_verdict("slower")])
    entry = replace(READ, from_="abcdef0")
    assert applied(found, entry) == found
    assert kinds(applied(found, entry, ancestors=["abcdef0"]))[0] == ["accepted"]


def test_an_entry_from_a_commit_after_the_baseline_applies() -> None:
    found = make_comparison([make_verdict("slower")])
    entry = replace(READ, from_="abcdef0")
    assert kinds(applied(found, entry, ancestors=[BASELINE.commit]))[0] == ["accepted"]


@pytest.mark.parametrize("start", ["commit 1a2b3c4d5e", "--help", "1a2b3", "torch 2.11.0"])
def test_of_a_commit_only_a_commit_is_asked_for(start: str) -> None:
    def is_ancestor(one: str, other: str) -> bool:
        message = f"asked for {one} and {other}"
        raise AssertionError(message)

    found = make_comparison([make_verdict("slower")])
    entry = replace(READ, from_=start)
    assert apply(found, [entry], baseline_has=(), is_ancestor=is_ancestor, today=TODAY) == found


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [("torch 2.11.0", "torch 2.13.0", "accepted"), ("torch 2.10.0", "torch 2.13.0", "slower"),
     ("torch 2.11.0", "torch 2.12.0", "slower"), ("1a2b3c4", "5d6e7f8", "slower")],
)  # fmt: skip
def test_of_other_sides_both_must_be_the_same(start: str, end: str, kind: str) -> None:
    found = make_comparison([make_verdict("slower")], **TORCH)
    entry = replace(READ, from_=start, to=end)
    assert kinds(applied(found, entry, ancestors=["1a2b3c4"])) == ([kind], [])


def test_an_entry_holds_on_its_day_of_expiry_and_not_after() -> None:
    found = make_comparison([make_verdict("slower")])
    assert kinds(applied(found, READ, today=date(2027, 1, 1))) == (["accepted"], [])
    late = applied(found, READ, today=date(2027, 1, 2))
    assert kinds(late) == (["slower"], ["acceptance_expired"])
    assert late.findings[0].detail.startswith("on 2027-01-01: slower of g2* * from 1a2b3c4 to ")


def test_an_entry_that_silences_nothing_is_said() -> None:
    found = applied(make_comparison(), READ)
    assert kinds(found) == (["unchanged"], ["acceptance_unused"])
    assert found.exit_code == 0


def accepted(found: Comparison, path: Path, **options: Any) -> tuple[Acceptance, ...]:
    defaults: dict[str, Any] = {"path": path, "reason": "why", "expires": date(2027, 1, 1)}
    return accept(found, **(defaults | options))


def test_each_failing_job_gets_an_entry_of_its_own_that_silences_it(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    jobs = [make_verdict("slower", ratio=1.093), make_verdict("missing", implementation="mine"),
            make_verdict("wrong"), make_verdict(), make_verdict("faster")]  # fmt: skip
    found = make_comparison(jobs)
    entries = accepted(found, path)
    assert entries == read_acceptances(path.read_text())
    assert [entry.kinds for entry in entries] == [("slower",), ("missing",)]
    assert [entry.largest_change for entry in entries] == [0.12, None]
    assert (entries[0].from_, entries[0].to) == ("1a2b3c4d5e6f", "5d6e7f8a9b0c")
    assert kinds(applied(found, *entries)) == (
        ["accepted", "accepted", "wrong", "unchanged", "faster"], [],
    )  # fmt: skip


def test_with_a_glob_there_is_one_entry_for_all_within(tmp_path: Path) -> None:
    jobs = [make_verdict("slower", ratio=ratio, case=make_case(groups=groups))
            for ratio, groups in ((1.05, 2), (1.3, 2), (1.6, 4))]  # fmt: skip
    (entry,) = accepted(make_comparison(jobs), tmp_path / "f", cases="g2*")
    assert (entry.cases, entry.implementations, entry.largest_change) == ("g2*", "*", 0.32)


def test_ids_are_no_globs_of_other_jobs(tmp_path: Path) -> None:
    job = make_verdict("slower", case="a*", implementation="b[1]?")
    (entry,) = accepted(make_comparison([job]), tmp_path / "f")
    assert entry.covers("a*", "b[1]?", "hot")
    assert not entry.covers("ab", "b[1]?", "hot")
    assert not entry.covers("a*", "b1x", "hot")


@pytest.mark.parametrize(
    ("high", "size"), [(1.1, 0.1), (1.1001, 0.11), (1.118, 0.12), (1.0001, 0.01), (3.5, 2.5)]
)
def test_the_limit_is_the_upper_end_rounded_up(tmp_path: Path, high: float, size: float) -> None:
    job = make_verdict("slower", change=make_change(1.0, high=high))
    (entry,) = accepted(make_comparison([job]), tmp_path / "f")
    assert entry.largest_change == size


def test_a_given_limit_must_cover_what_was_found(tmp_path: Path) -> None:
    found = make_comparison([make_verdict("slower", ratio=1.15)])
    (entry,) = accepted(found, tmp_path / "f", largest_change=0.1500000123)
    assert entry.largest_change == 0.1500000123
    with pytest.raises(UsageError, match=r"largest change \(12 %\) must be at least .* 15\.0 %"):
        accepted(found, tmp_path / "g", largest_change=0.12)
    assert not (tmp_path / "g").exists()


def test_a_slower_suite_is_accepted_with_its_jobs(tmp_path: Path) -> None:
    found = make_comparison(
        findings=(Finding("suite_slower", "all"),), suite=Suite(shift=0.03, low=0, high=0.041, p=0)
    )
    (entry,) = accepted(found, tmp_path / "f")
    assert (entry.kinds, entry.largest_change) == (("suite_slower",), 0.05)
    assert applied(found, entry).exit_code == 0
    with pytest.raises(UsageError, match="nothing to accept within g2"):
        accepted(found, tmp_path / "f", cases="g2*")


def test_what_fails_only_on_request_is_accepted_where_it_was_requested(tmp_path: Path) -> None:
    jobs = [make_verdict("new"), make_verdict(notes=(Finding("memory", "more"),))]
    with pytest.raises(UsageError, match="nothing to accept"):
        accepted(make_comparison(jobs), tmp_path / "f")
    found = make_comparison(jobs, fail_on=("new", "memory"))
    entries = accepted(found, tmp_path / "f")
    assert [entry.kinds for entry in entries] == [("new",), ("memory",)]
    assert applied(found, *entries).exit_code == 0


@pytest.mark.parametrize("kind", [kind for kind in JOB_KINDS if kind not in ACCEPTABLE])
def test_what_cannot_be_accepted_is_refused(tmp_path: Path, kind: str) -> None:
    found = make_comparison([make_verdict(kind), make_verdict()])
    with pytest.raises(UsageError, match="nothing to accept") as refused:
        accepted(found, tmp_path / "f")
    fails = JOB_KINDS[kind].exit_code != 0
    assert (f"what fails is {kind}, which cannot be accepted" in str(refused.value)) == fails


def test_other_sides_are_named_by_what_they_are(tmp_path: Path) -> None:
    found = make_comparison([make_verdict("slower")], **TORCH)
    (entry,) = accepted(found, tmp_path / "f")
    assert (entry.from_, entry.to) == ("torch 2.11.0", "torch 2.13.0")
    assert applied(found, entry).exit_code == 0


def test_a_working_tree_is_named_as_such(tmp_path: Path) -> None:
    tree = SideFacts(what="working tree", commit=CONTENDER.commit)
    (entry,) = accepted(make_comparison([make_verdict("slower")], contender=tree), tmp_path / "f")
    assert entry.to == "working tree"


def test_entries_are_appended_and_what_stands_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(f"# ours\n{ENTRY}")
    found = make_comparison([make_verdict("slower")])
    entries = accepted(found, path)
    assert path.read_text() == f"# ours\n{ENTRY}\n{entry_text(entries[0])}\n"
    with pytest.raises(UsageError, match="has all 1 of these entries already"):
        accepted(found, path)
    accepted(make_comparison([make_verdict("missing")]), path)
    assert len(read_acceptances(path.read_text())) == 3
    assert [one.name for one in tmp_path.iterdir()] == ["accepted.toml"]


@pytest.mark.parametrize("old", ["accepted = 1", "accepted = []\n", "x = 1\n", "[["])
def test_a_file_that_cannot_be_appended_to_stays_as_it_is(tmp_path: Path, old: str) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(old)
    with pytest.raises(UsageError, match="toml"):
        accepted(make_comparison([make_verdict("slower")]), path)
    assert path.read_text() == old


@pytest.mark.parametrize(
    "reason", ['say "why"', "two\nlines\tand \\", "\x7f\x01\x1f", "naïve ✓ 😀", "''' # [x]"]
)
def test_any_reason_reads_back(tmp_path: Path, reason: str) -> None:
    path = tmp_path / "f"
    (entry,) = accepted(make_comparison([make_verdict("slower")]), path, reason=reason)
    assert (entry.reason,) == tuple(one.reason for one in read_acceptances(path.read_text()))
    assert entry.reason == reason.strip()


@pytest.mark.parametrize("reason", ["", " \n"])
def test_an_empty_reason_is_refused(tmp_path: Path, reason: str) -> None:
    with pytest.raises(UsageError, match="reason is empty; say in words"):
        accepted(make_comparison([make_verdict("slower")]), tmp_path / "f", reason=reason)


def test_entries_are_equal_by_value() -> None:
    assert read_acceptances(ENTRY) == (READ,)
    assert {READ} == set(read_acceptances(ENTRY))
    assert msgspec.structs.asdict(READ)["from_"] == "1a2b3c4"
