"""The gate's rule beside other tools' on the same simulated machines: false alarms and power.

    python docs/numbers/gate_peers.py [--runs 1000] [--changed 50] [--noise typical quiet shared]

Every rule (`peer_rules.py`) judges the same machines (`gate.py`): the same cases with the same
noise, of which none or a tenth was slowed; each measures as many processes and samples as its tool
does by default. All of it happens in one session, which is generous to tools that compare with a
stored run. A process times all cases one after the other, where asv and pyperf start one for each.
criterion's bootstrap has 10,000 resamples instead of 100,000. Seeds are fixed.

A/A is the share of runs without a change in which any case is called slower, with Clopper and
Pearson's interval; then comes the share of slowed cases that is found, by slowdown; then what it
costs: processes of a side, and samples of a case in each. Our gate's processes are the mean over
cases and runs without a change, its second look included.
"""

from __future__ import annotations

import argparse
import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from common import machine_line, print_table
from gate import Scenario, changes, judged, simulated
from peer_rules import RULES, criterion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from peer_rules import PeerRule, Plan

__all__ = ["Call", "interval", "ours", "peers", "sides_s", "with_resamples"]

SLOWDOWNS = (0.02, 0.05, 0.1, 0.2)
PAIRS = (3, 5)
SAMPLES = 30
"""Of a process of our gate."""


class Call(NamedTuple):
    """What one rule said in one run.

    Attributes:
        alarm: something is called slower that is not.
        found: share of the slowed cases that are called slower; NaN without any.
        processes: of each side that timed a case, the mean over cases.
    """

    alarm: bool
    found: float
    processes: float


def sides_s(
    scenario: Scenario, seed: int, plan: Plan
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a tool measures on one machine: seconds, A and B, shape (cases, processes, samples)."""
    rng = _rng(seed)
    machine = simulated(scenario, rng, changes(scenario, rng))
    cases = np.arange(scenario.cases)
    slots: dict[str, list[NDArray[np.float64]]] = {"A": [], "B": []}
    for side in plan.order:
        slots[side].append(machine.slot("A" if side == "A" else "B", cases, plan.samples))
    return np.exp(np.stack(slots["A"], axis=1)), np.exp(np.stack(slots["B"], axis=1))


def peers(scenario: Scenario, seed: int, rules: Sequence[PeerRule] = RULES) -> list[Call]:
    """What the rules say of one machine; those of one plan of the same samples."""
    measured = functools.cache(functools.partial(sides_s, scenario, seed))
    is_slow = changes(scenario, _rng(seed)) > 0
    return [
        _call(rule.slower(*measured(rule.plan)), is_slow, rule.plan.processes) for rule in rules
    ]


def ours(scenario: Scenario, seed: int, pairs: int) -> Call:
    """What our gate says of the same machine."""
    outcome = judged(scenario._replace(pairs=pairs), _rng(seed), seed)
    return Call(outcome.alarm, outcome.found, pairs * (1 + outcome.extra))


def interval(alarms: int, runs: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a chance."""
    from scipy.stats import binomtest  # noqa: PLC0415 (slow to import)

    found = binomtest(alarms, runs).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def _rng(seed: int) -> np.random.Generator:
    """What a run's machine is drawn by, the same for all rules; as `gate.simulate` has it."""
    return np.random.default_rng([seed, 0])


def _call(slower: NDArray[np.bool_], is_slow: NDArray[np.bool_], processes: float) -> Call:
    found = float(slower[is_slow].mean()) if is_slow.any() else np.nan
    return Call(bool((slower & ~is_slow).any()), found, processes)


def _all_calls(scenario: Scenario, runs: int, rules: Sequence[PeerRule]) -> list[list[Call]]:
    """By rule, ours last, the calls of so many runs."""
    by_run = (
        [*peers(scenario, seed, rules), *(ours(scenario, seed, pairs) for pairs in PAIRS)]
        for seed in range(runs)
    )
    return [list(calls) for calls in zip(*by_run, strict=True)]


def _row(title: str, samples: int, unchanged: list[Call], changed: list[list[Call]]) -> list[str]:
    alarms = sum(call.alarm for call in unchanged)
    low, high = interval(alarms, len(unchanged))
    return [
        title,
        f"{alarms / len(unchanged):.1%}",
        f"{100 * low:.1f}-{high:.1%}",
        *(f"{np.mean([call.found for call in calls]):.0%}" for calls in changed),
        f"{np.mean([call.processes for call in unchanged]):.3g} x {samples}",
    ]


def _table(noise: str, given: argparse.Namespace, rules: Sequence[PeerRule]) -> list[list[str]]:
    def calls(slowdown: float, runs: int) -> list[list[Call]]:
        slower = float(np.log1p(slowdown))
        return _all_calls(Scenario(noise, 3, given.cases, slower=slower), runs, rules)

    unchanged = calls(0.0, given.runs)
    changed = [calls(slowdown, given.changed) for slowdown in SLOWDOWNS]
    names = [(rule.title, rule.plan.samples) for rule in rules]
    names += [(f"gconvbench, P = {pairs}", SAMPLES) for pairs in PAIRS]
    head = [noise, "A/A", "95 %", *(f"{one:.0%}" for one in SLOWDOWNS), "cost"]
    rows = zip(names, unchanged, zip(*changed, strict=True), strict=True)
    return [head, *(_row(*name, same, list(other)) for name, same, other in rows)]


def with_resamples(resamples: int) -> tuple[PeerRule, ...]:
    """The other tools' rules, criterion's bootstrap with so many."""
    fewer: Callable[..., NDArray[np.bool_]] = functools.partial(criterion, resamples=resamples)
    return tuple(
        rule._replace(slower=fewer) if rule.slower is criterion else rule for rule in RULES
    )


def main() -> None:
    """Print a table per kind of machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000, help="without a change")
    parser.add_argument("--changed", type=int, default=50, help="runs of each slowdown")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--noise", nargs="+", default=["typical"])
    parser.add_argument("--resamples", type=int, default=10_000, help="of criterion's bootstrap")
    given = parser.parse_args()
    print(machine_line())
    print(f"{given.cases} cases; {given.runs:,} runs without a change, {given.changed} of each")
    print(f"slowdown of a tenth of the cases; {given.resamples:,} resamples for criterion.rs")
    for noise in given.noise:
        print()
        print_table(_table(noise, given, with_resamples(given.resamples)))


if __name__ == "__main__":
    main()
