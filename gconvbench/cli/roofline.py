"""`gconvbench roofline`: what a device can do at most, measured, stored and shown."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gconvbench.cli.output import tolerate_closed_pipe
from gconvbench.cli.run import stoppable
from gconvbench.errors import ExitCode, UsageError
from gconvbench.instruments import store_document
from gconvbench.planning import default_device, make_method, refuse_device
from gconvbench.records import RooflineDocument
from gconvbench.report.ceilings import print_ceilings
from gconvbench.report.console import make_console
from gconvbench.runner import WorkerProcess, device_lock, examination_of, name_at

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["start"]

_BUDGET_S = {"cpu": 20.0, "cuda": 10.0}


@stoppable
def start(
    device: str | None, *, threads: int, budget_s: float | None, results: Path, json: bool
) -> ExitCode:
    """Measure, store and print the ceilings of one device; returns the exit code."""
    name = device or default_device()
    if "," in name:
        message = f"device {name!r}: one at a time, please"
        raise UsageError(message)
    refuse_device(name)
    seconds = budget_s or _BUDGET_S[name.partition(":")[0]]
    print(f"gconvbench: measuring for about {seconds:g} s", file=sys.stderr)
    with device_lock(name), WorkerProcess(name, make_method(name, threads=threads)) as worker:
        examination = examination_of("quick", worker.examine("quick"))
        ceilings = worker.measure_ceilings(budget_s=seconds)
        ready = worker.ready
    document = RooflineDocument(
        name=name_at(datetime.now(UTC), ready.environment),
        created=ceilings.created,
        device=name,
        machine=ready.machine,
        environment=ready.environment,
        ceilings=ceilings,
        examination=examination,
        budget_s=seconds,
    )
    path = store_document(results, document)
    with tolerate_closed_pipe():
        if json:
            print(msgspec.json.encode(document).decode())
        else:
            print_ceilings(document, make_console(sys.stdout))
            print(f"stored in {path}")
    return ExitCode.FINE
