"""Bad input gets one clear line and its exit code, never a traceback."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SMALL

if TYPE_CHECKING:
    from tests.functional.conftest import Command, Outcome

WRONG_USE = {
    "groups that do not divide": (
        ("run", "-a", "groups=3"),
        "in_channels (64) must be a multiple of groups (3)",
    ),
    "zero": (("run", "-a", "batch=0"), "batch (0) must be at least 1"),
    "negative": (("run", "-a", "groups=-2"), "groups (-2) must be at least 1"),
    "unknown dtype": (("run", "-a", "dtype=fp16"), "did you mean 'float16'?"),
    "unknown axis": (("run", "-a", "grops=2"), "did you mean 'groups'?"),
    "unknown sweep": (("run", "--sweep", "quik"), "did you mean 'quick'?"),
    "unknown device": (("run", "--device", "gpu"), "device 'gpu' is not known"),
    "unknown implementation": (
        ("run", *SMALL, "--implementation", "natve"),
        "did you mean 'native'?",
    ),
    "broken implementation": (
        ("run", *SMALL, "--implementation", "unimportable"),
        "cannot be used: ModuleNotFoundError",
    ),
    "unknown option": (("run", "--swep", "quick"), "No such option: --swep"),
    "unknown command": (("rnu",), "No such command 'rnu'"),
    "id that does not parse": (("run", "--case", "hello"), "cannot read 'hello'"),
    "impossible id": (
        ("run", "--case", "g3mb1ic4ih6oc4kh3"),
        "in_channels (4) must be a multiple of groups (3)",
    ),
    "window too large": (("run", "-a", "kernel=9", "-a", "padding=0", "-a", "size=4"), "reaches"),
    "math mode that no device has": (
        ("run", "-a", "math_mode=tf32", "-a", "dtype=float64"),
        "math_mode (tf32) applies to dtype float32 only",
    ),
    "tf32 on the cpu": (
        ("run", *SMALL, "-a", "math_mode=tf32", "--device", "cpu"),
        "math_mode tf32 does not exist on cpu",
    ),
    "cold on the cpu": (("run", *SMALL, "--device", "cpu", "--cache", "cold"), "needs a CUDA"),
    "no such cases file": (("run", "--cases", "nowhere.txt"), "cannot be read: No such file"),
    "no such sweep file": (("run", "--sweep", "nowhere.toml"), "cannot be read: No such file"),
    "no runs yet": (("show",), "no stored runs under 'results/runs'"),
    "endless range": (("run", "-a", "groups=1..8:x1"), "never ends or is empty"),
    "too many cases": (
        ("run", "-a", "height=1..400", "-a", "width=1..400"),
        "160000 combinations, at most 100000",
    ),
}


def assert_one_clear_line(outcome: Outcome, code: int, words: str) -> None:
    complaints = [line for line in outcome.err.splitlines() if line.startswith("gconvbench:")]
    assert outcome.code == code, outcome
    assert words in complaints[-1]
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize("name", WRONG_USE)
def test_wrong_use_is_named_and_nothing_is_stored(gconvbench: Command, name: str) -> None:
    arguments, words = WRONG_USE[name]
    assert_one_clear_line(gconvbench(*arguments), 2, words)
    assert gconvbench.stored() == []


def test_a_machine_without_cuda_says_so(gconvbench: Command) -> None:
    outcome = gconvbench("run", *SMALL, "--device", "cuda", CUDA_VISIBLE_DEVICES="")
    assert_one_clear_line(outcome, 2, "device 'cuda' is not available: torch ")


def test_a_bad_sweep_file_is_named_with_the_bad_key(gconvbench: Command) -> None:
    (gconvbench.folder / "bad.toml").write_text("[[blok]]\ngroups = 2\n")
    outcome = gconvbench("run", "--sweep", "bad.toml")
    assert_one_clear_line(outcome, 2, "sweep 'bad': key 'blok' is not known; did you mean 'block'?")


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe garbage", b'{"kind":"footer"}\n', b"[]\n"])
def test_a_file_that_is_no_run_is_named(gconvbench: Command, content: bytes) -> None:
    (gconvbench.folder / "x.jsonl").write_bytes(content)
    assert_one_clear_line(gconvbench("show", "x.jsonl"), 2, "has no readable header")


def test_impossible_combinations_of_a_sweep_are_said_and_the_others_run(
    gconvbench: Command,
) -> None:
    outcome = gconvbench(
        "run", "-a", "groups=2,3", "-a", "channels=4", "-a", "size=6", "--check-only",
        "--implementation", "native",
    )  # fmt: skip
    assert outcome.code == 0
    reason = "in_channels (4) must be a multiple of groups (3)"
    assert f"left out 1 combination(s): {reason}" in outcome.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(gconvbench: Command) -> None:
    gconvbench.results.mkdir(mode=0o555)
    assert_one_clear_line(gconvbench("run", *SMALL), 5, "results cannot be stored in")


def test_a_results_folder_that_cannot_be_is_named(gconvbench: Command) -> None:
    gconvbench.results.write_text("a file where the folder should be")
    assert_one_clear_line(gconvbench("run", *SMALL), 5, "results cannot be stored in")


def test_a_full_disk_stops_the_run_and_keeps_what_is_stored(gconvbench: Command) -> None:
    """A limit on the size of files stands in for the end of the disk."""
    line = "ulimit -f 8; exec " + " ".join(gconvbench.line("run", "--sweep", "quick"))
    gconvbench.line = staticmethod(lambda *_: ["bash", "-c", line])  # type: ignore[method-assign]
    outcome = gconvbench()
    assert outcome.code == 5
    assert "results cannot be stored in" in outcome.err
    assert "Traceback" not in outcome.err
    (path,) = gconvbench.stored()
    assert path.stat().st_size > 4000
