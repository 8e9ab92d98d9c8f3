"""The constants of the decision, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Rule"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a gate decides; changes are shares, on the log scale they are log1p of these.

    The figures are those of a design that was tried on simulated noise, calibrated on real one.

    Attributes:
        minimum_effect: a smaller slowdown is none.
        suspect_p: one-sided p below which the first look makes a case a suspect. Large, because a
            suspect costs time, not an alarm.
        suspect_shift: with a smaller estimate a case is no suspect.
        suspect_share: of cases that look faster so many at most are looked at again; of those that
            look slower as the whole suite does, too.
        suspect_floor: so many may always be.
        faster_p: as `suspect_p` for cases that look faster; smaller, because they never fail.
        variance_of_medians: of the difference of two medians over that of two means, squared sds
            from few normal values: pi / 2 for many values, 1.3 fits three to five.
        controls: unsuspicious cases that are measured along with the suspects.
        looks: fresh processes per side after which the suspects are judged.
        alphas: what each look may spend of the family-wise error of 1 % (a Bonferroni split, valid
            however the looks depend on each other).
        futile_p: at a look, a suspect whose unadjusted p is larger is dropped: nothing speaks for
            a slowdown, whatever its noise could hide.
        doubt_p: after the last look, a suspect whose estimate exceeds the minimum effect stays
            uncertain where its unadjusted p is smaller.
        refuse_beyond: a process whose common part exceeds the others' median by less is kept.
        refuse_sds: likewise, in robust standard deviations of the others.
        extra_slots: so many more processes may be measured for refused ones, as a share.
        small_gate: with fewer cases their median would carry the very change that is looked for.
        suite_shift: a smaller change of everything is none.
        suite_p: two-sided, of each of two looks at the suite.
        controls_p: one-sided; where the controls are faster at this level, a case must be slower
            without the correction, too.
        believed: a larger speedup is not believed: it is usually a broken benchmark.
        stored_p: adjusted p below which stored data leave a case uncertain.
    """

    minimum_effect: float = 0.02
    suspect_p: float = 0.15
    suspect_shift: float = 0.008
    suspect_share: float = 1 / 3
    suspect_floor: int = 20
    faster_p: float = 0.02
    variance_of_medians: float = 1.3
    controls: int = 16
    looks: tuple[int, ...] = (10, 20, 40)
    alphas: tuple[float, ...] = (0.001, 0.003, 0.006)
    futile_p: float = 0.2
    doubt_p: float = 0.05
    refuse_beyond: float = 0.03
    refuse_sds: float = 4.0
    extra_slots: float = 0.5
    small_gate: int = 20
    suite_shift: float = 0.01
    suite_p: float = 0.001
    controls_p: float = 0.05
    believed: float = 2.0
    stored_p: float = 0.05
