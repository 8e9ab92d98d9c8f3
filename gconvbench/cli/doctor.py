"""`gconvbench doctor`: is the instrument fit?"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gconvbench.cli.output import tolerate_closed_pipe
from gconvbench.cli.run import stoppable
from gconvbench.errors import ExitCode
from gconvbench.instruments import store_document
from gconvbench.planning import default_device, make_method, refuse_device
from gconvbench.records import DoctorDocument
from gconvbench.report.instrument import examination_lines
from gconvbench.runner import device_lock, examine_fully, name_at

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["examine"]


@stoppable
def examine(device: str | None, *, threads: int, results: Path, json: bool) -> ExitCode:
    """Make every check, store the document, print it; returns the exit code.

    Raises:
        UsageError: the device cannot be used.
        InstrumentError: another run holds the device.
        NotMeasuredError: a worker was lost, or the document cannot be stored.
    """
    name = device or default_device()
    refuse_device(name)
    method = make_method(name, threads=threads)
    took = "some seconds" if name == "cpu" else "about a minute"
    print(f"gconvbench: examining {name}, {took}", file=sys.stderr)
    with device_lock(name):
        ready, examination = examine_fully(name, method)
    now = datetime.now(UTC)
    document = DoctorDocument(
        name=name_at(now, ready.environment),
        created=now.isoformat(timespec="seconds"),
        device=name,
        machine=ready.machine,
        environment=ready.environment,
        examination=examination,
    )
    path = store_document(results, document)
    with tolerate_closed_pipe():
        if json:
            print(msgspec.json.encode(document).decode())
        else:
            print("\n".join([*examination_lines(document), f"stored in {path}"]))
    return ExitCode.UNCERTAIN if examination.verdict == "unfit" else ExitCode.FINE
