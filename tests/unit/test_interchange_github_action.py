"""What github-action-benchmark draws."""

from __future__ import annotations

import json

import pytest

from gconvbench.errors import UsageError
from gconvbench.interchange.github_action import github_action_text
from tests.fakes import SMALL_ID, make_record, make_records, make_run


def test_one_entry_per_job_with_its_interval_over_rounds() -> None:
    run = make_run([*make_records("native", 1e-3, 1.1e-3, 1.2e-3), make_record("split_concat")])
    native, split = json.loads(github_action_text(run))
    assert native["name"] == f"{SMALL_ID} native hot"
    assert (native["unit"], native["value"]) == ("µs", pytest.approx(1100))
    assert native["range"] == "± 280"
    assert split["value"] == pytest.approx(1000)
    assert "range" not in split
    assert split["extra"] == f"case: {SMALL_ID}\nmachine: box-cpu"


def test_what_went_wrong_in_any_round_has_no_time() -> None:
    run = make_run([make_record(), make_record(number=2, outcome="wrong"), make_record("x")])
    assert [one["name"] for one in json.loads(github_action_text(run))] == [f"{SMALL_ID} x hot"]


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        github_action_text(make_run([]))
