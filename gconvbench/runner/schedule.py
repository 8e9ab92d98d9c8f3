"""Which jobs a round has: all that are open, or with a budget those whose times are least known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import msgspec

from gconvbench.records import MEASURED_OUTCOMES, Record
from gconvbench.runner.order import by_modes, jobs_of, round_order
from gconvbench.stats import estimate_over_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gconvbench.records import Header, Job, Method, Plan

__all__ = [
    "FEWEST_ROUNDS",
    "FixedRounds",
    "Schedule",
    "WithinBudget",
    "open_jobs",
    "schedule_of",
    "spent_s",
    "with_sampling_cap",
]

FEWEST_ROUNDS = 3
"""With a budget no interval is believed before so many rounds: for two Student's t is 12.7."""


class Schedule(Protocol):
    """Says what to do next; hears of everything that was done."""

    def round(self, number: int) -> list[Job]:
        """The jobs of this round in their order; empty where there is nothing to do in it."""

    def add(self, record: Record) -> None:
        """Take note of a record."""

    def is_spent(self) -> bool:
        """Whether to start no more jobs."""

    def rest(self) -> list[Record]:
        """Records of the jobs that never had a turn."""


def schedule_of(header: Header, records: Sequence[Record]) -> Schedule:
    """What the run's method asks for."""
    if header.method.budget_s is None:
        return FixedRounds(header, records)
    return WithinBudget(header, records)


class FixedRounds:
    """Every job in every round; one that did not end as a measurement only once."""

    def __init__(self, header: Header, records: Iterable[Record]) -> None:
        self._plan = header.plan
        self._seed = header.method.seed
        self._open = open_jobs(header.plan, records)
        self._settled: set[Job] = set()

    def round(self, number: int) -> list[Job]:
        """All open jobs, shuffled."""
        order = round_order(self._plan, seed=self._seed, number=number)
        return [job for job in order if (job, number) in self._open and job not in self._settled]

    def add(self, record: Record) -> None:
        """Settle a job that cannot be measured."""
        if record.outcome not in MEASURED_OUTCOMES:
            self._settled.add(record.job)

    def is_spent(self) -> bool:
        """Never: the plan is carried out."""
        return False

    def rest(self) -> list[Record]:
        """None."""
        return []


def open_jobs(plan: Plan, done: Iterable[Record]) -> set[tuple[Job, int]]:
    """The jobs and rounds of a plan that `done` leaves open: resuming is a property of the data."""
    records = list(done)
    finished = {(record.job, record.round) for record in records}
    settled = {record.job for record in records if record.outcome not in MEASURED_OUTCOMES}
    return {
        (job, number)
        for job in jobs_of(plan)
        if job not in settled
        for number in range(1, plan.rounds + 1)
        if (job, number) not in finished
    }


class WithinBudget:
    """Rounds while they are worth it: the cases with the widest intervals first.

    The first rounds have all cases. After that a case is measured again as long as the interval of
    one of its jobs is wider than the target; where time is short, those come first that are
    widest against it. Whole cases, because implementations are compared within a round.

    Args:
        header: of the run; its method has budget and target.
        records: what is stored of it already; its time counts as spent.
        now: seconds on a monotonic clock.
    """

    def __init__(
        self, header: Header, records: Sequence[Record], now: Callable[[], float] = time.monotonic
    ) -> None:
        assert header.method.budget_s is not None  # noqa: S101 (it is why this is used)
        self._plan = header.plan
        self._method = header.method
        self._start_s = header.start_s or 0.0
        self._now = now
        self._done: set[tuple[Job, int]] = set()
        self._settled: set[Job] = set()
        self._jobs: dict[str, list[Job]] = {}
        for job in jobs_of(header.plan):
            self._jobs.setdefault(job.case, []).append(job)
        self._medians_s: dict[tuple[Job, str], list[float]] = {}
        self._walls_s: dict[Job, float] = {}
        for record in records:
            self.add(record)
        self._end = now() + header.method.budget_s - spent_s(header, records)

    def round(self, number: int) -> list[Job]:
        """The jobs of the cases that are worth it and fit into what is left.

        A case that an interruption left in the middle of this round is finished, worth it or not.
        """
        groups = by_modes(self._plan, self._open_jobs())
        starts = len(groups) - (number == 1 and () in groups)
        left_s = self._end - self._now() - starts * self._start_s
        chosen = {job.case for job, done in self._done if done == number}
        wide = [case for case in self._wide_cases(number) if case not in chosen]
        for case in sorted(wide, key=self._width, reverse=True):
            wall_s = self._wall_s(case)
            if wall_s <= left_s:
                chosen.add(case)
                left_s -= wall_s
        order = round_order(self._plan, seed=self._method.seed, number=number)
        return [
            job
            for job in order
            if job.case in chosen and job not in self._settled and (job, number) not in self._done
        ]

    def add(self, record: Record) -> None:
        """Take note of time, outcome and duration."""
        self._done.add((record.job, record.round))
        if record.outcome not in MEASURED_OUTCOMES:
            self._settled.add(record.job)
        for timing in record.timings:
            medians_s = self._medians_s.setdefault((record.job, timing.cache_mode), [])
            medians_s.append(timing.median_s)
        if record.telemetry:
            self._walls_s[record.job] = record.telemetry.wall_s

    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self._now() >= self._end

    def rest(self) -> list[Record]:
        """One record for each job that never had a turn."""
        had_a_turn = {job for job, _ in self._done}
        reason = f"the budget of {self._method.budget_s:g} s was spent before its turn"
        return [
            Record(job=job, round=1, outcome="not_reached", detail=reason)
            for job in jobs_of(self._plan)
            if job not in had_a_turn
        ]

    def _open_jobs(self) -> list[Job]:
        return [job for jobs in self._jobs.values() for job in jobs if job not in self._settled]

    def _wide_cases(self, number: int) -> list[str]:
        cases = [planned.case for planned in self._plan.cases]
        if number <= FEWEST_ROUNDS:
            return cases
        return [case for case in cases if self._width(case) > 1.0]

    def _width(self, case: str) -> float:
        """The widest interval among the case's jobs, in units of the target."""
        widths = [
            estimate_over_rounds(self._medians_s[job, mode]).half_width
            for job in self._jobs[case]
            for mode in self._method.cache_modes
            if (job, mode) in self._medians_s and job not in self._settled
        ]
        return max((width for width in widths if width is not None), default=0.0) / (
            self._method.target
        )

    def _wall_s(self, case: str) -> float:
        """What the case took last; nothing before its first round."""
        open_ones = [job for job in self._jobs[case] if job not in self._settled]
        return sum(self._walls_s.get(job, 0.0) for job in open_ones)


def spent_s(header: Header, records: Sequence[Record]) -> float:
    """What a run has taken of its budget, in seconds: the first start, and the waiting for jobs.

    The first job of a later round bears the start of its worker.
    """
    waited_s = sum(record.waited_s for record in records if record.waited_s is not None)
    return waited_s + (header.start_s or 0.0)


def with_sampling_cap(method: Method, *, jobs: int) -> Method:
    """The method of a run within a budget: no job may take samples for longer than its share.

    Half of the budget is for samples, so that the fewest rounds that give an interval are within
    it; the rest is for starts, proofs and more rounds. Rounds narrow an interval more than samples
    do: the spread between processes is several times that within one.

    Args:
        method: with a budget.
        jobs: how many are to be measured.
    """
    assert method.budget_s is not None  # noqa: S101
    samplings = FEWEST_ROUNDS * max(1, jobs) * len(method.cache_modes)
    cap_s = min(method.max_time_s, max(method.min_time_s, method.budget_s / 2 / samplings))
    return msgspec.structs.replace(method, max_time_s=round(cap_s, 4))
