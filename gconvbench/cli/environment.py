"""`gconvbench environment`: the fingerprint that every run stores, and what two differ in."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from gconvbench.errors import ExitCode, UsageError
from gconvbench.planning import default_device, make_method
from gconvbench.records import comparability, differences, method_differences
from gconvbench.report.console import make_console
from gconvbench.report.environment import (
    comparability_text,
    print_differences,
    print_fingerprint,
)
from gconvbench.runner import WorkerProcess
from gconvbench.store import find_run, load_run

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.records import Environment, Method

__all__ = [
    "Side",
    "print_diff",
    "print_environment",
    "stored_side",
    "this_side",
    "this_side_as",
]

_EXIT_CODES = {
    "comparable": ExitCode.FINE,
    "not_comparable": ExitCode.NOT_COMPARABLE,
    "unknown": ExitCode.UNCERTAIN,
}


class Side(NamedTuple):
    """One of two things to compare: a stored run, or this machine as a run would find it."""

    name: str
    device: str
    machine: str
    environment: Environment
    method: Method


def this_side(device: str | None, *, threads: int) -> Side:
    """This machine now, and the method that `run` would use; asks a worker."""
    name = device or default_device()
    if "," in name:
        message = f"device {name!r}: one at a time, please"
        raise UsageError(message)
    return _asked(name, make_method(name, threads=threads))


def this_side_as(before: Side, device: str | None, *, threads: int | None) -> Side:
    """This machine now, by the method of a stored run where the device and its cores allow that.

    Args:
        before: the stored run.
        device: another one than its own.
        threads: likewise.
    """
    name = device or (before.device if before.device == "cpu" else default_device())
    if name.partition(":")[0] != before.device.partition(":")[0]:
        return this_side(name, threads=threads or before.method.threads)
    there = set(before.method.cores) <= os.sched_getaffinity(0)
    cores = before.method.cores if there else ()
    method = before.method if threads is None else replace(before.method, threads=threads)
    return _asked(name, replace(method, cores=cores))


def _asked(name: str, method: Method) -> Side:
    with WorkerProcess(name, method) as worker:
        ready = worker.ready
    return Side("this machine now", name, ready.machine, ready.environment, method)


def stored_side(reference: str, results: Path) -> Side:
    """A stored run; needs no torch."""
    header = load_run(find_run(results, reference)).header
    return Side(header.run, header.device, header.machine, header.environment, header.method)


def print_environment(side: Side, *, json: bool) -> int:
    """Print the fingerprint of machine and software; returns the exit code."""
    if json:
        _print_json({"machine": side.machine, **msgspec.to_builtins(side.environment)})
    else:
        print_fingerprint(side.machine, side.environment, make_console(sys.stdout))
    return ExitCode.FINE


def print_diff(before: Side, after: Side, *, json: bool) -> int:
    """Print why the two may not be compared; returns the exit code."""
    found = (
        *differences(before.environment, after.environment),
        *method_differences(before.method, after.method),
    )
    verdict = comparability(found)
    if json:
        _print_json({
            "before": {"run": before.name, "machine": before.machine},
            "after": {"run": after.name, "machine": after.machine},
            "comparability": verdict,
            "differences": [
                {"state": "unknown" if one.is_unknown else "different", **msgspec.to_builtins(one)}
                for one in found
            ],
        })  # fmt: skip
    else:
        console = make_console(sys.stdout)
        names = (f"{before.name} on {before.machine}", f"{after.name} on {after.machine}")
        print_differences(found, names, console)
        console.print(comparability_text(verdict, found), markup=False)
    return _EXIT_CODES[verdict]


def _print_json(document: dict[str, object]) -> None:
    print(msgspec.json.encode(document).decode())
