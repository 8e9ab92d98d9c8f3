"""pytest-benchmark's files, out and in: the run inside, foreign files, hostile ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gconvbench.errors import UsageError
from gconvbench.interchange.carried import KEY, WITHOUT_DATA
from gconvbench.interchange.pytest_export import pytest_document, pytest_text
from gconvbench.interchange.pytest_import import read_pytest_file, read_pytest_text
from gconvbench.interchange.storing import store_imported
from gconvbench.records import Job
from gconvbench.store import load_run
from tests.fakes import SMALL_ID, make_accuracy, make_record, make_run, make_timing

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = [
    make_record(number=1, timings=(make_timing(1e-3, 2e-3, labels=("noisy",)),),
                accuracy=make_accuracy()),
    make_record("split_concat", number=1, time_s=3e-3),
    make_record("bad", number=1, outcome="wrong"),
    make_record(number=2, timings=(make_timing(4e-3), make_timing(5e-3, mode="cold"))),
    make_record(number=2, time_s=9e-3, job=Job(SMALL_ID, "native", 1)),
]  # fmt: skip


def foreign(**changes: Any) -> str:
    stats = {"median": 2.0, "data": [1.0, 2.0, 3.0], "iterations": 5}
    document = {
        "machine_info": {"node": "somebodys-laptop", "machine": "x86_64", "system": "Linux",
                         "cpu": {"brand_raw": "Epyc", "count": 2}},
        "commit_info": {"id": "abcdef1234", "dirty": False},
        "benchmarks": [{"name": "test_a", "fullname": "t.py::test_a", "stats": stats}],
        "datetime": "2025-01-02T03:04:05.678+02:00",
        "version": "5.3.1",
    }  # fmt: skip
    return json.dumps(document | changes)


def one_benchmark(**stats: Any) -> str:
    return foreign(benchmarks=[{"fullname": "test_a", "stats": stats}])


def test_samples_of_all_rounds_stand_once_and_the_records_point_at_them() -> None:
    document = pytest_document(make_run(ROUNDS))
    names = [one["name"] for one in document["benchmarks"]]
    assert names == ["native-hot", "native-cold", "split_concat-hot"]
    assert document["benchmarks"][0]["stats"]["data"] == [1e-3, 2e-3, 4e-3]
    assert document["benchmarks"][0]["extra_info"]["error"] == 1e-8
    timing = document[KEY]["records"][3]["timings"][0]
    assert timing["samples_s"] == {"benchmark": f"{SMALL_ID}[native-hot]", "start": 2, "stop": 3}
    twin = document[KEY]["records"][4]["timings"][0]
    assert twin["samples_s"] == [9e-3]


def test_a_run_comes_back_as_it_was_and_is_stored_once(tmp_path: Path) -> None:
    run = make_run(ROUNDS)
    path = tmp_path / "saved.json"
    path.write_text(pytest_text(run))
    found = read_pytest_file(path)
    assert (found.header, found.records, found.left_out) == (run.header, run.records, 0)
    stored = store_imported(tmp_path, found.header, found.records)
    assert stored is not None
    assert pytest_text(load_run(stored)) == path.read_text()
    assert store_imported(tmp_path, found.header, found.records) is None


def test_another_run_of_the_same_name_is_stored_beside_it(tmp_path: Path) -> None:
    run = make_run(ROUNDS)
    assert store_imported(tmp_path, run.header, run.records)
    other = store_imported(tmp_path, run.header, run.records[:2])
    assert other is not None
    assert other.stem.endswith("-2")
    assert store_imported(tmp_path, run.header, run.records[:2]) is None


def test_saved_without_data_the_median_is_the_one_sample_and_says_so() -> None:
    document = pytest_document(make_run(ROUNDS))
    for one in document["benchmarks"]:
        del one["stats"]["data"]
    found = read_pytest_text("a.json", json.dumps(document))
    first = found.records[0].timings[0]
    assert first.samples_s == (2e-3,)
    assert first.labels == ("noisy", WITHOUT_DATA)
    assert [len(record.timings) for record in found.records] == [1, 1, 0, 1, 1]
    assert found.records[3].timings[0].cache_mode == "cold"


def test_benchmarks_of_others_beside_a_run_are_counted() -> None:
    document = pytest_document(make_run(ROUNDS))
    document["benchmarks"].append({"fullname": "theirs", "stats": {"median": 1.0}})
    assert read_pytest_text("a.json", json.dumps(document)).left_out == 1


def test_a_foreign_file_becomes_a_run_that_is_exported_verbatim(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(foreign())
    header, records, _ = read_pytest_file(path)
    assert header.run == "20250102T010405Z-abcdef1"
    assert header.machine.startswith("epyc-")
    assert "laptop" not in header.machine
    assert header.environment.under_test == {"commit": "abcdef1234", "commit_dirty": False}
    (record,) = records
    assert record.job == Job("t.py::test_a", "benchmark")
    assert record.timings[0].samples_s == (1.0, 2.0, 3.0)
    assert record.timings[0].launches_per_sample == 5
    stored = store_imported(tmp_path, header, records)
    assert stored is not None
    assert pytest_text(load_run(stored)) == foreign()
    assert store_imported(tmp_path, header, records) is None


def test_a_fingerprint_of_the_plugin_in_a_foreign_file_is_the_runs() -> None:
    ours = {"machine": "../h200-1", "identity": {"device_type": "cuda", "threads": 3},
            "under_test": {"torch": "2.9"}, "soft": {}}  # fmt: skip
    text = foreign(machine_info={"node": "h200-1", "gconvbench": ours})
    header = read_pytest_text("a.json", text).header
    assert (header.machine, header.device, header.method.threads) == ("h200-1", "cuda", 3)
    assert header.environment.under_test["torch"] == "2.9"


@pytest.mark.parametrize(
    "stats", [{"median": 0.0}, {"median": -1.0}, {"median": "fast"}, {}, {"data": [1.0, None]},
              {"data": [1.0, float("nan")]}, {"median": 10**400}]
)  # fmt: skip
def test_what_is_no_time_is_a_failure_with_its_reason(stats: dict[str, Any]) -> None:
    (record,) = read_pytest_text("a.json", one_benchmark(**stats)).records
    assert (record.outcome, record.detail) == ("failed", "no median that is a time")


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[]", "3", '{"a": 1}', "[" * 100_000, '{"benchmarks": 3}',
        foreign(benchmarks=[]), foreign(datetime="yesterday"), foreign(datetime=3),
        foreign(benchmarks=[{"fullname": 3, "stats": {}}]), foreign(benchmarks=[[]]),
        foreign(machine_info=[]), foreign(**{KEY: 3}), foreign(**{KEY: {}}),
        foreign(**{KEY: {"header": {}, "records": []}}),
        foreign(benchmarks=[{"fullname": "\ud800", "stats": {"median": 1.0}}]),
        one_benchmark(median=1.0).replace("1.0", "1" * 5000),
    ],
)  # fmt: skip
def test_what_pytest_benchmark_does_not_write_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_pytest_text("a.json", text)
    assert len(str(refused.value).splitlines()) == 1


def spoiled(**timing: Any) -> str:
    document = pytest_document(make_run(ROUNDS[:1]))
    document[KEY]["records"][0]["timings"][0].update(timing)
    return json.dumps(document)


NAME = f"{SMALL_ID}[native-hot]"


@pytest.mark.parametrize(
    "timing",
    [
        {"samples_s": {"benchmark": "gone", "start": 0, "stop": 1}},
        {"samples_s": {"benchmark": NAME, "start": 5, "stop": 9}},
        {"samples_s": {"benchmark": NAME, "start": "0", "stop": 1}},
        {"samples_s": {"benchmark": NAME}},
        {"samples_s": {"benchmark": NAME, "start": 0, "stop": 1, "more": 1}},
        {"samples_s": 5},
        {"labels": 5},
        {"launches_per_sample": "many"},
    ],
)
def test_records_that_do_not_fit_their_benchmarks_are_refused(timing: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        read_pytest_text("a.json", spoiled(**timing))


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    document = pytest_document(make_run(ROUNDS))
    for field, name in (("machine", "../out"), ("run", "a/b"), ("machine", ""), ("run", ".x")):
        spoiled_header = {**document[KEY]["header"], field: name}
        text = json.dumps({**document, KEY: {**document[KEY], "header": spoiled_header}})
        found = read_pytest_text("a.json", text)
        with pytest.raises(UsageError, match="cannot be that of a file"):
            store_imported(tmp_path, found.header, found.records)


def test_a_run_without_times_is_refused() -> None:
    with pytest.raises(UsageError, match="has no times"):
        pytest_text(make_run([make_record(outcome="wrong")]))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "binary"):
        with pytest.raises(UsageError):
            read_pytest_file(path)
