"""What the gate's rule is worth on simulated machines: false alarms, power, extra measuring.

    python docs/numbers/gate.py [--runs 10000] [--only shared] [--jobs 2]

Each line is a kind of machine and of change; seeds are fixed. A run alarms when it calls a case, or
the suite, slower although nothing that it calls so is. The upper bound is Clopper and Pearson's,
one-sided, 95 %. Power is the share of the cases that were slowed, a tenth of all, that are found.
Then the same by recorded processes of real convolutions (`recorded.py`), and what the arithmetic
takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from common import machine_line, print_table
from noise import NOISES, SimulatedMachine
from recorded import RecordedMachine

from gconvbench.gate import judge_sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.gate import Rule
    from gconvbench.gate.processes import Floats, Indices, SideName

__all__ = [
    "SCENARIOS",
    "Outcome",
    "Scenario",
    "arithmetic_s",
    "changes",
    "judged",
    "simulate",
    "simulated",
]

_ANCHORS = 8
_RECORDED = "recorded"

_CASES = 300


class Scenario(NamedTuple):
    """A kind of machine and of change.

    Attributes:
        noise: a column of the noise table.
        pairs: processes per side in the first look.
        cases: how many.
        slower: log of the slowdown of the slowed cases.
        share: of the cases that are slowed.
        faster: share of the cases that are 5 % faster.
        correlation: share of the process's sd that a block of cases has in common.
        period: every so manyth process is disturbed.
        share_of_runs: so many of the runs asked for are enough.
    """

    noise: str
    pairs: int
    cases: int = _CASES
    slower: float = 0.0
    share: float = 0.1
    faster: float = 0.0
    correlation: float = 0.0
    period: int | None = None
    share_of_runs: float = 1.0

    @property
    def title(self) -> str:
        """What is special about it."""
        words = [f"{self.noise} P={self.pairs}"]
        is_usual = self.cases == _CASES or self.noise == _RECORDED
        words += [] if is_usual else [f"{self.cases} cases"]
        if self.slower:
            whole = "all" if self.share == 1 else f"{self.share:.0%}"
            words.append(f"{whole} {np.expm1(self.slower):+.0%}")
        words += [f"{self.faster:.0%} faster"] if self.faster else []
        words += ["correlated"] if self.correlation else []
        words += [f"every {self.period}th slow"] if self.period else []
        return ", ".join(words)


def _scenarios() -> tuple[Scenario, ...]:
    quiet_ones = [Scenario(noise, pairs) for noise in NOISES for pairs in (3, 5)]
    odd = [
        Scenario("typical", pairs, **options)
        for pairs in (3, 5)
        for options in (
            {"correlation": 0.8},
            {"faster": 0.3},
            {"period": 4},
            {"cases": 1},
            {"cases": 5},
            {"cases": 20},
        )
    ]
    powers = [
        Scenario(noise, pairs, slower=float(np.log1p(slower)), share_of_runs=0.02)
        for noise in NOISES
        for pairs in (3, 5)
        for slower in (0.02, 0.05, 0.1, 0.2)
    ]
    recorded = [
        Scenario("recorded", pairs, cases=27, slower=float(np.log1p(slower)), share_of_runs=share)
        for pairs in (3, 5)
        for slower, share in ((0.0, 1.0), (0.05, 0.1), (0.1, 0.1))
    ]
    small = [
        Scenario("typical", 5, cases=cases, slower=float(np.log1p(0.1)), share=1, share_of_runs=0.1)
        for cases in (1, 5)
    ]
    suite = [
        Scenario("typical", 5, slower=float(np.log1p(0.05)), share=1, share_of_runs=0.02),
    ]
    return (*quiet_ones, *odd, *powers, *small, *suite, *recorded)


SCENARIOS = _scenarios()


class Outcome(NamedTuple):
    """One simulated run.

    Attributes:
        alarm: something is called slower that is not.
        uncertain: the run ends with exit code 3: a case is open, or too few processes.
        found: share of the slowed cases that are called slower; NaN without any.
        suite: whether the whole suite is called slower.
        extra: case measurements after the first look, as a share of those in it.
    """

    alarm: bool
    uncertain: bool
    found: float
    suite: bool
    extra: float


def changes(scenario: Scenario, rng: np.random.Generator) -> Floats:
    """What side B does to each case, log change, shape (cases,); which cases is drawn."""
    effect = np.zeros(scenario.cases)
    order = rng.permutation(scenario.cases)
    slowed = order[: max(1, round(scenario.share * scenario.cases)) if scenario.slower else 0]
    effect[slowed] = scenario.slower
    faster = order[::-1][: round(scenario.faster * scenario.cases)]
    effect[faster] = -np.log1p(0.05)
    return effect


def simulated(scenario: Scenario, rng: np.random.Generator, effect: Floats) -> SimulatedMachine:
    """The scenario's machine with these changes, anchors behind its cases."""
    return SimulatedMachine(
        NOISES[scenario.noise],
        scenario.cases,
        rng,
        effect=effect,
        correlation=scenario.correlation,
        period=scenario.period,
        n_anchors=_ANCHORS,
    )


def simulate(scenario: Scenario, seed: int, rule: Rule | None = None) -> Outcome:
    """One gate on one simulated machine, by the rule as it is or another one."""
    rng = np.random.default_rng([seed, SCENARIOS.index(scenario) if scenario in SCENARIOS else 0])
    return judged(scenario, rng, seed, rule)


def judged(
    scenario: Scenario, rng: np.random.Generator, seed: int, rule: Rule | None = None
) -> Outcome:
    """One gate; `rng` is what the machine is drawn by, `seed` the gate's own."""
    effect = changes(scenario, rng)
    machine: SimulatedMachine | RecordedMachine
    if scenario.noise == _RECORDED:
        anchors, machine = 0, RecordedMachine(rng, effect)
    else:
        anchors, machine = _ANCHORS, simulated(scenario, rng, effect)

    def measure(side: SideName, rows: Indices) -> Floats:
        return np.exp(machine.slot("A" if side == "baseline" else "B", rows))

    found = judge_sides(
        measure, scenario.cases, pairs=scenario.pairs, anchors=anchors, seed=seed, rule=rule
    )
    words = np.array([case.word for case in found.cases])
    is_slow = effect > 0
    suite = bool(found.suite and found.suite.confirmed and found.suite.ratio > 1)
    is_false_suite = suite and not is_slow.all()
    return Outcome(
        alarm=bool(((words == "slower") & ~is_slow).any() or is_false_suite or found.machine_moved),
        uncertain=bool(
            np.isin(words, ("uncertain", "slower_with_suite")).any() or not found.enough
        ),
        found=float((words[is_slow] == "slower").mean()) if is_slow.any() else np.nan,
        suite=suite,
        extra=found.extra,
    )


def arithmetic_s(cases: int, *, times: int = 5) -> float:
    """What a gate on a typical machine computes beside measuring, in seconds; the median."""
    taken = []
    for seed in range(times):
        machine = SimulatedMachine(NOISES["typical"], cases, np.random.default_rng(seed))
        measuring_s = 0.0

        def measure(side: SideName, rows: Indices, machine: SimulatedMachine = machine) -> Floats:
            nonlocal measuring_s
            start = time.perf_counter()
            found = np.exp(machine.slot("A" if side == "baseline" else "B", rows))
            measuring_s += time.perf_counter() - start
            return found

        start = time.perf_counter()
        judge_sides(measure, cases, pairs=5, seed=seed)
        taken.append(time.perf_counter() - start - measuring_s)
    return statistics.median(taken)


def _row(scenario: Scenario, outcomes: Sequence[Outcome]) -> list[str]:
    from scipy.stats import binomtest  # noqa: PLC0415 (slow to import)

    runs = len(outcomes)
    alarms = sum(one.alarm for one in outcomes)
    bound = binomtest(alarms, runs, alternative="less").proportion_ci(0.95).high
    uncertain = np.mean([one.uncertain for one in outcomes])
    found = np.mean([one.found for one in outcomes])
    suite = np.mean([one.suite for one in outcomes])
    return [
        scenario.title,
        f"{alarms}/{runs}",
        f"{bound:.2%}",
        f"{uncertain:.1%}",
        f"{np.mean([one.extra for one in outcomes]):.2f}",
        "" if np.isnan(found) else f"{found:.1%}",
        f"{suite:.1%}" if scenario.share == 1 else "",
    ]


def main() -> None:
    """Print the table, line by line as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--only", default="", help="lines whose title contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    print(machine_line())
    rows = [["", "alarms", "bound", "open", "extra", "power", "suite"]]
    with ProcessPoolExecutor(given.jobs) as pool:
        for scenario in SCENARIOS:
            if given.only not in scenario.title:
                continue
            runs = max(10, round(given.runs * scenario.share_of_runs))
            outcomes = list(pool.map(simulate, [scenario] * runs, range(runs), chunksize=10))
            rows.append(_row(scenario, outcomes))
            print(f"  done: {scenario.title}", file=sys.stderr)
    print_table(rows)
    for cases in (_CASES, 3000):
        print(f"arithmetic of a gate of {cases:,} cases: {arithmetic_s(cases):.3f} s")


if __name__ == "__main__":
    main()
