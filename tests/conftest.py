"""What all tests share: the count of planted faults, reported at the end of a session."""

from __future__ import annotations

from typing import NamedTuple

import pytest


class Planting(NamedTuple):
    """One fault in one implementation, in one operation and direction."""

    family: str
    fault: str
    case: str


Plantings = dict[Planting, bool]
"""Whether each of the faults that were planted in this session was caught."""

_PLANTINGS = pytest.StashKey[Plantings]()


@pytest.fixture
def plantings(pytestconfig: pytest.Config) -> Plantings:
    """Where a test notes what it plants, as not caught until it is."""
    return pytestconfig.stash.setdefault(_PLANTINGS, {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line, and one more for each fault that slipped through."""
    if plantings := config.stash.get(_PLANTINGS, {}):
        families = len({planting.family for planting in plantings})
        terminalreporter.write_line(
            f"planted faults: {len(plantings)} planted, {sum(plantings.values())} caught, "
            f"in {families} families"
        )
        for planting, is_caught in plantings.items():
            if not is_caught:
                terminalreporter.write_line(f"not caught: {' '.join(planting)}", red=True)
