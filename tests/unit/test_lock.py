"""The lock of a device, within one process: flock(2) is by open file, so this suffices."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from gconvbench.errors import ExitCode, InstrumentError
from gconvbench.runner import lock
from gconvbench.runner.lock import device_lock, lock_name

if TYPE_CHECKING:
    from pathlib import Path

CARD = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
PART = "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2"


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the lock of the CPU will be."""
    monkeypatch.setenv("GCONVBENCH_LOCKS", str(tmp_path))
    return tmp_path / "gconvbench-cpu.lock"


@pytest.mark.parametrize(
    ("device", "visible", "name"),
    [
        ("cpu", None, "cpu"),
        ("cpu", "3,2", "cpu"),
        ("cuda", None, "cuda-0"),
        ("cuda", "", "cuda-0"),
        ("cuda:0", None, "cuda-0"),
        ("cuda:1", None, "cuda-1"),
        ("cuda", "3", "cuda-3"),
        ("cuda:0", "3,2", "cuda-3"),
        ("cuda:1", "3, 2", "cuda-2"),
        ("cuda:2", "3,2", "cuda-2"),
        ("cuda:1", "3,,2", "cuda-1"),
        ("cuda:1", f"0,{CARD}", f"cuda-{CARD}"),
        ("cuda", PART, "cuda-MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6_1_2"),
        ("cuda", "../../etc", "cuda-______etc"),
    ],
)
def test_a_card_s_lock_is_named_by_the_card(device: str, visible: str | None, name: str) -> None:
    assert lock_name(device, visible) == f"gconvbench-{name}.lock"


def test_a_device_is_held_once_and_names_its_holder() -> None:
    with device_lock("cpu"):
        with pytest.raises(InstrumentError, match=f"by another run .process {os.getpid()}."):
            device_lock("cpu").__enter__()
        with device_lock("cuda"), device_lock("cuda:1"):
            pass
    with device_lock("cpu"):
        pass


def test_a_card_is_held_under_all_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    with device_lock("cuda:1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        with pytest.raises(InstrumentError, match="device 'cuda' is in use"):
            device_lock("cuda").__enter__()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_every_user_may_use_the_file_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with device_lock("cpu"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_what_the_last_holder_left_is_replaced(path: Path) -> None:
    path.write_text("1234567890\n")
    with device_lock("cpu"):
        assert path.read_text() == f"{os.getpid()}\n"


def refusal() -> str:
    with pytest.raises(InstrumentError) as caught:
        device_lock("cpu").__enter__()
    assert caught.value.exit_code == ExitCode.UNCERTAIN
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith("or name another folder by GCONVBENCH_LOCKS")
    return message


@pytest.mark.parametrize("target", ["precious.txt", "missing.txt"])
def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path, target: str) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("42\n")
    path.symlink_to(tmp_path / target)
    assert f"lock '{path}' cannot be opened: Too many levels of symbolic links" in refusal()
    assert precious.read_text() == "42\n"
    assert not (tmp_path / "missing.txt").exists()


def test_a_second_name_of_another_file_is_not_touched(path: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("42\n")
    path.hardlink_to(precious)
    assert f"lock '{path}' is something else" in refusal()
    assert precious.read_text() == "42\n"


def test_a_file_that_is_no_lock_is_not_touched(path: Path) -> None:
    path.write_text("my thesis")
    assert f"lock '{path}' is something else" in refusal()
    assert path.read_text() == "my thesis"


def test_a_pipe_in_its_place_is_refused(path: Path) -> None:
    os.mkfifo(path)
    assert f"lock '{path}' is something else" in refusal()


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    assert f"lock '{path}' cannot be opened: Is a directory" in refusal()


def test_a_missing_folder_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCONVBENCH_LOCKS", str(path.parent / "nowhere"))
    assert "cannot be opened: No such file or directory" in refusal()


def test_a_card_of_an_absurd_name_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "x" * 300)
    with pytest.raises(InstrumentError, match="cannot be opened: File name too long"):
        device_lock("cuda").__enter__()


def test_the_folder_is_the_first_that_everybody_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the first that this user may: root would not meet the others there."""
    missing, private, common = tmp_path / "missing", tmp_path / "private", tmp_path / "common"
    private.mkdir(mode=0o755)
    common.mkdir()
    common.chmod(0o1777)
    monkeypatch.delenv("GCONVBENCH_LOCKS")
    monkeypatch.setenv("TMPDIR", str(private))
    monkeypatch.setattr(lock, "_FOLDERS", tuple(map(str, (missing, private, common, tmp_path))))
    with device_lock("cpu"):
        assert [found.name for found in common.iterdir()] == ["gconvbench-cpu.lock"]
