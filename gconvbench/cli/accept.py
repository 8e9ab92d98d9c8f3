"""`gconvbench accept`: an intended change goes into the reviewed file."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gconvbench.acceptance import ACCEPTED_FILE, accept, entry_text
from gconvbench.cli.values import share
from gconvbench.errors import ExitCode, UsageError
from gconvbench.gate_options import OUTPUT_FOLDER
from gconvbench.report.comparison import decode_comparison

if TYPE_CHECKING:
    from gconvbench.records import Comparison

__all__ = ["accept_changes", "expiry"]

_DAYS = re.compile(r"(\d{1,4})d")


def accept_changes(  # noqa: PLR0913 (one argument per option)
    comparison: Path | None,
    *,
    reason: str,
    expires: str,
    case: str | None,
    implementation: str | None,
    largest_change: str | None,
    file: Path | None,
) -> int:
    """Append the entries and print them; returns the exit code.

    Raises:
        UsageError: nothing to accept, or an option or a file that does not parse.
    """
    path = file or Path(ACCEPTED_FILE)
    entries = accept(
        _read(comparison or OUTPUT_FOLDER / "comparison.json"),
        path=path,
        reason=reason,
        expires=expiry(expires, datetime.now(UTC).date()),
        cases=case,
        implementations=implementation,
        largest_change=None if largest_change is None else _share(largest_change),
    )
    print("\n\n".join(map(entry_text, entries)))
    print(f"\nwritten to {path}; commit it with the change that it is about")
    return ExitCode.FINE


def expiry(text: str, today: date) -> date:
    """`2027-01-01`, or `90d` from today.

    Raises:
        UsageError: something else, or a day that is past.
    """
    try:
        days = _DAYS.fullmatch(text.strip())
        day = today + timedelta(int(days[1])) if days else date.fromisoformat(text.strip())
    except ValueError:
        message = f"expiry {text!r} is no date; write it like 2027-01-01 or 90d"
        raise UsageError(message) from None
    if day <= today:
        message = f"expiry ({day}) must be after today, {today}"
        raise UsageError(message)
    return day


def _share(text: str) -> float:
    value = share(text, "largest change")
    if not 0 < value < float("inf"):
        message = f"largest change {text!r} must be above 0, such as 12%"
        raise UsageError(message)
    return value


def _read(path: Path) -> Comparison:
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"comparison {str(path)!r} cannot be read: {error.strerror}; run a gate first"
        raise UsageError(message) from None
    return decode_comparison(data, str(path))
