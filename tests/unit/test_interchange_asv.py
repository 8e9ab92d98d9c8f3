"""asv's files, out and in, written and read by asv's own classes."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from asv.results import Results
from asv.runner import BenchmarkResult
from asv.util import load_json, write_json

from gconvbench.cases import Case, case_id
from gconvbench.errors import UsageError
from gconvbench.interchange.asv_export import export_asv
from gconvbench.interchange.asv_import import read_asv
from gconvbench.interchange.storing import store_imported
from gconvbench.interchange.suite import Family
from gconvbench.records import Environment, Job, Origin
from gconvbench.store import Run, load_run
from tests.fakes import SMALL_ID, make_accuracy, make_header, make_record, make_run, make_timing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gconvbench.records import Record, Scalar

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TESTED: dict[str, Scalar] = {
    "torch": "2.9.0", "cuda": "none", "cudnn": "none", "commit": COMMIT, "commit_dirty": False,
}  # fmt: skip
IDENTITY: dict[str, Scalar] = {
    "device_type": "cpu", "device_name": "Epyc", "architecture": "x86_64", "cores": 2,
    "memory_gib": 24, "threads": 1,
}  # fmt: skip
OTHER_ID = case_id(Case(groups=1, in_channels=4, out_channels=6, height=9, width=8))
FILE = "box-cpu/01234567-gconvbench-py3.11-torch2.9.0.json"
HOT = "run.conv.fprop.track_time_hot"


def asv_run(records: Sequence[Record], **tested: Any) -> Run:
    environment = Environment(
        identity=IDENTITY, under_test={**TESTED, **tested}, soft={"os": "Linux", "python": "3.11.7"}
    )
    run = make_run(records)
    header = msgspec.structs.replace(run.header, environment=environment)
    return msgspec.structs.replace(run, header=header)


RECORDS = [
    make_record(number=1, timings=(make_timing(3e-3, 1e-3, 2e-3),), accuracy=make_accuracy()),
    make_record(number=2, timings=(make_timing(5e-3),)),
    make_record(number=1, job=Job(SMALL_ID, "native", 1)),
    make_record("split_concat", number=1, outcome="unsupported"),
    make_record("split_concat", case=OTHER_ID, number=1, time_s=7e-3),
    make_record("native", case=OTHER_ID, number=1, outcome="crashed"),
]


def results_of(path: Path) -> dict[tuple[str, ...], Any]:
    """By benchmark and combination, as asv reads them."""
    results = Results.load(str(path))
    found: dict[tuple[str, ...], Any] = {}
    for name in results.get_all_result_keys():
        params = results.get_result_params(name)
        values = results.get_result_value(name, params)
        samples = results.get_result_samples(name, params)
        words = [(a, b) for a in params[0] for b in params[1]]
        found |= {(name, *w): (v, s) for w, v, s in zip(words, values, samples, strict=True)}
    return found


def test_asv_reads_what_was_exported(tmp_path: Path) -> None:
    path, left_out = export_asv(asv_run(RECORDS), tmp_path)
    assert left_out == 0
    assert path == tmp_path / FILE
    found = results_of(path)
    case, other = repr(SMALL_ID), repr(OTHER_ID)
    assert found[HOT, case, "'native'"] == (2.5e-3, [3e-3, 1e-3, 2e-3, 5e-3])
    assert math.isnan(found[HOT, case, "'split_concat'"][0])
    assert found[HOT, other, "'split_concat'"] == (7e-3, [7e-3])
    assert found[HOT, other, "'native'"] == (None, None)
    assert found["run.conv.fprop.track_error", case, "'native'"][0] == 1e-8
    machine = json.loads((path.parent / "machine.json").read_text())
    assert (machine["cpu"], machine["gpu"], machine["machine"]) == ("Epyc", "none", "box-cpu")
    known = load_json(str(tmp_path / "benchmarks.json"), api_version=2)
    assert known[HOT]["version"] == Results.load(str(path)).benchmark_version[HOT]
    family = Family.of_version(known[HOT]["version"])
    assert family is not None
    assert family.job((SMALL_ID, "native")) == Job(SMALL_ID, "native")


def test_what_is_there_of_other_combinations_stays(tmp_path: Path) -> None:
    path = export_asv(asv_run(RECORDS[:1]), tmp_path).path
    write_json(str(tmp_path / "benchmarks.json"),
               load_json(str(tmp_path / "benchmarks.json")) | {"theirs": {"name": "theirs"}},
               api_version=2)  # fmt: skip
    export_asv(asv_run(RECORDS[4:5]), tmp_path)
    found = results_of(path)
    assert found[HOT, repr(SMALL_ID), "'native'"] == (2e-3, [3e-3, 1e-3, 2e-3])
    assert found[HOT, repr(OTHER_ID), "'split_concat'"] == (7e-3, [7e-3])
    known = load_json(str(tmp_path / "benchmarks.json"), api_version=2)
    assert known[HOT]["params"] == [
        [repr(SMALL_ID), repr(OTHER_ID)],
        ["'native'", "'split_concat'"],
    ]
    assert known["theirs"] == {"name": "theirs"}


def test_a_run_without_times_exports_errors_and_no_empty_benchmarks(tmp_path: Path) -> None:
    run = asv_run([make_record(outcome="checked", accuracy=make_accuracy())])
    names = {name for name, *_ in results_of(export_asv(run, tmp_path).path)}
    assert names == {"run.conv.fprop.track_error", "run.conv.fprop.track_parameters"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"commit": None}, "has no commit"),
        ({"commit": "--output=x"}, "has no commit"),
        ({"commit_dirty": True}, "measured changes beside commit 0123456"),
    ],
)
def test_asv_files_by_commit_so_there_must_be_one(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        export_asv(asv_run(RECORDS, **changes), tmp_path)
    assert not list(tmp_path.iterdir())


def test_jobs_that_are_no_cases_are_counted_or_refused(tmp_path: Path) -> None:
    theirs = make_record("benchmark", case="test_a")
    assert export_asv(asv_run([*RECORDS, theirs]), tmp_path).left_out == 1
    with pytest.raises(UsageError, match="nothing of a case"):
        export_asv(asv_run([theirs]), tmp_path)


@pytest.mark.parametrize("name", ["benchmarks.json", FILE])
def test_files_that_are_in_the_way_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "box-cpu").mkdir()
    (tmp_path / name).write_text("[" * 3)
    with pytest.raises(UsageError, match="move it away"):
        export_asv(asv_run(RECORDS), tmp_path)


def test_values_and_samples_come_back(tmp_path: Path) -> None:
    export_asv(asv_run(RECORDS), tmp_path / "asv")
    ((header, records),) = read_asv(tmp_path / "asv").runs
    by_job = {record.job: record for record in records}
    assert by_job[Job(SMALL_ID, "native")].timings[0].samples_s == (3e-3, 1e-3, 2e-3, 5e-3)
    assert by_job[Job(SMALL_ID, "split_concat")].outcome == "unsupported"
    assert by_job[Job(OTHER_ID, "native")].detail == "asv stored no value"
    assert header.environment.identity == IDENTITY
    assert header.environment.under_test == TESTED | {"driver": "none"}
    assert (header.machine, header.method.threads, header.device) == ("box-cpu", 1, "cpu")
    assert header.run == "20250101T000000Z-0123456"


def test_times_of_both_cache_modes_are_of_one_record(tmp_path: Path) -> None:
    both = (make_timing(1e-3), make_timing(2e-3, mode="cold"))
    run = asv_run([make_record(timings=both)])
    method = msgspec.structs.replace(run.header.method, cache_modes=("cold", "hot"))
    header = msgspec.structs.replace(run.header, method=method)
    export_asv(msgspec.structs.replace(run, header=header), tmp_path)
    ((_, (record,)),) = read_asv(tmp_path).runs
    assert {one.cache_mode: one.samples_s for one in record.timings} == {
        "hot": (1e-3,),
        "cold": (2e-3,),
    }


def stored_by_asv(folder: Path, *values: Any, machine: str = "box", **changes: Any) -> Path:
    """A result file with one benchmark, its combinations of a parameter `n`, and its metadata."""
    name, version = changes.get("name", "b.time_it"), changes.get("version", "f" * 64)
    params = changes.get("params", [[str(n) for n in range(len(values))]])
    facts = {"machine": machine, "arch": "x86_64", "cpu": "Epyc", **changes.get("facts", {})}
    results = Results({**facts, "python": "3.11", "numpy": "2.0"}, {"numpy": "2.0"}, COMMIT,
                      86_400_000, "3.11", "env", changes.get("env_vars", {}))  # fmt: skip
    result = BenchmarkResult(
        list(values), changes.get("samples", [None] * len(values)),
        changes.get("number", [None] * len(values)), 0, "", None,
    )  # fmt: skip
    benchmark = {"name": name, "version": version, "params": params}
    results.add_result(benchmark, result, record_samples=True)
    results.save(str(folder))
    write_json(str(folder / machine / "machine.json"), facts, api_version=1)
    known = {name: benchmark | {"unit": changes.get("unit", "seconds"), "param_names": ["n"]}}
    write_json(str(folder / "benchmarks.json"), known, api_version=2)
    return folder / machine


def test_foreign_benchmarks_are_called_as_asv_calls_them(tmp_path: Path) -> None:
    stored_by_asv(tmp_path, 1e-3, math.nan, None, -1.0, 2.0,
                  samples=[[1e-3, 2e-3], None, None, None, None],
                  number=[7, None, None, None, None])  # fmt: skip
    ((header, records),) = read_asv(tmp_path).runs
    assert [record.job.case for record in records] == [f"b.time_it({n})" for n in range(5)]
    assert {record.job.implementation for record in records} == {"version ffffffff"}
    assert records[0].timings[0].launches_per_sample == 7
    assert records[4].timings[0].labels == ("one value; asv stored no samples",)
    assert [record.detail for record in records] == [
        "", "skipped in asv", "asv stored no value", "asv stored -1.0, which is no time", "",
    ]  # fmt: skip
    assert header.environment.under_test == {
        "numpy": "2.0", "commit": COMMIT, "commit_dirty": False,
    }  # fmt: skip
    assert header.method.inputs == "those of asv's benchmarks"


def test_a_sweep_of_our_suite_is_read_as_its_cases_without_the_impossible(tmp_path: Path) -> None:
    family = Family(("operation=conv", "size=9", "channels=4"), ("groups", "implementation"))
    stored_by_asv(tmp_path, 1e-3, math.nan, name="conv.Fprop.track_time", version=family.version,
                  params=[["2", "3"], ["'native'"]], facts={"gpu": "H200", "threads": "2"},
                  samples=[[1e-3], None], number=[1, None])  # fmt: skip
    ((header, records),) = read_asv(tmp_path).runs
    (record,) = records
    assert record.job == family.job((2, "native"))
    assert record.timings[0].cache_mode == "cold"
    assert (header.method.clock, header.method.threads) == ("cuda_events", 2)
    assert header.device == "cuda"


def test_what_was_imported_is_known_again_and_written_back_to_the_letter(tmp_path: Path) -> None:
    folder = tmp_path / "asv"
    stored_by_asv(folder, 1e-3)
    ((header, records),) = read_asv(folder).runs
    path = store_imported(tmp_path, header, records)
    assert path is not None
    assert store_imported(tmp_path, header, records) is None
    export_asv(load_run(path), tmp_path / "back")
    for name in ("box/01234567-env.json", "box/machine.json", "benchmarks.json"):
        assert (tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes()
    export_asv(load_run(path), tmp_path / "back")  # the same again harms nothing
    (tmp_path / "back" / "box/01234567-env.json").write_text("{}")
    with pytest.raises(UsageError, match="is there and differs"):
        export_asv(load_run(path), tmp_path / "back")


@pytest.mark.parametrize("name", ["../x.json", "/x.json", "a/../../x.json", "a\\..\\x", ""])
def test_files_of_a_run_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    header = make_header(origin=Origin(tool="asv", files={name: "{}"}))
    run = msgspec.structs.replace(make_run(RECORDS), header=header)
    with pytest.raises(UsageError, match="would leave the folder"):
        export_asv(run, tmp_path / "asv")
    assert not list(tmp_path.iterdir())


def test_a_machine_of_any_name_has_a_folder_inside(tmp_path: Path) -> None:
    machine = stored_by_asv(tmp_path / "asv", 1e-3)
    for name in ("machine.json", "01234567-env.json"):
        path = machine / name
        path.write_text(path.read_text().replace('"box"', '"../../etc/x y"'))
    ((header, records),) = read_asv(tmp_path / "asv").runs
    assert re.fullmatch(r"epyc-[0-9a-f]{8}", header.machine)
    path_of = store_imported(tmp_path, header, records)
    assert path_of is not None
    assert path_of.is_relative_to(tmp_path / "runs")


def test_hostile_files_are_counted_and_the_others_read(tmp_path: Path) -> None:
    machine = stored_by_asv(tmp_path, 1e-3)
    good = (machine / "01234567-env.json").read_text()
    for number, text in enumerate((
        "", "[]", "[" * 100_000, "{}", good.replace("86400000", "1e400"),
        good.replace("86400000", '"now"'), good.replace('"results"', '"other"'),
        good.replace('["0"]', json.dumps(["0"] * 2000) + "," + json.dumps(["1"] * 2000)),
        good.replace('"env_vars": {}', '"env_vars": []'),
    )):  # fmt: skip
        (machine / f"{number}.json").write_text(text)
    found = read_asv(tmp_path)
    assert (len(found.runs), found.unreadable) == (1, 9)


def test_other_units_are_no_times(tmp_path: Path) -> None:
    stored_by_asv(tmp_path, 1e6, unit="bytes")
    assert read_asv(tmp_path)[:2] == ([], 1)


def test_without_benchmarks_json_a_name_says_whether_it_is_a_time(tmp_path: Path) -> None:
    stored_by_asv(tmp_path, 1e-3)
    (tmp_path / "benchmarks.json").unlink()
    ((_, records),) = read_asv(tmp_path).runs
    assert records[0].outcome == "measured"


def test_one_machine_of_several(tmp_path: Path) -> None:
    stored_by_asv(tmp_path, 1e-3)
    stored_by_asv(tmp_path, 1e-3, machine="bax")
    ((header, _),) = read_asv(tmp_path, "bax").runs
    assert header.origin is not None
    assert "bax/machine.json" in header.origin.files
    assert header.machine not in {"box", "bax"}  # names of hosts
    with pytest.raises(UsageError, match=r"machine 'bix' is not known; did you mean"):
        read_asv(tmp_path, "bix")


@pytest.mark.parametrize("text", ["[]", "3", "[" * 100_000, '{"version": 1}', "\xff"])
def test_a_machine_file_that_asv_cannot_read_gets_a_line(tmp_path: Path, text: str) -> None:
    (stored_by_asv(tmp_path, 1e-3) / "machine.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as refused:
        read_asv(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_no_asv_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "asv.results", None)
    with pytest.raises(UsageError, match=r"export asv needs asv.*pip install 'asv>=0.6.6'"):
        export_asv(asv_run(RECORDS), tmp_path)
    with pytest.raises(UsageError, match=r"import asv needs asv.*pip install 'asv>=0.6.6'"):
        read_asv(tmp_path)
