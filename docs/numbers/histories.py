"""Does `gconvbench history` find what changed, soon, and nothing else?

    python docs/numbers/histories.py

First 25 real series that an expert has judged (`data/histories`), of which five have a slowdown; a
hit lies within five points of the marked one, a false one is a slowdown anywhere in the other
twenty. A build that was measured several times is one run, its median; the other row takes every
measurement for a run of its own.

Then simulated histories of 200 runs, fixed seeds (`simulated_histories.py`, `noise.py`): none to
three steps of 3 to 30 % (log-uniform, up or down, at least 20 runs apart and from the ends); a
found one hits when it lies within five runs and goes the same way. *Flat* ones have no step; one
look is at all 200 runs, *watched* ones are looked at after every run from the 16th on. *Delay* is
how many runs at a level 10 % up, after 100 flat runs, are there when it is first reported. *Drift*
is a climb by 1 % per run for 30 runs after 60 flat ones, looked at when it ends; *step beside a
drift* is one of 10 % up, at most 30 runs before or after the climb's end or the end of a fall by as
much, in 150 runs; *another one there* is any step beside that one.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from common import machine_line, print_table
from noise import NOISES
from simulated_histories import flat_histories, ramp, steps

from gconvbench.history import find_changes
from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from noise import Noise
    from numpy.random import Generator
    from simulated_histories import Values

DATA = Path(__file__).parent / "data" / "histories"
REACH = 5
RUNS = 200
SIZES = (0.03, 0.3)
APART = 20
MOST_STEPS = 3
BEFORE, CLIMB, PER_RUN, STEP, LONGEST = 60, 30, 0.01, 0.1, 24
AIMS = {
    "F1": ("at least", 0.92),
    "flat, one look": ("at most", 0.02),
    "delay, median": ("at most", 6.0),
    "delay, 90 %": ("at most", 6.0),
    "drift": ("at least", 0.9),
}
"""On the typical machine."""
MEMORIES = (0.4, 0.6, 0.8)
LIMIT_S = 20.0


class Truth(NamedTuple):
    """A simulated history and its steps: first run at the new level, and size on the log scale."""

    values: Values
    steps: list[tuple[int, float]]


def main() -> None:
    """Judge real series, then simulated ones, then the clock."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=int, default=500, help="simulated, of each kind")
    parser.add_argument("--watched", type=int, default=100)
    parser.add_argument("--timed", type=int, default=1000)
    options = parser.parse_args()
    print(machine_line())
    print_labelled()
    columns = {}
    for name, noise in NOISES.items():
        columns[name] = figures(noise, options.histories, options.watched)
        print(f"  done: {name}", file=sys.stderr)
    print_figures(columns)
    print_times(options.timed)


def print_labelled() -> None:
    """Hits and false alarms on the real series."""
    rows = [["labelled set", "hits", "false", "also faster", "drifts"]]
    for what, by_build in (("a run is a build", True), ("a run is a measurement", False)):
        hits = false = regressions = others = faster = drifts = 0
        for marked, values, places in labelled(by_build=by_build):
            found = find_changes(values)
            slower = [places[one.index] for one in found.changes if one.change > 0]
            faster += any(one.change < 0 for one in found.changes)
            drifts += bool(found.drifts)
            if marked is None:
                others += 1
                false += bool(slower)
            else:
                regressions += 1
                hits += any(abs(place - marked) <= REACH for place in slower)
        row = [what, f"{hits} of {regressions}", f"{false} of {others}", str(faster), str(drifts)]
        rows.append(row)
    print_table(rows)
    print()


def labelled(*, by_build: bool) -> Iterator[tuple[int | None, list[float], list[int]]]:
    """The marked point if any, the logarithms, and at which point each of them begins."""
    with (DATA / "metadata" / "dataset_details.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file, delimiter=";") if row][1:]
    for kind, name, marked in rows:
        runs: dict[str, tuple[int, list[float]]] = {}
        with (DATA / "data" / name).open(encoding="utf-8") as file:
            for place, point in enumerate(csv.DictReader(file)):
                run = point["GHC"] if by_build else str(place)
                runs.setdefault(run, (place, []))[1].append(float(point["Measurement"]))
        values = [math.log(statistics.median(points)) for _, points in runs.values()]
        is_marked = kind.strip() == "regression"
        yield int(marked) if is_marked else None, values, [place for place, _ in runs.values()]


def figures(noise: Noise, count: int, watched: int) -> dict[str, float]:
    """Everything that is asked of one machine's histories, by name."""
    flat = flat_histories(noise, count, RUNS, _rng(1))
    found = map(find_changes, flat)
    alarms = sum(bool(one.changes or one.drifts) for one in found)
    return {
        "sd of a history": float(np.median(np.std(flat, axis=1))),
        **_step_figures(noise, count),
        "flat, one look": alarms / count,
        "flat, watched": _watched(noise, watched),
        **_memory_figures(noise, count),
        **_delays(noise, max(count // 2, 1)),
        **_drift_figures(noise, max(count // 2, 1)),
    }


def _step_figures(noise: Noise, count: int) -> dict[str, float]:
    rng = _rng(2)
    hits = missed = false = 0
    by_size: dict[str, list[bool]] = {}
    for truth in _with_steps(noise, count, rng):
        found = [(one.index, one.change) for one in find_changes(truth.values).changes]
        for start, size in truth.steps:
            near = [one for one in found if abs(one[0] - start) <= REACH and one[1] * size > 0]
            by_size.setdefault(_size_name(size), []).append(bool(near))
            if near:
                found.remove(min(near, key=lambda one: abs(one[0] - start)))
                hits += 1
            else:
                missed += 1
        false += len(found)
    return {
        "F1": 2 * hits / max(2 * hits + missed + false, 1),
        "precision": hits / max(hits + false, 1),
        **{name: statistics.fmean(by_size.get(name, [False])) for name in _SIZE_NAMES},
    }


def _with_steps(noise: Noise, count: int, rng: Generator) -> Iterator[Truth]:
    for flat in flat_histories(noise, count, RUNS, rng):
        number = int(rng.integers(0, MOST_STEPS + 1))
        starts = _starts(number, rng)
        heights = np.exp(rng.uniform(math.log(SIZES[0]), math.log(SIZES[1]), number))
        sizes = [float(size) for size in np.log1p(heights) * rng.choice((-1, 1), number)]
        yield Truth(flat + steps(RUNS, starts, sizes), list(zip(starts, sizes, strict=True)))


def _starts(number: int, rng: Generator) -> list[int]:
    """Uniform among all that lie far enough apart."""
    while True:
        starts = sorted(int(start) for start in rng.integers(APART, RUNS - APART + 1, number))
        if all(b - a >= APART for a, b in itertools.pairwise(starts)):
            return starts


_SIZE_NAMES = {
    "found of 3 to 5 %": 0.05,
    "found of 5 to 10 %": 0.1,
    "found of 10 to 30 %": math.inf,
}


def _size_name(size: float) -> str:
    height = math.expm1(abs(size))
    return next(name for name, below in _SIZE_NAMES.items() if height < below)


def _watched(noise: Noise, count: int) -> float:
    """The share of flat histories that were ever called changed or drifting."""
    alarms = 0
    for values in flat_histories(noise, count, RUNS, _rng(3)):
        looks = (find_changes(values[:runs]) for runs in range(16, RUNS + 1))
        alarms += any(look.changes or look.drifts for look in looks)
    return alarms / max(count, 1)


def _memory_figures(noise: Noise, count: int) -> dict[str, float]:
    """The share of flat histories called changed or drifting whose neighbours resemble each other.

    Autoregressive of the first order, with the machine's sd and this correlation of neighbours.
    """
    found = {}
    for memory in MEMORIES:
        flat = flat_histories(noise, count, RUNS, _rng(8))
        alike = np.array([_remembering(values, memory) for values in flat])
        looks = [find_changes(values) for values in alike]
        name = f"flat, neighbours {memory:g} alike"
        found[name] = statistics.fmean(bool(look.changes or look.drifts) for look in looks)
    return found


def _remembering(values: Values, memory: float) -> Values:
    """The same sd, each value `memory` of the one before and the rest its own."""
    own = (values - values.mean()) * math.sqrt(1 - memory**2)
    found = [float(values[0] - values.mean())]
    for value in own[1:]:
        found.append(memory * found[-1] + float(value))
    return np.array(found)


def _delays(noise: Noise, count: int) -> dict[str, float]:
    start = 100
    level = steps(start + LONGEST, [start], [math.log1p(STEP)])
    delays = [
        next((d for d in range(1, LONGEST + 1) if _sees(values, start, d)), math.inf)
        for values in flat_histories(noise, count, start + LONGEST, _rng(4)) + level
    ]
    ordered = sorted(delays)
    some = flat_histories(noise, max(count // 5, 1), start + LONGEST, _rng(4)) + level
    return {
        "seen, then not": statistics.fmean(_vanishes(values, start) for values in some),
        "delay, median": ordered[(len(ordered) - 1) // 2],
        "delay, 90 %": ordered[math.ceil(0.9 * len(ordered)) - 1],
    }


def _vanishes(values: Values, start: int) -> bool:
    """Whether the step is seen after some runs, and not after some more."""
    seen = [_sees(values, start, delay) for delay in range(1, LONGEST + 1)]
    return not all(itertools.dropwhile(lambda one: not one, seen))


def _sees(values: Values, start: int, delay: int) -> bool:
    found = find_changes(values[: start + delay]).changes
    return any(abs(one.index - start) <= REACH and one.change > 0 for one in found)


def _drift_figures(noise: Noise, count: int) -> dict[str, float]:
    runs = BEFORE + CLIMB
    climb = ramp(runs, BEFORE, CLIMB, PER_RUN)
    found = [find_changes(flat + climb) for flat in flat_histories(noise, count, runs, _rng(5))]
    return {
        "drift": statistics.fmean(any(d.change > 0 for d in one.drifts) for one in found),
        "drift, called a step": statistics.fmean(bool(one.changes) for one in found),
        **_step_beside_drift(noise, count),
    }


def _step_beside_drift(noise: Noise, count: int) -> dict[str, float]:
    rng = _rng(7)
    hits, false = [], []
    runs = BEFORE + 3 * CLIMB
    for flat in flat_histories(noise, count, runs, rng):
        start = int(rng.integers(BEFORE, BEFORE + 2 * CLIMB + 1))
        drift = rng.choice((-1, 1)) * ramp(runs, BEFORE, CLIMB, PER_RUN)
        found = find_changes(flat + drift + steps(runs, [start], [math.log1p(STEP)])).changes
        near = [one for one in found if abs(one.index - start) <= REACH and one.change > 0]
        hits.append(bool(near))
        false.append(len(found) > bool(near))
    return {
        "step beside a drift": statistics.fmean(hits),
        "another one there": statistics.fmean(false),
    }


def print_figures(columns: dict[str, dict[str, float]]) -> None:
    """One row per figure, one column per machine, and whether the aim is met."""
    rows = [["simulated histories", *columns, "aim, typical", ""]]
    for name in next(iter(columns.values())):
        cells = [_cell(name, column[name]) for column in columns.values()]
        rows.append([name, *cells, *_aim(name, columns["typical"][name])])
    print_table(rows)
    print()


def _cell(name: str, value: float) -> str:
    if name.startswith("delay"):
        return f"{value:.0f}" if value < math.inf else f"> {LONGEST}"
    return f"{value:.3f}"


def _aim(name: str, value: float) -> tuple[str, str]:
    if name not in AIMS:
        return "", ""
    word, aim = AIMS[name]
    holds = value >= aim if word == "at least" else value <= aim
    return f"{word} {aim:g}", "holds" if holds else "missed"


def print_times(count: int) -> None:
    """How long so many series take."""
    series = [truth.values for truth in _with_steps(NOISES["typical"], count, _rng(6))]
    find_changes(series[0])  # imports what it needs
    start = time.perf_counter()
    for values in series:
        find_changes(values)
    wall_s = time.perf_counter() - start
    of_1000_s = wall_s * 1000 / count
    print(
        f"{count} series of {RUNS} runs: {fmt.seconds(wall_s)}, or {fmt.seconds(of_1000_s)} per "
        f"1000; aim: at most {LIMIT_S:g} s, {'holds' if of_1000_s <= LIMIT_S else 'missed'}"
    )


def _rng(seed: int) -> Generator:
    return np.random.default_rng(seed)


if __name__ == "__main__":
    main()
