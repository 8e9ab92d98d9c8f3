"""Implementations that do things to their process, or to others."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations import Implementation

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case

if imports := os.environ.get("GCONVBENCH_TEST_IMPORTS"):
    with Path(imports).open("a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")


class _Own(Implementation):
    """What one does before it computes."""

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        self.misbehave()
        return F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)

    def misbehave(self) -> None:
        raise NotImplementedError


class Aborting(_Own):
    name = "aborting"
    idea = "fails an assertion of C++"

    def misbehave(self) -> None:
        os.abort()


class Killed(_Own):
    name = "killed"
    idea = "is killed as the system does for want of memory"

    def misbehave(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Signalled(_Own):
    name = "signalled"
    idea = "dies of a signal that has no name"

    def misbehave(self) -> None:
        os.kill(os.getpid(), signal.SIGRTMIN + 1)


class Closing(_Own):
    name = "closing"
    idea = "closes every open file"

    def misbehave(self) -> None:
        os.closerange(0, 256)


class Answering(_Own):
    name = "answering"
    idea = "speaks to the runner itself"

    def misbehave(self) -> None:
        for descriptor in range(3, 40):
            with contextlib.suppress(OSError):
                os.write(descriptor, b'{"type":"Refused","reason":"not today"}\n')


class Forking(_Own):
    name = "forking"
    idea = "makes a copy of the process, and both go on"
    is_done = False

    def misbehave(self) -> None:
        if not Forking.is_done:
            Forking.is_done = True
            os.fork()


def leave_a_child() -> None:
    """One that heeds no SIGTERM and keeps all pipes open: a fork that Python does not notice."""
    if ctypes.PyDLL(None).fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)


class Breeding(_Own):
    name = "breeding"
    idea = "leaves a child behind and never returns"

    def misbehave(self) -> None:
        leave_a_child()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)


class Orphaning(_Own):
    name = "orphaning"
    idea = "leaves a child behind and ends the process"

    def misbehave(self) -> None:
        leave_a_child()
        os._exit(4)


class Pausing(_Own):
    name = "pausing"
    idea = "waits while a file `pause` is there and as many records as it says are stored"

    def misbehave(self) -> None:
        while is_paused():
            time.sleep(0.01)


def is_paused() -> bool:
    try:
        wanted = int(Path("pause").read_text("ascii"))
    except FileNotFoundError:
        return False
    (stored,) = Path("results").glob("runs/*/*.jsonl")
    return stored.read_bytes().count(b'{"kind":"record",') >= wanted
