"""One side of a gate inside pytest: the tests of a checkout, measured in fresh processes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.adapters.notes import PYTEST, Taken, ask, read_notes
from gconvbench.adapters.pytest_process import died, failed_to_start, run_pytest
from gconvbench.comparing import Offer
from gconvbench.errors import NotMeasuredError
from gconvbench.records import Job
from gconvbench.runner.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gconvbench.runner.commands import Ended

__all__ = ["PytestSide", "Selection"]

_NOT_REACHED = "skipped, or it failed before it was measured"


class PytestSide:
    """The tests of one checkout: each measuring is a fresh pytest.

    Args:
        code: the checkout's top.
        selection: what is run of it.
    """

    def __init__(self, code: Path, selection: Selection) -> None:
        self.slots = 0
        self._code = code
        self._inside = selection.inside
        self._words = selection.words_in(code)
        self._first: Slot | None = None
        self.taken = Taken()

    def offer(self) -> Offer:
        """All tests that ask for the fixture, by one first process, which counts as such.

        Raises:
            NotMeasuredError: pytest could not collect them.
        """
        if self._words is None:
            return Offer({}, {})
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

    def _run(self, tests: Sequence[str] | None) -> Taken:
        """What a process notes; where it died, another one does the rest.

        Of tests that died without a word of which one was at it, all are given up where another
        process gets no further.
        """
        taken = Taken()
        while True:
            before = len(taken.records)
            ended = self._note(tests, taken)
            if not taken.unfinished and not died(ended):
                return taken
            wanted = taken.collected if tests is None else tests
            tests = [test for test in wanted if test not in taken.records]
            lost = [taken.unfinished] if taken.unfinished else []
            if not lost and len(taken.records) == before:
                lost = list(tests)
            for test in lost:
                taken.give_up(test, "timed_out" if ended.code is None else "crashed", ended)
            tests = [test for test in tests if test not in taken.records]
            if not tests:
                return taken

    def _note(self, tests: Sequence[str] | None, taken: Taken) -> Ended:
        """One process, and what it notes."""
        with tempfile.TemporaryDirectory(prefix="gconvbench-") as folder:
            notes = Path(folder) / "notes"
            ask(notes, tests)
            words = [*(self._words or ()), "--gconvbench-notes", str(notes)]
            ended = run_pytest(self._code, self._inside, words)
            taken.add(read_notes(notes))
        if not taken.collected and failed_to_start(ended):
            message = f"pytest collected nothing in {self._code.name}: {ended.last_words}"
            raise NotMeasuredError(message)
        return ended


class Selection(NamedTuple):
    """Which tests are run, on either side.

    Attributes:
        inside: the folder to run in, below a checkout's top.
        paths: below the top, with what stands behind `::`.
        options: others that select tests.
        ignored: paths below the top.
    """

    inside: Path
    paths: tuple[tuple[Path, str], ...]
    options: tuple[str, ...] = ()
    ignored: tuple[Path, ...] = ()

    def words_in(self, code: Path) -> list[str] | None:
        """The command line in a checkout; None where it has none of the paths."""
        found = [f"{code / path}{rest}" for path, rest in self.paths if (code / path).exists()]
        ignored = [f"--ignore={code / path}" for path in self.ignored]
        return [*found, *ignored, *self.options] if found else None


def job_of(test: str) -> Job:
    """A test as a job, whose case is the test's id."""
    return Job(test, PYTEST)


def slot_of(taken: Taken, wall_s: float) -> Slot:
    """What was noted, as a gate has it."""
    records = {
        job_of(test): msgspec.structs.replace(record, job=job_of(test))
        for test, record in taken.records.items()
    }
    return Slot(records, taken.anchors, wall_s)
