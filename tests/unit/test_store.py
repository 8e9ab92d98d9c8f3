from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from gconvbench.errors import ExitCode, NotMeasuredError, UsageError
from gconvbench.records import SCHEMA, Job, encode_line
from gconvbench.store import RunWriter, find_run, list_runs, load_run, load_unchanged
from tests.fakes import MACHINE, make_header, make_record, make_records, store_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.records import Header

DATA = Path(__file__).parents[1] / "data"
"""One stored run per past schema, as it was written then."""
RECORDS = (*make_records("native", 1e-3, 2e-3), make_record("split_concat", outcome="crashed"))
TORN = encode_line(RECORDS[0])[:40]
GARBAGE = bytes(range(256)).replace(b"\n", b"").replace(b"\r", b"")


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_finished_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = store_run(tmp_path, RECORDS)
    run = load_run(path)
    assert path == tmp_path / "runs" / MACHINE / "20250101T000000Z-abc.jsonl"
    assert (run.header, run.records) == (make_header(), RECORDS)
    assert run.footer is not None
    assert run.footer.counts == {"measured": 2, "crashed": 1}
    assert (run.unreadable, run.intact, run.is_complete) == (0, True, True)


def test_a_run_without_a_footer_is_incomplete_but_not_damaged(tmp_path: Path) -> None:
    run = load_run(store_run(tmp_path, RECORDS, finished=False))
    assert (run.records, run.footer) == (RECORDS, None)
    assert (run.intact, run.is_complete) == (None, False)


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("junk", [TORN, GARBAGE, b"{}", b'{"kind":"recrd"}', b"\xff\xfe"])
def test_an_unreadable_line_is_counted_and_left_wherever_it_stands(
    tmp_path: Path, at: int, junk: bytes
) -> None:
    path = store_run(tmp_path, RECORDS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:at], junk + b"\n", *lines[at:]]))
    run = load_run(path)
    assert (run.header, run.records, run.unreadable) == (make_header(), RECORDS, 1)
    assert run.intact is False
    assert not run.is_complete


def test_a_torn_line_is_ended_by_mending_so_that_the_next_is_whole(tmp_path: Path) -> None:
    path = store_run(tmp_path, RECORDS[:1], finished=False)
    path.write_bytes(path.read_bytes() + TORN)
    writer = RunWriter(path)
    writer.mend()
    writer.append(RECORDS[1])
    writer.finish()
    run = load_run(path)
    assert (run.records, run.unreadable, run.is_complete) == (RECORDS[:2], 1, True)


def test_mending_a_whole_file_adds_nothing_that_is_counted(tmp_path: Path) -> None:
    path = store_run(tmp_path, RECORDS, finished=False)
    RunWriter(path).mend()
    run = load_run(path)
    assert (run.records, run.unreadable) == (RECORDS, 0)


def test_of_two_records_of_one_job_and_round_the_first_counts(tmp_path: Path) -> None:
    again = make_record("native", time_s=9.0)
    assert load_run(store_run(tmp_path, [*RECORDS, again])).records == RECORDS


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"0.001", b"0.002"), (b'"crashed"', b'"failed" '), (b"20250101", b"20250102")],
)
def test_a_change_after_the_end_is_noticed(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = store_run(tmp_path, RECORDS)
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    run = load_run(path)
    assert (run.intact, run.unreadable) == (False, 0)
    assert "was changed after it was written" in refusal(lambda: load_unchanged(path))


def test_what_is_whole_or_was_interrupted_may_be_compared(tmp_path: Path) -> None:
    path = store_run(tmp_path, RECORDS)
    assert load_unchanged(path).records == RECORDS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert load_unchanged(path).records == RECORDS


def test_a_removed_record_and_one_after_the_end_are_noticed(tmp_path: Path) -> None:
    path = store_run(tmp_path, RECORDS)
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in ([lines[0], *lines[2:]], [*lines, lines[1]]):
        path.write_bytes(b"".join(changed))
        assert load_run(path).intact is False


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no readable header"),
        (GARBAGE, "no readable header"),
        (encode_line(RECORDS[0]), "no readable header"),
        (b'{"kind":"header","schema":99,"shape":[]}\n', "has schema 99, this version reads up to"),
    ],
)
def test_a_file_without_a_header_it_can_read_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    message = refusal(lambda: load_run(path))
    assert reason in message
    assert repr(str(path)) in message


def test_a_newer_run_of_the_same_form_is_refused_all_the_same(tmp_path: Path) -> None:
    path = store_run(tmp_path, RECORDS)
    now, newer = (b'"schema":%d' % number for number in (SCHEMA, SCHEMA + 1))
    path.write_bytes(path.read_bytes().replace(now, newer, 1))
    assert "install a newer gconvbench" in refusal(lambda: load_run(path))


@pytest.mark.parametrize("schema", range(1, SCHEMA))
def test_a_run_of_an_earlier_schema_is_still_complete(schema: int) -> None:
    """Cut from a real run; what was not recorded then reads as not recorded."""
    run = load_run(DATA / f"schema-{schema}.jsonl")
    assert run.is_complete
    assert (run.header.schema, run.unreadable) == (schema, 0)
    planned = {
        Job(c.case, i) for c in run.header.plan.cases for i in run.header.plan.implementations
    }
    assert {record.job for record in run.records} == planned
    assert run.footer is not None
    assert run.footer.counts == Counter(record.outcome for record in run.records)


def test_a_proof_of_schema_1_has_none_of_what_schema_2_added() -> None:
    records = load_run(DATA / "schema-1.jsonl").records
    proofs = [record.accuracy for record in records if record.accuracy is not None]
    assert [len(proof.tensors) for proof in proofs] == [4, 4, 1]
    for proof in proofs:
        assert (proof.flow[:8], proof.faults) == ("isolated", ())
        assert (proof.repeatability, proof.deterministic, proof.probe) == ("", "", "")
        assert (proof.agreement, proof.layouts) == (None, {})
        for tensor in proof.tensors:
            assert tensor.group_error is not None
            assert tensor.group_error <= tensor.limit
            assert (tensor.precision, tensor.memory_format, tensor.digest) == ("", "", "")


def test_a_file_that_cannot_be_read_gives_one_clear_line(tmp_path: Path) -> None:
    missing = refusal(lambda: load_run(tmp_path / "no.jsonl"))
    assert missing.endswith("no.jsonl' cannot be read: No such file or directory")
    assert refusal(lambda: load_run(tmp_path)).endswith("cannot be read: Is a directory")


def test_of_two_runs_with_one_name_the_later_gets_a_suffix(tmp_path: Path) -> None:
    paths = [store_run(tmp_path, RECORDS[:i], finished=False) for i in range(3)]
    assert [path.stem for path in paths] == [
        "20250101T000000Z-abc", "20250101T000000Z-abc-2", "20250101T000000Z-abc-3",
    ]  # fmt: skip
    assert [load_run(path).header.run for path in paths] == [path.stem for path in paths]
    assert [len(load_run(path).records) for path in paths] == [0, 1, 2]


def test_of_two_commits_runs_in_one_second_the_later_made_is_the_latest(tmp_path: Path) -> None:
    for commit in ("fff", "000", "999"):
        header = msgspec.structs.replace(make_header(), run=f"20250101T000000Z-{commit}")
        RunWriter.create(tmp_path, header).finish()
    assert [path.stem for path in list_runs(tmp_path)] == [
        "20250101T000000Z-fff", "20250101T000000Z-000-2", "20250101T000000Z-999-3",
    ]  # fmt: skip


def test_a_line_is_whole_on_the_disk_when_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_run(tmp_path, [], finished=False)
    synced: list[bytes] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, bytes(data)[:7]))
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(path.read_bytes()))
    RunWriter(path).append(RECORDS[0])
    assert [content.splitlines(keepends=True)[1:] for content in synced] == [
        [encode_line(RECORDS[0]) + b"\n"]
    ]


def test_a_full_disk_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_run(tmp_path, [], finished=False)

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(NotMeasuredError, match=r"No space left on device; free it") as caught:
        RunWriter(path).append(RECORDS[0])
    assert caught.value.exit_code == ExitCode.NOT_MEASURED


def test_a_results_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(NotMeasuredError, match="name another folder with --results"):
        RunWriter.create(tmp_path, make_header())


def stored_names(results: Path, *names: str) -> None:
    headers: list[Header] = [make_header(run=name, machine=f"m{i}") for i, name in enumerate(names)]
    for header in headers:
        RunWriter.create(results, header)


NAMES = ("20250103T0-aa", "20250101T0-bb", "20250102T0-cc")


def test_runs_of_all_machines_are_listed_oldest_first(tmp_path: Path) -> None:
    stored_names(tmp_path, *NAMES)
    assert [path.stem for path in list_runs(tmp_path)] == sorted(NAMES)
    assert list_runs(tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("latest", NAMES[0]),
        ("latest~0", NAMES[0]),
        ("latest~2", NAMES[1]),
        ("20250102", NAMES[2]),
        (NAMES[1], NAMES[1]),
    ],
)
def test_a_run_is_found_by_its_age_or_the_start_of_its_name(
    tmp_path: Path, reference: str, found: str
) -> None:
    stored_names(tmp_path, *NAMES)
    assert find_run(tmp_path, reference).stem == found


def test_the_latest_may_be_one_that_is_no_side_of_a_gate(tmp_path: Path) -> None:
    store_run(tmp_path, [], run="20250101T0-aa")
    for side in ("baseline", "contender"):
        store_run(tmp_path, [], run=f"20250102T0-{side}", gate_side=side)
    assert find_run(tmp_path, "latest").stem.endswith("contender-2")
    assert find_run(tmp_path, "latest", with_gates=False).stem == "20250101T0-aa"
    refused = refusal(lambda: find_run(tmp_path, "latest~1", with_gates=False))
    assert refused == "run 'latest~1' does not exist; there are 1, up to latest~0"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "copied.jsonl"
    path.touch()
    assert find_run(tmp_path / "nowhere", str(path)) == path


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("latest~3", "'latest~3' does not exist; there are 3, up to latest~2"),
        ("latest~-1", "is not known"),
        ("latest~one", "is not known"),
        ("2025010", f"'2025010' could be any of {', '.join(sorted(NAMES))}"),
        ("20250103T0-ab", f"is not known; did you mean '{NAMES[0]}'?"),
    ],
)
def test_a_reference_to_no_single_run_is_refused(
    tmp_path: Path, reference: str, reason: str
) -> None:
    stored_names(tmp_path, *NAMES)
    assert reason in refusal(lambda: find_run(tmp_path, reference))


def test_where_nothing_is_stored_the_message_says_how_to_start(tmp_path: Path) -> None:
    assert "`gconvbench run` makes one" in refusal(lambda: find_run(tmp_path, "latest"))


def test_runs_of_one_second_are_ordered_by_their_number_and_an_exact_name_wins(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "runs" / "machine"
    folder.mkdir(parents=True)
    for stem in ("20250101T0-aa", "20250101T0-aa-10", "20250101T0-aa-2", "20240101T0-bb"):
        (folder / f"{stem}.jsonl").touch()
    stems = [path.stem for path in list_runs(tmp_path)]
    assert stems == ["20240101T0-bb", "20250101T0-aa", "20250101T0-aa-2", "20250101T0-aa-10"]
    assert find_run(tmp_path, "20250101T0-aa").stem == "20250101T0-aa"
    with pytest.raises(UsageError, match="is not known"):
        find_run(tmp_path, "x" * 5000)
