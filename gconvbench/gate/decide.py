"""The second look: suspects and controls in fresh processes, judged after 10, 20 and 40 a side."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gconvbench.gate.processes import Processes, common_part, gather, medians

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gconvbench.gate.processes import Budget, Floats, Indices, Measure
    from gconvbench.gate.rule import Rule

__all__ = ["Decided", "Estimates", "decide", "hodges_lehmann", "holm", "mann_whitney"]

_Z_95 = 1.96
_Z_ONE_SIDED_95 = 1.645
_FEWEST = 2
"""Processes of a side without which nothing is said."""


class Estimates(NamedTuple):
    """Hodges-Lehmann shifts, contender over baseline, log scale; each of shape (rows,)."""

    shift: Floats
    low: Floats
    high: Floats

    @property
    def standard_error(self) -> Floats:
        """From the width of the interval."""
        return (self.high - self.low) / (2 * _Z_95)


@dataclass
class Decided:
    """What the fresh processes said.

    Attributes:
        slower: rows that are confirmed slower.
        faster: rows that are confirmed faster.
        open: suspects of slowness that the last look left open.
        not_reached: suspects of slowness for which the budget had no (further) time.
        faster_not_reached: suspects of the contrary, likewise.
        slower_left_out: suspects of slowness beyond those that are looked at again, where one like
            them is confirmed.
        faster_left_out: suspects of the contrary, likewise.
        estimates: per row its last estimate: shift, low, high, adjusted p, processes per side.
        controls: the controls' processes after the last look, None without any.
        enough: whether each look had its admitted processes.
        measured: rows times processes.
        refused: processes refused, per side.
    """

    slower: list[int]
    faster: list[int]
    open: list[int]
    not_reached: list[int]
    faster_not_reached: list[int]
    estimates: dict[int, tuple[float, float, float, float, int, int]]
    slower_left_out: list[int] = field(default_factory=list)
    faster_left_out: list[int] = field(default_factory=list)
    controls: Processes | None = None
    enough: bool = True
    measured: int = 0
    processes: tuple[int, int] = (0, 0)
    refused: tuple[int, int] = (0, 0)


class _Family:
    """The suspects of one direction: +1 looks for slower, -1 for faster."""

    def __init__(self, rows: Indices, direction: int, minimum: Floats) -> None:
        self.direction = direction
        self.size = rows.size
        self.open = [int(row) for row in rows]
        self.confirmed: list[int] = []
        self.not_reached: list[int] = []
        self._minimum = minimum

    def judge(self, look: _Look, alpha: float, decided: Decided, *, is_last: bool) -> None:
        """Confirm, drop, or leave open; what lacks a time in some process stays open."""
        if not self.open or not look.is_judgeable:
            return
        at = look.positions(self.open)
        corrected, plain = look.corrected.at(at), look.plain.at(at)
        p = mann_whitney(*corrected, self.direction)
        is_small = holm(p, self.size, alpha)
        if look.controls_moved_by(self.direction):
            is_small &= holm(mann_whitney(*plain, self.direction), self.size, alpha)
        estimates, without = hodges_lehmann(*corrected), hodges_lehmann(*plain)
        least = np.log1p(self._minimum[self.open])
        shift, bare = self.direction * estimates.shift, self.direction * without.shift
        is_confirmed = is_small & (shift > least) & (bare > least)
        is_small_at_most = shift + _Z_ONE_SIDED_95 * estimates.standard_error < least
        is_futile = (p > look.rule.doubt_p) | (shift < least) if is_last else p > look.rule.futile_p
        is_whole = np.isfinite(np.concatenate(corrected, axis=1).sum(axis=1))
        is_dropped = is_whole & ~is_confirmed & (is_small_at_most | is_futile)
        sizes = (corrected[0].shape[1], corrected[1].shape[1])
        for i, row in enumerate(self.open):
            if not is_whole[i]:
                continue
            adjusted = min(1.0, float(p[i]) * self.size)
            ends = (float(one[i]) for one in estimates)
            decided.estimates[row] = (*ends, adjusted, *sizes)
        self.confirmed += [row for row, yes in zip(self.open, is_confirmed, strict=True) if yes]
        is_closed = is_confirmed | is_dropped
        self.open = [row for row, closed in zip(self.open, is_closed, strict=True) if not closed]

    def keep(self, count: int) -> int:
        """Only so many stay, the most suspicious; returns how many more there may be of others."""
        self.not_reached += self.open[max(0, count) :]
        self.open = self.open[: max(0, count)]
        return count - len(self.open)


class _Sides(NamedTuple):
    baseline: Floats
    contender: Floats

    def at(self, rows: list[int]) -> tuple[Floats, Floats]:
        return self.baseline[rows], self.contender[rows]


class _Look:
    """All processes of the second stage so far, with and without what they have in common."""

    def __init__(self, found: Processes, controls: int, rule: Rule, *, subtract: bool) -> None:
        self._position = {int(row): i for i, row in enumerate(found.rows)}
        self.rule = rule
        sides = _Sides(found.baseline, found.contender)
        self._common: tuple[Floats, Floats] | None = None
        if subtract and controls:
            n = found.baseline.shape[1]
            common = common_part(np.concatenate(sides, axis=1)[:controls])
            is_known = ~np.isnan(common)  # a process that ended early may lack all controls
            sides = _Sides(sides.baseline[:, is_known[:n]], sides.contender[:, is_known[n:]])
            self._common = (common[:n][is_known[:n]], common[n:][is_known[n:]])
        self.plain = self.corrected = sides
        if self._common:
            baseline, contender = self._common
            self.corrected = _Sides(sides.baseline - baseline, sides.contender - contender)
        self.is_judgeable = min(side.shape[1] for side in sides) >= _FEWEST

    def positions(self, rows: list[int]) -> list[int]:
        return [self._position[row] for row in rows]

    def controls_moved_by(self, direction: int) -> bool:
        """Whether what is subtracted moved against the direction looked for."""
        if self._common is None:
            return False
        baseline, contender = self._common
        p = mann_whitney(baseline[None], contender[None], -direction)
        return bool(p[0] < self.rule.controls_p)


def decide(  # noqa: PLR0913 (keyword-only, one per choice)
    measure: Measure,
    slower: Indices,
    faster: Indices,
    controls: Indices,
    *,
    minimum: Floats,
    rule: Rule,
    rng: np.random.Generator,
    subtract: bool = True,
    budget: Budget | None = None,
) -> Decided:
    """Look again at the suspects until each is confirmed, dropped, or was looked at three times.

    Args:
        measure: starts one process.
        slower: suspects of slowness, the most suspicious first.
        faster: suspects of the contrary.
        controls: rows whose median is a process's common part.
        minimum: smallest effect per row that counts, as a share, shape (rows,).
        rule: the constants.
        rng: the coin of the order within pairs.
        subtract: whether the common part is taken off.
        budget: what there is time for; None is all.
    """
    families = (_Family(slower, 1, minimum), _Family(faster, -1, minimum))
    decided = Decided([], [], [], [], [], {})
    found: Processes | None = None
    for pairs, alpha in zip(rule.looks, rule.alphas, strict=True):
        have = 0 if found is None else min(found.baseline.shape[1], found.contender.shape[1])
        affordable = budget.rows(pairs - have) if budget else None
        _cut(families, controls.size, affordable)
        is_first = found is None and (affordable is None or affordable >= controls.size > 0)
        if not any(family.open for family in families) and not is_first:
            break
        rows = _rows(controls, families)
        before = None if found is None else _restricted(found, rows)
        judged_by = np.arange(controls.size) if controls.size else None
        found = gather(
            measure, rows, pairs=pairs, rule=rule, rng=rng, before=before, judged_by=judged_by
        )
        _count(decided, found, before)
        look = _Look(found, controls.size, rule, subtract=subtract)
        for family in families:
            family.judge(look, alpha, decided, is_last=pairs == rule.looks[-1])
    if found is not None and controls.size:
        decided.controls = _restricted(found, controls)
    decided.slower, decided.faster = families[0].confirmed, families[1].confirmed
    decided.open, decided.not_reached = families[0].open, families[0].not_reached
    decided.faster_not_reached = families[1].not_reached
    return decided


def _cut(families: tuple[_Family, _Family], controls: int, affordable: int | None) -> None:
    """Leave out, of what cannot be afforded, first what looks faster, then the least suspicious."""
    if affordable is None:
        return
    left = affordable - controls
    for family in families:
        left = family.keep(left)


def _rows(controls: Indices, families: tuple[_Family, _Family]) -> Indices:
    suspects = [row for family in families for row in family.open]
    return np.concatenate([controls, np.array(suspects, dtype=np.intp)])


def _restricted(found: Processes, rows: Indices) -> Processes:
    position = {int(row): i for i, row in enumerate(found.rows)}
    at = [position[int(row)] for row in rows]
    return found._replace(rows=rows, baseline=found.baseline[at], contender=found.contender[at])


def _count(decided: Decided, found: Processes, before: Processes | None) -> None:
    admitted = (found.baseline.shape[1], found.contender.shape[1])
    was = (before.baseline.shape[1], before.contender.shape[1]) if before else (0, 0)
    refused_before = before.refused if before else (0, 0)
    new = sum(admitted) - sum(was) + sum(found.refused) - sum(refused_before)
    decided.measured += found.rows.size * new
    decided.processes = (admitted[0] + found.refused[0], admitted[1] + found.refused[1])
    decided.refused = found.refused
    decided.enough = found.enough


def mann_whitney(baseline: Floats, contender: Floats, direction: int) -> Floats:
    """Exact one-sided p per row that the contender is larger (direction 1) or smaller (-1).

    Mann and Whitney 1947, *On a test of whether one of two random variables is stochastically
    larger*; equal values count half. `scipy.stats.mannwhitneyu` gives the same, and takes forty
    times as long, most of it before it begins; a test asks it. Rows with NaN give 1.

    Args:
        baseline: shape (rows, processes).
        contender: shape (rows, processes), not necessarily as many.
        direction: 1 or -1.
    """
    larger = direction * (contender[:, :, None] - baseline[:, None, :])
    u = (larger > 0).sum(axis=(1, 2)) + 0.5 * (larger == 0).sum(axis=(1, 2))
    p = _survival(baseline.shape[1], contender.shape[1])[np.floor(u).astype(int)]
    return np.where(np.isnan(larger).any(axis=(1, 2)), 1.0, p)


@functools.lru_cache(maxsize=256)
def _survival(n: int, m: int) -> Floats:
    """P(U >= u) of the Mann-Whitney statistic under exchangeability, for u = 0 ... n m.

    The counts are the coefficients of the Gaussian binomial: the product over i = 1 ... n of
    (1 - x^(m + i)) / (1 - x^i) (Mann and Whitney 1947, section 4), in whole numbers.
    """
    counts = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for u in range(n * m, m + i - 1, -1):
            counts[u] -= counts[u - m - i]
        for u in range(i, n * m + 1):
            counts[u] += counts[u - i]
    total = sum(counts)
    tails = itertools.accumulate(reversed(counts))
    return np.array([tail / total for tail in tails])[::-1]


def holm(p: Floats, family: int, alpha: float) -> NDArray[np.bool_]:
    """Which hypotheses Holm's procedure rejects (Holm 1979, *A simple sequentially rejective …*).

    Args:
        p: of those that are tested, shape (tests,).
        family: how many there are in all; those not tested count as the least significant ones.
        alpha: family-wise error.
    """
    order = np.argsort(p, kind="stable")
    is_small = p[order] <= alpha / (family - np.arange(p.size))
    rejected = np.zeros(p.size, dtype=bool)
    rejected[order] = np.logical_and.accumulate(is_small)
    return rejected


def hodges_lehmann(baseline: Floats, contender: Floats) -> Estimates:
    """The median of all pairwise differences per row, with its distribution-free 95 % interval.

    Hodges and Lehmann 1963; the interval's ranks by the normal approximation (Hollander, Wolfe and
    Chicken 2014, *Nonparametric Statistical Methods*, section 4.3).

    Args:
        baseline: log seconds, shape (rows, processes).
        contender: likewise.
    """
    differences = contender[:, :, None] - baseline[:, None, :]
    n, m = differences.shape[1:]
    ordered = np.sort(differences.reshape(len(baseline), n * m), axis=1)
    spread = _Z_95 * np.sqrt(n * m * (n + m + 1) / 12)
    rank = max(0, int(n * m / 2 - spread))
    return Estimates(medians(ordered, 1), ordered[:, rank], ordered[:, n * m - 1 - rank])
