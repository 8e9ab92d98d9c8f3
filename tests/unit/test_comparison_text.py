"""A comparison on the terminal."""

from __future__ import annotations

import io
import shlex
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from gconvbench.records import FINDING_KINDS, JOB_KINDS, Finding
from gconvbench.report.comparison import print_comparison
from gconvbench.report.comparison.reproduce import commands
from gconvbench.report.console import make_console
from tests.comparisons import make_case, make_comparison, make_typical, make_verdict

if TYPE_CHECKING:
    from gconvbench.records import Comparison

TYPICAL = """\
1 of 12 jobs crashed: native
g1mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:fprop: the
worker died of SIGSEGV; also 2 slower, 1 uncertain; exit code 5

baseline: commit 1a2b3c4d5e, 5 processes
contender: commit 5d6e7f8a9b, 5 processes
2026-01-02T03:04:05Z on cpu, took 4 min 10 s of 5 min 00 s, 40 % more
measurements after the first look

found
  soft difference: worth a warning; governor is powersave, was performance

in common
  all 2 with groups=32 and dtype=float16: slower, +5.0 to +10.4 %
  all 2 with groups=32 and dtype=float16: dispatch: kernel changed from
    implicit_gemm to direct

  kind       baseline  contender   change    95 % interval       p
  crashed
    native g1mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:fprop
      the worker died of SIGSEGV
  slower      1.00 ms    1.10 ms  +10.4 %  +8.4 to +12.4 %  0.0007
    native
      g32mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:fprop
      dispatch: kernel changed from implicit_gemm to direct
  slower      1.00 ms    1.05 ms   +5.0 %   +3.0 to +7.0 %  0.0007
    native
      g32mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:wgrad
      dispatch: kernel changed from implicit_gemm to direct
  uncertain   1.00 ms    1.03 ms   +3.0 %   +1.0 to +5.0 %  0.0007
    native g1mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:wgrad
      still open after 40 processes
  and 8 unchanged

all in all
  the whole suite moved by +0.4 % (95 % -0.1 to +0.9 %), p 0.12
  6 controls in fresh processes moved by +0.2 %
  a slowdown of 3.1 % in one job would have been found with 95 % power (median
    over jobs)
  times are medians over processes; changes are of lower quartiles
    (docs/method.md) and need not be their ratio

not decided
  1 uncertain: still open after 40 processes

to reproduce
  gconvbench gate --baseline main --sweep quick -a groups=1,8,32 --seed 3

to look again with more processes
  gconvbench gate --baseline main --seed 3 \\
      --case g32mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:fprop \\
      --case g32mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:wgrad \\
      --case g1mb8ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float16:contiguous:wgrad \\
      --implementation native --pairs 10 --budget 1200s

to accept what was found
  gconvbench accept --reason 'why this is intended'
"""

PASSING = """\
The job is not slower: commit 5d6e7f8a9b against commit 1a2b3c4d5e; a slowdown
of 3.1 % in one job would have been found with 95 % power; exit code 0

baseline: commit 1a2b3c4d5e, 5 processes, of which 1 refused because all times
stood out
contender: commit 5d6e7f8a9b, 5 processes
2026-01-02T03:04:05Z on cpu

  kind       baseline  contender  change   95 % interval       p
  unchanged   1.00 ms    1.00 ms  +0.0 %  -2.0 to +2.0 %  0.0007
    native g2mb1ic64ih28iw28oc64kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:fprop

all in all
  a slowdown of 3.1 % in one job would have been found with 95 % power (median
    over jobs)
  times are medians over processes; changes are of lower quartiles
    (docs/method.md) and need not be their ratio

to reproduce
  gconvbench gate --baseline 1a2b3c4d5e
"""


def text_of(found: Comparison) -> str:
    file = io.StringIO()
    print_comparison(found, make_console(file, plain=True))
    return file.getvalue()


def test_a_typical_comparison_at_80_columns() -> None:
    assert text_of(make_typical()) == TYPICAL


def test_a_passing_comparison_is_short() -> None:
    found = make_comparison()
    assert text_of(replace(found, baseline=replace(found.baseline, refused=1))) == PASSING


def test_only_ids_are_wider_than_80_columns() -> None:
    for line in text_of(make_typical()).splitlines():
        assert len(line) <= 80 or "--case g" in line


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_each_kind_of_job_is_named(kind: str) -> None:
    found = make_comparison([make_verdict(kind, detail="the reason")])
    table = text_of(found).split("\n\n", 2)[2]
    assert kind.replace("_", " ") in table
    assert ("the reason" in table) == (kind != "unsupported")


@pytest.mark.parametrize("kind", FINDING_KINDS)
def test_each_kind_of_finding_is_named_with_its_facts(kind: str) -> None:
    found = text_of(make_comparison(findings=(Finding(kind, "the facts"),)))
    meaning = FINDING_KINDS[kind].meaning
    line = f"{kind.replace('_', ' ')}: {meaning}; the facts"
    assert line in found.replace("\n    ", " ")


def test_twenty_rows_at_most_worst_first_and_the_rest_is_counted() -> None:
    slower = [make_verdict("slower", ratio=1 + i / 100, name=str(i)) for i in range(3, 33)]
    jobs = [make_verdict("faster"), make_verdict(), *slower, make_verdict("wrong")]
    lines = text_of(make_comparison(jobs)).splitlines()
    rows = [line.split()[0] for line in lines if line.startswith(("  wrong", "  slower "))]
    assert rows[:2] == ["wrong", "slower"]
    changes = [line.split()[5] for line in lines if line.startswith("  slower ")]
    assert changes == [f"+{i}.0" for i in range(32, 13, -1)]
    assert "  and 11 slower, 1 faster, 1 unchanged" in lines


def test_a_job_that_fails_by_a_note_stands_with_its_equals() -> None:
    note = Finding("accuracy", "E is 2 times larger")
    jobs = [make_verdict("missing"), make_verdict(notes=(note,))]
    lines = text_of(make_comparison(jobs, fail_on=("accuracy",))).splitlines()
    rows = [line.split()[0] for line in lines if line.startswith(("  missing", "  unchanged"))]
    assert rows == ["unchanged", "missing"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    nasty = "a\x1b[31mred\r\nnext\u202eleft\ud800"
    text = text_of(make_comparison([make_verdict("crashed", case=nasty, detail=nasty)]))
    assert not set(text) & set("\x1b\r\u202e\ud800")
    assert "[31mred next" in text


def test_commands_are_quoted_for_a_shell() -> None:
    case = "x'; rm -rf / #"
    found = make_comparison([make_verdict("slower", case=case)], selection=("--case", case))
    for command in commands(found)[:2]:
        words = shlex.split(command.line)
        assert words[:2] == ["gconvbench", "gate"]
        assert words[words.index("--case") + 1] == case
    assert words[-4:] == ["--implementation", "native", "--pairs", "10"]


@pytest.mark.parametrize(
    "chosen",
    [("--case", "a"), ("--case=a",), ("--sweep", "quick", "--cases", "f"), ("-a", "groups=1"),
     ("--axis=groups=1", "--implementation", "all"), ("--pairs", "3")],
)  # fmt: skip
def test_to_look_again_only_what_chose_jobs_is_replaced(chosen: tuple[str, ...]) -> None:
    selection = ("--baseline", "main", *chosen, "--device", "cpu", "--seed=7")
    found = make_comparison([make_verdict("slower")], selection=selection, seed=7)
    again = shlex.split(commands(found)[1].line)
    assert again == [
        "gconvbench", "gate", "--baseline", "main", "--device", "cpu", "--seed=7",
        "--case", make_case(), "--implementation", "native", "--pairs", "10",
    ]  # fmt: skip


def test_to_look_again_there_is_more_time_wherever_the_budget_was_set() -> None:
    for selection in (("--budget", "1m"), ()):  # () as a file has it
        found = make_comparison([make_verdict("slower")], budget_s=60.0, selection=selection)
        again = shlex.split(commands(found)[1].line)
        assert [word for word in again if word.startswith("--budget")] == ["--budget"]
        assert again[-2:] == ["--budget", "240s"]


@pytest.mark.parametrize(
    ("kind", "offered"),
    [("wrong", []), ("not_finite", []), ("crashed", []), ("failed", []),
     ("uncertain", ["to look again with more processes"]),
     ("missing", ["to accept what was found"]), ("renamed", ["to accept what was found"]),
     ("slower", ["to look again with more processes", "to accept what was found"])],
)  # fmt: skip
def test_only_what_can_help_is_offered(kind: str, offered: list[str]) -> None:
    purposes = [one.purpose for one in commands(make_comparison([make_verdict(kind)]))]
    assert purposes == ["to reproduce", *offered]


def test_a_selection_without_end_is_told_in_words() -> None:
    found = make_comparison(selection=("--case", "x") * 1000)
    assert "see 'selection' in comparison.json" in text_of(found)
    assert len(text_of(found)) < 3000


def test_cold_times_and_another_baseline_name_are_said() -> None:
    job = make_verdict(
        "slower", cache_mode="cold", baseline_implementation="native", implementation="mine"
    )
    assert f"mine (against native) {job.case} cold" in " ".join(
        text_of(make_comparison([job])).split()
    )


def test_ids_are_never_broken() -> None:
    job = make_verdict("slower", case=make_case(dilation=(2, 2), kernel_size=(11, 11), height=512))
    long = job.case + ":bias" * 8
    assert f"\n      {long}\n" in text_of(make_comparison([replace(job, case=long)]))


def test_a_baseline_that_was_given_is_not_pinned_again() -> None:
    for given in (("--baseline", "v1"), ("--baseline-set", "threads=1"), ("--contender-python=p",)):
        for command in commands(make_comparison([make_verdict("slower")], selection=given))[:2]:
            assert "--baseline 1a2b3c4d5e" not in command.line
    unpinned = make_comparison([make_verdict("slower")], selection=())
    assert "--baseline 1a2b3c4d5e" in commands(unpinned)[0].line
