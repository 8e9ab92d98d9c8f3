"""Fresh processes of two sides: gather them in pairs, refuse those that stand out as a whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gconvbench.gate.rule import Rule

__all__ = [
    "Budget",
    "Floats",
    "Indices",
    "Measure",
    "Processes",
    "SideName",
    "checked_levels",
    "common_part",
    "gather",
    "is_refused",
    "level",
    "medians",
]

SideName = Literal["baseline", "contender"]
if TYPE_CHECKING:
    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]
Measure = Callable[[SideName, "Indices"], "Floats"]
"""Start one fresh process of a side and measure these rows: samples in seconds, shape (rows,
samples), or what `level` makes of them, shape (rows,). NaN is what could not be measured. An
exception ends everything."""


class Budget(Protocol):
    """What there is time for."""

    def pairs(self, wanted: int) -> int:
        """Asked after the first pair of processes: how many there may be, of those wanted."""

    def rows(self, pairs: int) -> int:
        """How many rows each process may measure, if there are to be so many more pairs."""


_QUARTILE = 0.25
_SHORTEST_S, _LONGEST_S = 1e-15, 1e15
"""What is outside is no duration of anything that a program does."""
_ROBUST = 1.4826
"""The median absolute deviation of a normal distribution times this is its sd."""
_FEWEST_FOR_MAD = 3


class Processes(NamedTuple):
    """What was measured: log seconds, shape (rows, processes) per side; NaN is not measured.

    Attributes:
        rows: which cases the rows are.
        baseline: its admitted processes.
        contender: likewise.
        refused: how many were refused, per side.
        enough: whether each side has as many admitted ones as were asked for.
    """

    rows: Indices
    baseline: Floats
    contender: Floats
    refused: tuple[int, int] = (0, 0)
    enough: bool = True

    @property
    def sizes(self) -> tuple[int, int]:
        """How many admitted processes each side has."""
        return self.baseline.shape[1], self.contender.shape[1]


def level(samples_s: Floats) -> Floats:
    """What stands for a process: the log of the 25th percentile of its samples.

    The lower quartile, because samples are right-skewed (interruptions only lengthen them) and the
    minimum is one sample's luck.

    Args:
        samples_s: seconds, shape (..., samples).

    Returns:
        Log seconds, shape (...): of n samples the one with floor((n - 1) / 4) below it.

    Raises:
        ValueError: no samples, or one that is no duration.
    """
    if not samples_s.shape[-1]:
        message = f"samples have shape {samples_s.shape}; at least one of each is needed"
        raise ValueError(message)
    strange = (samples_s < _SHORTEST_S) | (samples_s > _LONGEST_S)
    if strange.any():
        message = (
            f"samples must be seconds, {_SHORTEST_S:g} to {_LONGEST_S:g}, or NaN where there is "
            f"none; one is {samples_s[strange][0]:g}"
        )
        raise ValueError(message)
    lower = int(_QUARTILE * (samples_s.shape[-1] - 1))
    return np.log(np.partition(samples_s, lower, axis=-1)[..., lower])


def checked_levels(levels: Floats) -> Floats:
    """Log seconds as they are.

    Raises:
        ValueError: one is the logarithm of no duration.
    """
    strange = (levels < np.log(_SHORTEST_S)) | (levels > np.log(_LONGEST_S))
    if strange.any():
        message = (
            f"levels must be logs of seconds, {_SHORTEST_S:g} to {_LONGEST_S:g}, or NaN where "
            f"there is none; one is {levels[strange][0]:g}"
        )
        raise ValueError(message)
    return levels


def medians(values: Floats, axis: int) -> Floats:
    """Medians that pass over NaN; all-NaN gives NaN."""
    if not np.isnan(values).any():
        return np.asarray(np.median(values, axis=axis))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN: that is what NaN says
        return np.asarray(np.nanmedian(values, axis=axis))


def common_part(y: Floats, centre: Floats | None = None) -> Floats:
    """What all rows of a process have in common: the median of their distances from the row's.

    Args:
        y: log seconds, shape (rows, processes).
        centre: the rows' own medians, shape (rows,), where they are known already.

    Returns:
        Shape (processes,).
    """
    centre = medians(y, 1) if centre is None else centre
    return medians(y - centre[:, None], 0)


def is_refused(baseline: Floats, contender: Floats, rule: Rule) -> tuple[NDArray[np.bool_], ...]:
    """Which processes stand out as slow as a whole, per side.

    A process is compared with all others, the sides centred first: else a real change of the whole
    suite would have its side refused.

    Args:
        baseline: log seconds, shape (rows, processes).
        contender: likewise.
        rule: the constants.
    """
    y = np.concatenate([baseline, contender], axis=1)
    common = common_part(y)
    n = baseline.shape[1]
    common[:n] -= medians(common[:n], 0)
    common[n:] -= medians(common[n:], 0)
    others = ~np.eye(common.size, dtype=bool)
    rest = np.broadcast_to(common, others.shape)[others].reshape(common.size, -1)
    middle = medians(rest, 1)
    spread = _ROBUST * medians(np.abs(rest - middle[:, None]), 1)
    refused = common - middle > np.maximum(np.log1p(rule.refuse_beyond), rule.refuse_sds * spread)
    if common.size < _FEWEST_FOR_MAD:
        refused[:] = False
    return refused[:n], refused[n:]


class _Gathering:
    """Processes of both sides as they come."""

    def __init__(self, measure: Measure, rows: Indices, judged_by: Indices, rule: Rule) -> None:
        self._measure = measure
        self._rows = rows
        self._judged_by = judged_by
        self._rule = rule
        self.levels: dict[SideName, list[Floats]] = {"baseline": [], "contender": []}

    def take(self, sides: Sequence[SideName]) -> None:
        for side in sides:
            found = np.asarray(self._measure(side, self._rows), dtype=float)
            if found.ndim not in {1, 2} or len(found) != self._rows.size:
                message = (
                    f"measure returned shape {found.shape} for {self._rows.size} rows; "
                    "(rows, samples) of seconds is needed, or (rows,) of log seconds"
                )
                raise ValueError(message)
            self.levels[side].append(level(found) if found.ndim > 1 else checked_levels(found))

    def stacked(self, side: SideName) -> Floats:
        return np.stack(self.levels[side], axis=1)

    def refused(self) -> tuple[NDArray[np.bool_], ...]:
        sides = (self.stacked("baseline"), self.stacked("contender"))
        return is_refused(sides[0][self._judged_by], sides[1][self._judged_by], self._rule)


def gather(  # noqa: PLR0913 (keyword-only, one per choice)
    measure: Measure,
    rows: Indices,
    *,
    pairs: int,
    rule: Rule,
    rng: np.random.Generator,
    before: Processes | None = None,
    judged_by: Indices | None = None,
) -> Processes:
    """Measure fresh processes until each side has `pairs` admitted ones, or extra slots are spent.

    Processes come in pairs of one per side. The order within each is a coin's: a strict ABBA is
    caught out by whatever disturbs every fourth process.

    Args:
        measure: starts one process.
        rows: what to measure.
        pairs: admitted processes per side.
        rule: the constants.
        rng: the coin.
        before: processes of these rows that are there already; they count.
        judged_by: positions in `rows` by which a process is admitted; all by default.

    Returns:
        All admitted processes, those of `before` included.
    """
    judged_by = np.arange(rows.size) if judged_by is None else judged_by
    found = _Gathering(measure, rows, judged_by, rule)
    if before is not None:
        found.levels["baseline"] = list(before.baseline.T)
        found.levels["contender"] = list(before.contender.T)
    have = min(len(levels) for levels in found.levels.values())
    for _ in range(pairs - have):
        found.take(_pair(rng))
    extra = int(np.ceil(rule.extra_slots * 2 * (pairs - have)))
    while True:
        refused = found.refused()
        lacking = _lacking(refused, pairs, rng)[:extra]
        if not lacking:
            break
        extra -= len(lacking)
        found.take(lacking)
    baseline, contender = found.stacked("baseline"), found.stacked("contender")
    was = before.refused if before is not None else (0, 0)
    return Processes(
        rows,
        baseline[:, ~refused[0]],
        contender[:, ~refused[1]],
        (was[0] + int(refused[0].sum()), was[1] + int(refused[1].sum())),
        enough=all(int((~one).sum()) >= pairs for one in refused),
    )


def _pair(rng: np.random.Generator) -> list[SideName]:
    return ["baseline", "contender"] if rng.random() < 0.5 else ["contender", "baseline"]  # noqa: PLR2004


def _lacking(
    refused: tuple[NDArray[np.bool_], ...], pairs: int, rng: np.random.Generator
) -> list[SideName]:
    """The sides that need one more process, in random order, as often as they need one."""
    lacking: list[SideName] = []
    for side, one in zip(_BOTH, refused, strict=True):
        lacking += [side] * max(0, pairs - int((~one).sum()))
    return [lacking[i] for i in rng.permutation(len(lacking))]


_BOTH: tuple[SideName, SideName] = ("baseline", "contender")
