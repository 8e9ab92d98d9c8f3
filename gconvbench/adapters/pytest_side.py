"""One side of a gate inside pytest: the tests of a checkout, measured in fresh processes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gconvbench.adapters.notes import Taken, ask, read_notes
from gconvbench.adapters.pytest_process import failed_to_start, run_pytest
from gconvbench.comparing import Offer
from gconvbench.errors import NotMeasuredError
from gconvbench.records import Job
from gconvbench.runner.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PYTEST", "PytestSide"]

_NOT_REACHED = "skipped, or it failed before it was measured"
PYTEST = "pytest"
"""What stands for the implementation of a test, so that its name reads as the command to run it."""


class PytestSide:
    """The tests of one checkout: each measuring is a fresh pytest.

    Args:
        code: the folder in the checkout to run in.
        words: the command line that selects tests, relative to it.
    """

    def __init__(self, code: Path, words: Sequence[str]) -> None:
        self.slots = 0
        self._code = code
        self._words = words
        self._first: Slot | None = None
        self.taken = Taken()

    def offer(self) -> Offer:
        """All tests that ask for the fixture, by one first process, which counts as such.

        Raises:
            NotMeasuredError: pytest could not collect them.
        """
        start = time.monotonic()
        self.taken = self._run(None)
        self._first = slot_of(self.taken, time.monotonic() - start)
        reasons: dict[Job, str | None] = {
            job_of(test): _NOT_REACHED for test in self.taken.collected
        }
        for job, record in self._first.records.items():
            reasons[job] = record.detail if record.outcome == "unsupported" else None
        return Offer(reasons, {})

    def measure(
        self,
        jobs: Sequence[Job],
        *,
        anchor_samples: int = 0,  # noqa: ARG002 (each process has them where there are any)
        is_over: Callable[[], bool] = bool,  # noqa: ARG002 (there is no budget)
    ) -> Slot:
        """Measure the tests that these jobs stand for, in a fresh process."""
        self.slots += 1
        if self._first is not None:
            slot, self._first = self._first, None
            return slot
        start = time.monotonic()
        return slot_of(self._run([job.case for job in jobs]), time.monotonic() - start)

    def _run(self, tests: list[str] | None) -> Taken:
        """What a process notes; where it died of a test, another one does the rest."""
        taken = Taken()
        while True:
            with tempfile.TemporaryDirectory(prefix="gconvbench-") as folder:
                notes = Path(folder) / "notes"
                ask(notes, tests)
                ended = run_pytest(self._code, [*self._words, "--gconvbench-notes", str(notes)])
                taken.add(read_notes(notes))
            if not taken.collected and failed_to_start(ended):
                message = f"pytest collected nothing in {self._code.name}: {ended.last_words}"
                raise NotMeasuredError(message)
            if not taken.unfinished:
                return taken
            taken.give_up("timed_out" if ended.code is None else "crashed", ended.last_words)
            wanted = taken.collected if tests is None else tests
            tests = [test for test in wanted if test not in taken.records]
            if not tests:
                return taken


def job_of(test: str) -> Job:
    return Job(test, PYTEST)


def slot_of(taken: Taken, wall_s: float) -> Slot:
    records = {
        job_of(test): msgspec.structs.replace(record, job=job_of(test))
        for test, record in taken.records.items()
    }
    return Slot(records, taken.anchors, wall_s)
