"""What all tests share: locks of their own, and the count of planted faults."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


if "PYTEST_XDIST_WORKER" in os.environ:  # torch's threads of all workers would share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")


class Planting(NamedTuple):
    """One fault in one implementation, in one operation and direction."""

    family: str
    fault: str
    case: str


Plantings = dict[Planting, bool]
"""Whether each of the faults that a test planted was caught."""

_PLANTINGS = "plantings"
"""The property of a test's report that has them, whichever process ran it."""


_TESTS = Path(__file__).parent
_PERFORMANCE = _TESTS / "performance"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --benchmark-only alone nothing is looked at but what is timed."""
    if any(Path(str(word).partition("::")[0]).exists() for word in config.invocation_params.args):
        return None
    is_timed = collection_path.is_relative_to(_PERFORMANCE) or collection_path == _TESTS
    return True if config.getoption("benchmark_only", default=False) and not is_timed else None


@pytest.fixture(autouse=True, scope="session")
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither wait for a run on this machine nor disturb it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GCONVBENCH_LOCKS", str(tmp_path_factory.mktemp("locks")))
        yield


@pytest.fixture
def plantings(record_property: Callable[[str, object], None]) -> Iterator[Plantings]:
    """Where a test notes what it plants, as not caught until it is."""
    noted: Plantings = {}
    yield noted
    record_property(_PLANTINGS, [(*planting, is_caught) for planting, is_caught in noted.items()])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line, and one more for each fault that slipped through."""
    plantings: Plantings = {}
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        for noted in dict(getattr(report, "user_properties", ())).get(_PLANTINGS, ()):
            plantings[Planting(*noted[:-1])] = noted[-1]
    if plantings:
        families = len({planting.family for planting in plantings})
        terminalreporter.write_line(
            f"planted faults: {len(plantings)} planted, {sum(plantings.values())} caught, "
            f"in {families} families"
        )
        for planting, is_caught in plantings.items():
            if not is_caught:
                terminalreporter.write_line(f"not caught: {' '.join(planting)}", red=True)
