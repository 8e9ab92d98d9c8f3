"""What all tests share: locks of their own, and the count of planted faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Planting(NamedTuple):
    """One fault in one implementation, in one operation and direction."""

    family: str
    fault: str
    case: str


Plantings = dict[Planting, bool]
"""Whether each of the faults that were planted in this session was caught."""

_PLANTINGS = pytest.StashKey[Plantings]()


@pytest.fixture(autouse=True, scope="session")
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither wait for a run on this machine nor disturb it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GCONVBENCH_LOCKS", str(tmp_path_factory.mktemp("locks")))
        yield


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
