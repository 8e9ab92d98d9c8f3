"""`gconvbench accept` on stored comparisons."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gconvbench.acceptance import entry_text, read_acceptances
from gconvbench.cli import app
from gconvbench.cli.accept import expiry
from gconvbench.errors import UsageError
from gconvbench.gate_options import OUTPUT_FOLDER
from gconvbench.report.comparison import write_outputs
from tests.comparisons import make_comparison, make_verdict

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

TODAY = date(2026, 6, 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository after a gate that found a slower job."""
    monkeypatch.chdir(tmp_path)
    found = make_comparison([make_verdict("slower", ratio=1.1), make_verdict("wrong")])
    write_outputs(found, folder=OUTPUT_FOLDER, summary=None, annotate=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["accept", *arguments], standalone_mode=False)


def refusal(*arguments: str) -> str:
    outcome = run(*arguments)
    assert isinstance(outcome.exception, UsageError), outcome
    return str(outcome.exception)


def test_the_last_gate_is_accepted_and_what_was_written_is_printed(folder: Path) -> None:
    outcome = run("--reason", "a guard")
    (entry,) = read_acceptances((folder / "gconvbench-accepted.toml").read_text())
    assert outcome.output == (
        f"{entry_text(entry)}\n\nwritten to gconvbench-accepted.toml; "
        "commit it with the change that it is about\n"
    )
    assert (entry.reason, entry.largest_change) == ("a guard", 0.12)


def test_every_option_is_heeded(folder: Path) -> None:
    (OUTPUT_FOLDER / "comparison.json").rename(folder / "c.json")
    run("c.json", "--reason", "x", "--expires", "2999-01-01", "--case", "g2*", "--implementation",
        "nat*", "--largest-change", "15%", "--file", "a/b.toml")  # fmt: skip
    (entry,) = read_acceptances((folder / "a" / "b.toml").read_text())
    assert (entry.cases, entry.implementations) == ("g2*", "nat*")
    assert (entry.expires, entry.largest_change) == (date(2999, 1, 1), 0.15)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.json",), "comparison 'nowhere.json' cannot be read: No such file"),
        (("--case", "g9*"), "nothing to accept within g9* *"),
        (("--largest-change", "much"), "largest change 'much' is no share; write it like 1%"),
        (("--largest-change", "0"), "largest change '0' must be above 0, such as 12%"),
        (("--largest-change", "5%"), "largest change (5 %) must be at least what was found"),
        (("--expires", "soon"), "expiry 'soon' is no date; write it like 2027-01-01 or 90d"),
        (("--reason", " "), "reason is empty"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_wrong_is_said(arguments: tuple[str, ...], words: str) -> None:
    assert words in refusal("--reason", "x", *arguments)


def test_a_reason_must_be_given(folder: Path) -> None:
    assert "Missing parameter: reason" in str(run().exception)
    assert not (folder / "gconvbench-accepted.toml").exists()


@pytest.mark.parametrize(
    ("text", "day"),
    [("90d", date(2026, 8, 30)), (" 1d ", date(2026, 6, 2)), ("2026-06-02", date(2026, 6, 2))],
)
def test_an_expiry_is_a_date_or_days(text: str, day: date) -> None:
    assert expiry(text, TODAY) == day


@pytest.mark.parametrize("text", ["", "d", "0d", "2026-06-01", "2026-13-01", "-5d", "99999d"])
def test_an_expiry_that_is_none_or_past_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^expiry"):
        expiry(text, TODAY)
