"""Comparisons made by hand, with everything filled in that a test does not name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gconvbench.cases import Case, case_id
from gconvbench.records import Change, Comparison, Finding, JobVerdict, SideFacts, Suite

if TYPE_CHECKING:
    from collections.abc import Iterable

BASELINE = SideFacts(what="commit 1a2b3c4d5e", commit="1a2b3c4d5e6f" + 28 * "0", processes=5)
CONTENDER = SideFacts(what="commit 5d6e7f8a9b", commit="5d6e7f8a9b0c" + 28 * "0", processes=5)
TIMED = {"implausibly_faster": 0.4, "slower": 1.1, "uncertain": 1.03, "not_reached": 1.02,
         "faster": 0.9, "unchanged": 1.0}  # fmt: skip
"""Kinds with times on both sides, and a ratio that suits them."""


def make_case(**fields: Any) -> str:
    defaults: dict[str, Any] = {
        "groups": 2,
        "in_channels": 64,
        "out_channels": 64,
        "padding": (1, 1),
    }
    return case_id(Case(**(defaults | fields)))


def make_change(ratio: float = 1.1, **fields: Any) -> Change:
    defaults: dict[str, Any] = {
        "baseline_s": 1e-3,
        "contender_s": 1e-3 * ratio,
        "ratio": ratio,
        "low": ratio - 0.02,
        "high": ratio + 0.02,
        "p": 0.0007,
        "baseline_processes": 20,
        "contender_processes": 20,
        "decided": True,
        "minimum_effect": 0.02,
    }
    return Change(**(defaults | fields))


def make_verdict(
    kind: str = "unchanged", *, ratio: float | None = None, **fields: Any
) -> JobVerdict:
    """A job that ended so, with times where its kind has them or a `ratio` is given."""
    ratio = TIMED.get(kind) if ratio is None else ratio
    defaults: dict[str, Any] = {
        "case": make_case(),
        "implementation": "native",
        "kind": kind,
        "change": None if ratio is None else make_change(ratio),
    }
    return JobVerdict(**(defaults | fields))


def make_comparison(jobs: Iterable[JobVerdict] | None = None, **fields: Any) -> Comparison:
    """A gate of two commits; of one unchanged job where none is named."""
    defaults: dict[str, Any] = {
        "command": "gate",
        "created": "2026-01-02T03:04:05Z",
        "device": "cpu",
        "baseline": BASELINE,
        "contender": CONTENDER,
        "jobs": tuple(jobs) if jobs is not None else (make_verdict(),),
        "detectable": 0.031,
    }
    return Comparison(**(defaults | fields))


def make_typical() -> Comparison:
    """Twelve jobs: four slower for a common reason, and one of several other kinds."""
    jobs = []
    for groups in (1, 8, 32):
        for dtype in ("float16", "float32"):
            for direction in ("fprop", "wgrad"):
                is_slower = (groups, dtype) == (32, "float16")
                case = make_case(groups=groups, dtype=dtype, direction=direction, batch=8)
                ratio = (1.104 if direction == "fprop" else 1.05) if is_slower else 1.001
                note = Finding("dispatch", "kernel changed from implicit_gemm to direct")
                jobs.append(
                    make_verdict(
                        "slower" if is_slower else "unchanged",
                        ratio=ratio,
                        case=case,
                        notes=(note,) if is_slower else (),
                    )
                )
    jobs[0] = make_verdict("crashed", case=jobs[0].case, detail="the worker died of SIGSEGV")
    jobs[1] = make_verdict("uncertain", case=jobs[1].case, detail="still open after 40 processes")
    return make_comparison(
        jobs,
        findings=(Finding("soft_difference", "governor is powersave, was performance"),),
        suite=Suite(shift=0.004, low=-0.001, high=0.009, p=0.12, controls=6, controls_shift=0.002),
        seed=3,
        spent_s=250.0,
        budget_s=300.0,
        extra=0.4,
        selection=("--baseline", "main", "--sweep", "quick", "-a", "groups=1,8,32"),
    )
