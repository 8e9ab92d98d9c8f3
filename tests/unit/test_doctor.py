"""What an examination says, what a run keeps of it, and how the command ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from gconvbench.cli import doctor
from gconvbench.errors import ExitCode
from gconvbench.instruments import latest_document
from gconvbench.protocol import Ready
from gconvbench.records import (
    Check,
    DoctorDocument,
    Environment,
    Examination,
    Header,
    decode_line,
    encode_line,
)
from gconvbench.report.instrument import (
    examination_lines,
    instrument_facts,
    unfit_line,
    unfit_lines,
)
from gconvbench.report.notes import facts_of
from gconvbench.report.table import state_lines
from tests.fakes import MACHINE, make_header, make_record, make_run

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import CheckState

FINE = Check(name="host_timer", state="fine", found="steps of 30 ns", figures={"tick_s": 3e-8})
SKIPPED = Check(name="governor", state="skipped", found="not told")
ADVICE = Check(name="boost_and_smt", state="advice", found="boost on", advice="turn it off")
UNFIT = Check(
    name="contention",
    state="unfit",
    found="no core for 40 % of the time, although there was work to do, and so on and on",
    advice="stop what else runs here, or --pin a core that is left alone by everybody else, too",
)
ENVIRONMENT = Environment(identity={"device_name": "A Card"}, under_test={}, soft={})


def examination(*checks: Check, scope: Any = "full") -> Examination:
    return Examination(created="2025-01-01T00:00:00+00:00", scope=scope, checks=checks)


def document(*checks: Check) -> DoctorDocument:
    return DoctorDocument(
        name="20250101T000000Z-abc",
        created="2025-01-01T00:00:00+00:00",
        device="cuda",
        machine=MACHINE,
        environment=ENVIRONMENT,
        examination=examination(*checks),
    )


def test_each_check_has_a_line_and_advice_below_it() -> None:
    lines = examination_lines(document(FINE, SKIPPED, ADVICE, UNFIT))
    assert lines == [
        "cuda: A Card",
        "",
        "✓ host timer     steps of 30 ns",
        "- governor       not told",
        "! boost and SMT  boost on",
        "                 → turn it off",
        "✗ contention     no core for 40 % of the time, although there was work to do,",
        "                 and so on and on",
        "                 → stop what else runs here, or --pin a core that is left alone",
        "                   by everybody else, too",
        "",
        "the instrument is not fit: contention; advice on 1 of 4 checks; 1 skipped",
    ]
    assert examination_lines(document(FINE))[-1] == "the instrument is fit"


def header(now: Examination | None, full: DoctorDocument | None = None, **changes: Any) -> Header:
    return make_header(examination=now, doctor=full.in_short if full else None, **changes)


def test_a_run_on_an_unfit_instrument_says_so_with_the_reason() -> None:
    quick = examination(FINE, UNFIT, scope="quick")
    found = header(quick, document(UNFIT, FINE))
    assert unfit_lines(found) == [
        f"the instrument was not fit when the run began: contention: {UNFIT.found}",
        f"gconvbench doctor had found it not fit (2025-01-01): contention: {UNFIT.found}",
    ]
    assert unfit_line(found) == (
        "the instrument is not fit: contention, contention by the newest doctor"
    )
    assert instrument_facts(found) == {
        "when the run began": "not fit",
        "contention": UNFIT.found,
        "doctor": "not fit, 2025-01-01T00:00:00+00:00",
        "doctor, contention": UNFIT.found,
    }


def test_a_run_on_a_fit_one_says_nothing_but_has_it_among_its_facts() -> None:
    found = header(examination(FINE, ADVICE, scope="quick"), document(FINE))
    assert (unfit_lines(found), unfit_line(found)) == ([], "")
    assert instrument_facts(found) == {
        "when the run began": "fit, with advice",
        "boost and SMT": "boost on",
        "doctor": "fit, 2025-01-01T00:00:00+00:00",
    }


def test_a_run_that_was_not_examined_says_that() -> None:
    assert instrument_facts(make_header()) == {
        "when the run began": "not examined",
        "doctor": "never asked",
    }


def test_nothing_is_said_where_nothing_was_timed() -> None:
    found = header(examination(UNFIT, scope="quick"), check_only=True)
    assert unfit_lines(found) == []


def test_show_and_the_report_have_it() -> None:
    found = header(examination(UNFIT, scope="quick"))
    run = replace(make_run([make_record()]), header=found)
    assert state_lines(run)[0].endswith(f"contention: {UNFIT.found}")
    assert facts_of(run)["instrument"]["contention"] == UNFIT.found


def test_a_header_with_its_examination_survives_the_file() -> None:
    whole = header(examination(FINE, UNFIT, scope="quick"), document(UNFIT))
    assert decode_line(encode_line(whole)) == whole


ENDINGS: list[tuple[tuple[Check, ...], ExitCode]] = [
    ((FINE,), ExitCode.FINE),
    ((FINE, ADVICE, SKIPPED), ExitCode.FINE),
    ((FINE, ADVICE, UNFIT), ExitCode.UNCERTAIN),
]


@pytest.mark.parametrize(("checks", "code"), ENDINGS, ids=["fit", "advice", "unfit"])
@pytest.mark.parametrize("as_json", [False, True])
def test_the_verdict_decides_the_exit_code_and_is_stored(  # noqa: PLR0913, PLR0917
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    checks: tuple[Check, ...],
    code: ExitCode,
    as_json: bool,  # noqa: FBT001
) -> None:
    ready = Ready(ENVIRONMENT, MACHINE, ())
    monkeypatch.setattr(
        doctor, "examine_fully", lambda device, method: (ready, examination(*checks))
    )
    assert doctor.examine("cpu", threads=1, results=tmp_path, json=as_json) == code
    stored = latest_document(tmp_path, MACHINE, DoctorDocument)
    assert stored is not None
    assert stored.examination == examination(*checks)
    out = capsys.readouterr().out
    if as_json:
        assert json.loads(out) == json.loads(msgspec.json.encode(stored))
    else:
        last, where = out.splitlines()[-2:]
        assert last.startswith("the instrument is " + ("not fit" if code else "fit"))
        assert where == f"stored in {tmp_path}/runs/{MACHINE}/{stored.name}.doctor.json"


@pytest.mark.parametrize(("device", "told"), [("cpu", "some seconds"), ("cuda", "about a minute")])
def test_how_long_it_takes_is_said_before(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    device: str,
    told: str,
) -> None:
    ready = Ready(ENVIRONMENT, MACHINE, ())
    monkeypatch.setenv("GCONVBENCH_LOCKS", str(tmp_path))
    monkeypatch.setattr(doctor, "examine_fully", lambda *_: (ready, examination(FINE)))
    doctor.examine(device, threads=1, results=tmp_path, json=False)
    assert capsys.readouterr().err == f"gconvbench: examining {device}, {told}\n"


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (("fine", "skipped"), "fit"),
        (("fine", "advice"), "fit_with_advice"),
        (("advice", "unfit", "skipped"), "unfit"),
    ],
)
def test_the_worst_check_is_the_verdict(states: tuple[CheckState, ...], verdict: str) -> None:
    checks = [Check(name=str(i), state=state, found="x") for i, state in enumerate(states)]
    found = examination(*checks)
    assert found.verdict == verdict
    assert [check.state for check in found.unfit] == ["unfit"] * states.count("unfit")
