"""`gconvbench environment`: the fingerprint that every run stores."""

from __future__ import annotations

import sys

import msgspec
from rich.markup import escape

from gconvbench.cli.method import default_device, make_method
from gconvbench.errors import UsageError
from gconvbench.report.console import aligned, make_console
from gconvbench.runner import WorkerProcess

__all__ = ["print_environment"]

_MEANINGS = {
    "identity": "where these differ, times may not be compared",
    "under_test": "what a comparison may be about",
    "soft": "worth a warning",
}


def print_environment(device: str | None, *, threads: int, json: bool) -> int:
    """Print the fingerprint of machine and software; returns the exit code."""
    name = device or default_device()
    if "," in name:
        message = f"device {name!r}: one at a time, please"
        raise UsageError(message)
    method = make_method(name, threads=threads)
    with WorkerProcess(name, method) as worker:
        ready = worker.ready
    if json:
        document = {"machine": ready.machine, **msgspec.to_builtins(ready.environment)}
        print(msgspec.json.encode(document).decode())
        return 0
    console = make_console(sys.stdout)
    console.print(f"[bold]{escape(ready.machine)}[/bold]")
    facts = msgspec.to_builtins(ready.environment)
    for kind, meaning in _MEANINGS.items():
        console.print(f"\n[bold]{kind}[/bold]: {meaning}")
        rows = [
            (field, _shown(value, ready.environment.unknown.get(field)))
            for field, value in facts[kind].items()
        ]
        for line in aligned(rows):
            console.print(f"  {line}", markup=False, soft_wrap=True)
    return 0


def _shown(value: object, reason: str | None) -> str:
    if reason:
        return f"unknown: {reason}"
    return "none" if value is None else str(value)
