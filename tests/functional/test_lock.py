"""Two runs on one device, in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.functional.conftest import Command

    Wait = Callable[[Callable[[], bool], subprocess.Popen[str]], None]

NATIVE = ("check", *SMALL, "--implementation", "native", "--device", "cpu")
HANGING = ("check", *SMALL, "--implementation", "hanging", "--device", "cpu", "--timeout", "600")


AS_ANOTHER_USER = """
import os, sys
from gconvbench.errors import InstrumentError
from gconvbench.runner import device_lock

os.umask(0o077)
os.setresuid(*[int(sys.argv[1])] * 3)
with device_lock("cpu"):
    print("held")
    try:
        device_lock("cpu").__enter__()
    except InstrumentError as error:
        print("in use" if str(os.getpid()) in str(error) else error)
"""


def test_a_second_run_is_refused_until_the_first_is_gone(
    gconvbench: Command, wait_for: Wait, tmp_path: Path
) -> None:
    """Batch systems set a TMPDIR per job; and nothing is cleaned up after a SIGKILL."""
    folders = [tmp_path / "job-1", tmp_path / "job-2"]
    for folder in folders:
        folder.mkdir()
    first = gconvbench.start(*HANGING, TMPDIR=str(folders[0]))
    wait_for(lambda: bool(gconvbench.stored()), first)
    refused = gconvbench(*NATIVE, TMPDIR=str(folders[1]))
    assert refused.code == 3
    assert refused.err == (
        f"gconvbench: device 'cpu' is in use by another run (process {first.pid}); wait for it\n"
    )
    assert len(gconvbench.stored()) == 1
    first.kill()
    first.communicate()
    assert gconvbench(*NATIVE, TMPDIR=str(folders[1])).code == 0


def test_a_run_that_is_resumed_is_locked_too(gconvbench: Command, wait_for: Wait) -> None:
    first = gconvbench.start(*HANGING)
    wait_for(lambda: bool(gconvbench.stored()), first)
    before = gconvbench.stored()[0].read_bytes()
    outcome = gconvbench("run", "--resume", "latest")
    assert outcome.code == 3
    assert f"(process {first.pid})" in outcome.err
    assert gconvbench.stored()[0].read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_users_share_a_lock(gconvbench: Command, tmp_path: Path) -> None:
    """Whoever is first: the file's mode is right and its folder need not be theirs."""
    locks = tmp_path / "locks"
    locks.mkdir()
    locks.chmod(0o1777)
    for user in (4242, 4243, 0, 4242):
        done = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER_USER, str(user)],
            cwd=locks,  # the way to it may be closed to others
            env=gconvbench.environment | {"GCONVBENCH_LOCKS": "."},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == ["held", "in", "use"]


def test_a_link_in_the_lock_s_place_is_one_line(gconvbench: Command, tmp_path: Path) -> None:
    (tmp_path / "gconvbench-cpu.lock").symlink_to("/dev/null")
    outcome = gconvbench(*NATIVE)
    assert outcome.code == 3
    assert "cannot be opened: Too many levels of symbolic links" in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
