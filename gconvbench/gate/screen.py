"""The first look: which cases are worth a second one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gconvbench.gate.processes import common_part, medians

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gconvbench.gate.processes import Floats, Indices, Processes
    from gconvbench.gate.rule import Rule

__all__ = ["Screen", "Suspects", "moderated", "screen", "suspects"]

_CLIP = 4.0
"""Residuals beyond so many robust sds are taken for these: one spike is not a case's noise."""
_ROBUST = 1.4826


class Screen(NamedTuple):
    """What the first look says of each row.

    Attributes:
        shift: contender over baseline, log scale, shape (rows,); the common part taken off.
        standard_error: of it, shape (rows,).
        degrees: of freedom of the moderated t.
        p_slower: one-sided, shape (rows,).
        p_faster: likewise.
    """

    shift: Floats
    standard_error: Floats
    degrees: float
    p_slower: Floats
    p_faster: Floats


class Suspects(NamedTuple):
    """Rows that are looked at again, the most suspicious first, and those that are not.

    Attributes:
        slower: look slower.
        faster: look faster.
        slower_left_out: look slower, no more than the suite does, and are not looked at again.
        faster_left_out: look faster, and are not looked at again.
        with_suite: those of `slower` that look slower no more than the suite does, where it moved.
    """

    slower: Indices
    faster: Indices
    slower_left_out: Indices
    faster_left_out: Indices
    with_suite: Indices


def screen(found: Processes, common_rows: Indices | None, rule: Rule) -> Screen:
    """A moderated t per row.

    Args:
        found: the first look.
        common_rows: rows whose median is the common part of a process; None takes nothing off.
        rule: the constants.
    """
    from scipy.special import stdtr  # noqa: PLC0415 (slow to import)

    n_baseline, n_contender = found.baseline.shape[1], found.contender.shape[1]
    y = np.concatenate([found.baseline, found.contender], axis=1)
    if common_rows is not None:
        y = y - common_part(y[common_rows])
    sides = (y[:, :n_baseline], y[:, n_baseline:])
    centres = [medians(side, 1) for side in sides]
    shift = centres[1] - centres[0]
    if common_rows is not None:
        shift = shift - medians(shift[common_rows], 0)
    residuals = np.concatenate(
        [side - centre[:, None] for side, centre in zip(sides, centres, strict=True)], axis=1
    )
    spread = _CLIP * _ROBUST * medians(np.abs(residuals), 1)[:, None]
    degrees = n_baseline + n_contender - 2
    variance = np.nansum(np.clip(residuals, -spread, spread) ** 2, axis=1) / max(degrees, 1)
    variance, degrees_in_all = moderated(variance, degrees)
    factor = rule.variance_of_medians * (1 / n_baseline + 1 / n_contender)
    standard_error = np.sqrt(factor * variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = shift / standard_error
    degrees_in_all = min(degrees_in_all, 1e6)
    return Screen(
        shift, standard_error, degrees_in_all, stdtr(degrees_in_all, -t), stdtr(degrees_in_all, t)
    )


def moderated(variance: Floats, degrees: float) -> tuple[Floats, float]:
    """Variances of few values shrunk towards what they have in common.

    Each s^2 is taken for s0^2 times an F(degrees, d0); d0 and s0 are fitted by the moments of
    log s^2 (Smyth 2004, *Linear models and empirical Bayes methods for assessing differential
    expression in microarray experiments*, section 6.2).

    Args:
        variance: shape (rows,).
        degrees: of freedom of each.

    Returns:
        The posterior variances, and their degrees of freedom, `degrees` + d0.
    """
    from scipy.special import digamma, polygamma  # noqa: PLC0415 (slow to import)

    logs = np.log(variance[variance > 0])
    if logs.size < 2 or degrees <= 0:  # noqa: PLR2004 (a variance of logs)
        return np.maximum(variance, np.finfo(float).tiny), max(float(degrees), 1.0)
    e = logs - digamma(degrees / 2) + np.log(degrees / 2)
    excess = e.var(ddof=1) - polygamma(1, degrees / 2)
    if excess <= 0:
        return np.full_like(variance, np.exp(e.mean())), np.inf
    d0 = 2 * _inverse_trigamma(float(excess))
    s0 = np.exp(e.mean() + digamma(d0 / 2) - np.log(d0 / 2))
    return (d0 * s0 + degrees * variance) / (d0 + degrees), degrees + d0


def _inverse_trigamma(x: float) -> float:
    """Newton's iteration of Smyth 2004, appendix."""
    from scipy.special import polygamma  # noqa: PLC0415 (slow to import)

    y = 0.5 + 1 / x
    for _ in range(50):
        value = polygamma(1, y)
        step = value * (1 - value / x) / polygamma(2, y)
        y += step
        if -step / y < 1e-8:  # noqa: PLR2004 (its convergence criterion)
            break
    return float(y)


def suspects(found: Screen, cases: int, rule: Rule, within: Screen | None = None) -> Suspects:
    """The cases that look slower, and those that look faster.

    Of those that look faster a share of the cases is enough; of those that look slower, too, where
    all are compared as they are because the suite moved: beyond that share only those are looked at
    again that look slower than the suite.

    Args:
        found: the first look.
        cases: how many of its rows are no anchors.
        rule: the constants.
        within: where the suite moved, the first look with what all have in common taken off.
    """
    most = max(int(rule.suspect_share * cases), rule.suspect_floor)
    slower, faster = _slower(found, cases, rule), _faster(found, cases, rule)
    with_suite = left_out = slower[:0]
    if within is not None:
        is_apart = np.isin(slower, _slower(within, cases, rule))
        is_wanted = is_apart | (np.arange(slower.size) < most)
        with_suite, left_out = slower[is_wanted & ~is_apart], slower[~is_wanted]
        slower = slower[is_wanted]
    return Suspects(slower, faster[:most], left_out, faster[most:], with_suite)


def _slower(found: Screen, cases: int, rule: Rule) -> Indices:
    return _most_suspicious(found.p_slower[:cases], found.shift[:cases], rule.suspect_p, rule)


def _faster(found: Screen, cases: int, rule: Rule) -> Indices:
    return _most_suspicious(found.p_faster[:cases], -found.shift[:cases], rule.faster_p, rule)


def _most_suspicious(p: Floats, shift: Floats, below: float, rule: Rule) -> Indices:
    chosen: NDArray[np.intp] = np.flatnonzero((p < below) & (shift > np.log1p(rule.suspect_shift)))
    return chosen[np.argsort(p[chosen], kind="stable")]
