"""The start of an engine: the device, the environment, and which implementations there are."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gconvbench.device import (
    reset_settings,
    set_switches,
    why_switches_lack,
    why_unavailable,
)
from gconvbench.engine import Engine
from gconvbench.environment import machine_slug, read_environment
from gconvbench.implementations import load_table
from gconvbench.protocol import Description, Ready, Refused
from gconvbench.questions import answer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gconvbench.implementations import Implementation, Table
    from gconvbench.protocol import SetUp

__all__ = ["descriptions", "start_engine"]

_INSTALLED = {"site-packages", "dist-packages"}
"""What lies below is an environment's, even in a checkout."""


def start_engine(
    request: SetUp,
    *,
    announce: Callable[[str], object],
    passes: tuple[type[BaseException], ...] = (),
) -> tuple[Engine | None, Ready | Refused]:
    """An engine in this process, and the reply to the request; none where it is refused.

    Args:
        request: which device, and how to measure.
        announce: is told what is about to be loaded, for the case that it ends the process.
        passes: as of `Engine`.
    """
    reset_settings(request.method.threads)
    if reason := why_switches_lack(request.switches) or why_unavailable(request.device):
        return None, Refused(reason)
    set_switches(request.switches)
    if request.device != "cpu":
        torch.cuda.set_device(torch.device(request.device).index or 0)
    environment = read_environment(request.device, threads=request.method.threads)
    if request.method.cores:  # after the machine was read, which has all of its cores
        os.sched_setaffinity(0, request.method.cores)
    table = load_table(announce=announce)
    announce("all implementations were loaded")
    engine = Engine(request.device, request.method, table, switches=request.switches, passes=passes)
    described = descriptions(table, request.code)
    return engine, Ready(environment, machine_slug(environment), described)


def descriptions(table: Table, code: str) -> tuple[Description, ...]:
    """Every implementation, those that cannot be used at the end; `code` is what is under test."""
    usable = [
        Description(
            name,
            found.idea,
            found.operations,
            table.sources[name],
            on_request=found.on_request,
            modes=dict(answer_of(found, "modes", {})),
            is_under_test=_lies_in(code, found),
            module=type(found).__module__,
        )
        for name, found in table.implementations.items()
    ]
    broken = [
        Description(name, "", (), table.sources[name], problem)
        for name, problem in table.problems.items()
    ]
    return tuple(usable + broken)


def _lies_in(code: str, implementation: Implementation) -> bool:
    """Whether the module of its class is the checkout's own, not of an environment in it."""
    module = sys.modules.get(type(implementation).__module__)
    file = getattr(module, "__file__", None)
    if not code or not file:
        return False
    top = Path(code).resolve()
    paths = [Path(str(file)).absolute(), Path(str(file)).resolve()]  # a link may lead out of it
    inside = [path.relative_to(top) for path in paths if path.is_relative_to(top)]
    return bool(inside) and not any(_INSTALLED & set(path.parts) for path in inside)
