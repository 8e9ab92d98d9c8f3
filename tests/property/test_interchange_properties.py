"""Whatever a run holds, other tools' files give it back; and they say what the tools would."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from gconvbench.cases import case_id
from gconvbench.errors import UsageError
from gconvbench.interchange.asv_export import export_asv
from gconvbench.interchange.asv_import import read_asv
from gconvbench.interchange.carried import KEY
from gconvbench.interchange.pytest_export import pytest_document, pytest_text
from gconvbench.interchange.pytest_import import read_pytest_text
from gconvbench.interchange.pytest_statistics import statistics_of
from gconvbench.interchange.storing import store_imported
from gconvbench.records import Environment, Job, Record, Timing
from gconvbench.store import Run, load_run
from tests.fakes import SMALL, make_header, make_plan

SECONDS = st.floats(1e-9, 1e3)
SAMPLES = st.lists(SECONDS, min_size=1, max_size=30).map(tuple)
CASES = [case_id(msgspec.structs.replace(SMALL, batch=batch)) for batch in (1, 2, 3)]
OF_CASES = st.sampled_from(CASES)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
OUTCOMES = ("measured", "checked", "unsupported", "wrong", "failed")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@st.composite
def timings(draw: st.DrawFn) -> tuple[Timing, ...]:
    modes = draw(st.sampled_from([("hot",), ("cold",), ("cold", "hot")]))
    return tuple(
        Timing(
            cache_mode=mode,  # type: ignore[arg-type]
            samples_s=draw(SAMPLES),
            launches_per_sample=draw(st.integers(1, 1000)),
            target_reached=draw(st.booleans()),
            labels=tuple(draw(st.lists(TEXTS, max_size=2))),
        )
        for mode in modes
    )


@st.composite
def runs(draw: st.DrawFn, cases: st.SearchStrategy[str] = OF_CASES) -> Run:
    """Several rounds of a few jobs, of which some go wrong, some are twins."""
    names = st.sampled_from(["native", "split_concat", "ba'd\"é"])
    jobs = draw(
        st.lists(
            st.builds(Job, cases, names, st.integers(0, 1)), min_size=1, max_size=6, unique=True
        )
    )
    rounds = draw(st.integers(1, 3))
    records = []
    for number in range(1, rounds + 1):
        for job in jobs:
            outcome = draw(st.sampled_from(("measured", *OUTCOMES)))
            measured = outcome == "measured"
            detail = draw(TEXTS) or "why"
            records.append(
                Record(job=job, round=number, outcome=outcome, detail=detail,  # type: ignore[arg-type]
                       timings=draw(timings()) if measured else ())
            )  # fmt: skip
    environment = Environment(
        identity={"device_name": draw(TEXTS), "threads": 1},
        under_test={"commit": COMMIT, "torch": "2.9"},
        soft={"python": "3.11.1"},
    )
    header = make_header(make_plan(rounds=rounds), environment=environment)
    method = msgspec.structs.replace(header.method, cache_modes=("cold", "hot"))
    header = msgspec.structs.replace(header, method=method)
    return Run(Path("x"), header, tuple(records), None, 0, None)


def has_times(run: Run) -> bool:
    return bool(pytest_names(run))


def pytest_names(run: Run) -> set[Job]:
    good = {one.job for one in run.records if not one.job.twin}
    good -= {one.job for one in run.records if one.outcome not in {"measured", "checked"}}
    return good & {one.job for one in run.records if one.timings}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SAMPLES)
def test_statistics_are_those_of_pytest_benchmark_to_the_last_bit(
    samples_s: tuple[float, ...],
) -> None:
    theirs: Any = Stats()  # type: ignore[no-untyped-call]
    for sample_s in samples_s:
        theirs.update(sample_s)
    assert statistics_of(samples_s) == theirs.as_dict()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(runs(cases=st.one_of(OF_CASES, TEXTS.filter(bool))).filter(has_times))
def test_a_run_in_pytest_benchmarks_file_comes_back_as_it_was(run: Run) -> None:
    text = pytest_text(run)
    found = read_pytest_text("a.json", text)
    assert (found.header, found.records, found.left_out) == (run.header, run.records, 0)
    document = pytest_document(run)
    assert {one["params"]["case"] for one in document["benchmarks"]} == {
        job.case for job in pytest_names(run)
    }
    with TemporaryDirectory() as folder:
        path = store_imported(Path(folder), found.header, found.records)
        assert path is not None
        assert pytest_text(load_run(path)) == text


@settings(max_examples=60, deadline=None, derandomize=True)
@given(runs().filter(has_times))
def test_what_asv_was_given_comes_back_and_is_written_back_as_it_was(run: Run) -> None:
    with TemporaryDirectory() as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        written = export_asv(run, first).path
        ((header, records),) = read_asv(first).runs
        path = store_imported(Path(folder), header, records)
        assert path is not None
        assert export_asv(load_run(path), second).path.read_bytes() == written.read_bytes()
    assert _samples(records) == _samples([r for r in run.records if r.job in pytest_names(run)])


def _samples(records: list[Record]) -> dict[tuple[Job, str], tuple[float, ...]]:
    """Of all rounds, one after the other."""
    found: dict[tuple[Job, str], tuple[float, ...]] = {}
    for record in records:
        for timing in record.timings:
            key = record.job, timing.cache_mode
            found[key] = (*found.get(key, ()), *timing.samples_s)
    return found


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["benchmarks", "datetime", "stats", "fullname", KEY, "header",
                             "records", "machine_info", "commit_info", "data", "median"]),
            inner, max_size=6),
        max_leaves=20,
    )
)  # fmt: skip
def test_any_json_is_read_or_refused_in_a_line(data: object) -> None:
    try:
        found = read_pytest_text("a.json", json.dumps(data))
    except UsageError as error:
        said, medians_s = str(error), []
    else:
        said, medians_s = "", [t.median_s for r in found.records for t in r.timings]
    assert len(said.splitlines()) <= 1
    assert all(map(math.isfinite, medians_s))
