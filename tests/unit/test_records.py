from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from gconvbench.errors import UsageError
from gconvbench.records import (
    FAILED_OUTCOMES,
    MEASURED_OUTCOMES,
    SCHEMA,
    Footer,
    Outcome,
    decode_line,
    encode_line,
)
from tests.fakes import make_accuracy, make_header, make_record, make_telemetry, make_timing

if TYPE_CHECKING:
    from gconvbench.records import Line

OUTCOMES: tuple[str, ...] = get_args(Outcome)


@pytest.mark.parametrize("outcome", sorted({*OUTCOMES} - {"measured"}))
def test_only_a_measured_record_has_times(outcome: str) -> None:
    with pytest.raises(ValueError, match=f"a {outcome} record cannot have 1 timings"):
        make_record(outcome=outcome, timings=(make_timing(1.0),))
    assert not make_record(outcome=outcome).timings


def test_a_measured_record_has_at_least_one_time() -> None:
    with pytest.raises(ValueError, match="a measured record cannot have 0 timings"):
        make_record(time_s=None)


@pytest.mark.parametrize("outcome", sorted({*OUTCOMES} - MEASURED_OUTCOMES))
def test_every_outcome_but_success_needs_a_reason(outcome: str) -> None:
    with pytest.raises(ValueError, match=f"a {outcome} record needs a reason"):
        make_record(outcome=outcome, detail="")


def test_failures_are_all_that_was_asked_supported_and_not_proven_wrong() -> None:
    assert {*OUTCOMES} - MEASURED_OUTCOMES - {"unsupported", "wrong"} == FAILED_OUTCOMES


def test_the_time_of_a_timing_is_its_median() -> None:
    assert make_timing(5.0, 1.0, 2.0).median_s == 2
    assert make_timing(5.0, 1.0, 2.0, 3.0).median_s == 2.5


@pytest.mark.parametrize(
    "line",
    [
        make_header(),
        make_record(accuracy=make_accuracy(), telemetry=make_telemetry(0.5), first_launch_s=0.1),
        make_record(outcome="wrong", accuracy=make_accuracy(None)),
        make_record(outcome="crashed", detail="two\nlines, µ and \x00"),
        Footer(counts={"measured": 1}, sha256="00"),
    ],
)
def test_a_line_is_one_line_and_reads_back(line: Line) -> None:
    data = encode_line(line)
    assert len(data.splitlines()) == 1
    assert decode_line(data) == line


def test_numbers_that_are_not_finite_are_stored_as_null() -> None:
    record = make_record(accuracy=make_accuracy(float("nan")), first_launch_s=float("inf"))
    data = encode_line(record)
    assert b'"first_launch_s":null' in data
    read = decode_line(data)
    assert read == make_record(accuracy=make_accuracy(None), first_launch_s=None)


MEASURED = encode_line(make_record())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"kind":"rumour"}',
        MEASURED[:-1],
        MEASURED + b"x",
        MEASURED + MEASURED,
        MEASURED.replace(b'"measured"', b'"crashed"'),
        MEASURED.replace(b'"measured"', b'"guessed"'),
        MEASURED.replace(b"0.001", b'"0.001"'),
        MEASURED.replace(b'"hot"', b'"warm"'),
        MEASURED.replace(b'"round":1', b'"round":1.5'),
        MEASURED.replace(b'"implementation"', b'"implement\xff"'),
        encode_line(make_header()).replace(b'"schema":%d' % SCHEMA, b'"schema":%d' % (SCHEMA + 1)),
        b"\x00\x9f\x92\x96",
    ],
)
def test_what_is_not_a_line_of_this_schema_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(UsageError, match="not a line of a stored run: ") as caught:
        decode_line(data)
    assert len(str(caught.value).splitlines()) == 1


def test_a_reader_ignores_what_a_later_record_of_this_schema_adds() -> None:
    assert decode_line(MEASURED[:-1] + b',"added":{"later":[1]}}') == make_record()
