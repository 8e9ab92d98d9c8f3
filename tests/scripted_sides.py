"""Two sides whose processes are scripted: what each job takes or how it ends, and nothing runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gconvbench.planning import GATE_SAMPLES, gate_method
from gconvbench.protocol import Description, Ready
from gconvbench.records import Dispatch, Environment, Job, Memory, Record, Timing
from gconvbench.runner import confront as confronting
from gconvbench.runner import confront_stored as stored_confronting
from gconvbench.runner import meeting
from gconvbench.runner.question import Question, QuestionSide
from gconvbench.runner.side import Side
from gconvbench.runner.slots import Asked, Slot
from tests.comparisons import make_case
from tests.fakes import make_accuracy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

__all__ = ["CASES", "ScriptedSide", "TwoSides"]

DISPATCH = Dispatch(
    operators=("aten::mkldnn_convolution",), kernels=("onednn::convolution(jit:avx2)",)
)
CASES = tuple(make_case(out_channels=64 * n) for n in range(1, 31))
"""Enough of them for controls."""
METHOD = gate_method("cpu")
ANCHORS = ("memmove_64KiB", "memmove_256KiB", "memmove_1MiB", "memmove_4MiB",
           "sha256", "pbkdf2", "crc32", "deflate")  # fmt: skip


@dataclass
class ScriptedSide:
    """What a side has and how its jobs end.

    Attributes:
        jobs: what it has.
        times_s: seconds of a job where they are not a millisecond.
        outcomes: how a job ends where it is not measured, with its detail.
        unsupported: reasons.
        identity: of its environment.
        under_test: implementations that lie in its checkout.
        anchors_s: seconds of every anchor.
        error: of every result.
        peak_bytes: of every launch.
        dispatch: of every launch.
        names: layers' names by case.
        words: the implementations that it is asked for.
        problems: why implementations that it has cannot be used.
        wall_s: how long a process takes.
    """

    jobs: Sequence[Job] = field(default_factory=lambda: [Job(case, "native") for case in CASES])
    times_s: dict[Job, float] = field(default_factory=dict)
    outcomes: dict[Job, str] = field(default_factory=dict)
    unsupported: dict[Job, str] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=lambda: {"device_name": "box", "threads": 1})
    under_test: Sequence[str] = ("native",)
    anchors_s: float = 1e-3
    error: float = 1e-7
    peak_bytes: int = 1 << 20
    dispatch: Dispatch = DISPATCH
    names: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ("default",)
    problems: dict[str, str] = field(default_factory=dict)
    torch: str = "2.13.0"
    commit: str = "1a2b3c4d5e6f" + 28 * "0"

    def ready(self) -> Ready:
        environment = Environment(
            identity=self.identity,
            under_test={"torch": self.torch, "commit": self.commit},
            soft={},
            sources={"cudnn_benchmark": "torch.backends.cudnn.benchmark"},
        )
        known = sorted({job.implementation for job in self.jobs})
        described = tuple(
            Description(name, "", ("conv",), "test", is_under_test=name in self.under_test)
            for name in known
        ) + tuple(Description(name, "", (), "test", why) for name, why in self.problems.items())
        return Ready(environment, "box-1", described)

    def record(self, job: Job, number: int, rng: np.random.Generator) -> Record:
        if outcome := self.outcomes.get(job):
            accuracy = make_accuracy(None) if outcome == "nan" else None
            return Record(
                job=job,
                round=number,
                outcome="wrong" if outcome == "nan" else outcome,  # type: ignore[arg-type]
                detail=f"it {outcome}",
                accuracy=accuracy,
            )
        time_s = self.times_s.get(job, 1e-3) * np.exp(rng.normal(0, 0.005))
        samples_s = time_s * np.exp(rng.normal(0, 0.005, GATE_SAMPLES))
        timing = Timing(
            cache_mode="hot",
            samples_s=tuple(samples_s.tolist()),
            launches_per_sample=1,
            target_reached=True,
        )
        memory = Memory(
            peak_bytes=self.peak_bytes, result_bytes=1, resolution_bytes=1, source="test"
        )
        return Record(
            job=job,
            round=number,
            outcome="measured",
            accuracy=make_accuracy(self.error),
            timings=(timing,),
            memory=memory,
            dispatch=self.dispatch,
        )


class TwoSides:
    """Stands in for everything that starts a process.

    Args:
        monkeypatch: of the test.
        baseline: its script.
        contender: its script.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, baseline: ScriptedSide, contender: ScriptedSide
    ) -> None:
        self.scripts = {"baseline": baseline, "contender": contender}
        self.slots: list[str] = []
        self.rng = np.random.default_rng(0)
        for module in (confronting, stored_confronting):
            monkeypatch.setattr(module, "ask", self._ask)
        monkeypatch.setattr(meeting, "MeasuredSide", self._measured_side)

    def question(self, **changes: Any) -> Question:
        sides = {
            name: QuestionSide(
                Side(what=f"commit {script.commit[:10]}"),
                METHOD,
                lambda _: (),
                script.names | {job.case: script.names.get(job.case, "") for job in script.jobs},
                script.words,
            )
            for name, script in self.scripts.items()
        }
        defaults: dict[str, Any] = {
            "baseline": sides["baseline"],
            "contender": sides["contender"],
            "device": "cpu",
            "pairs": 5,
            "results": Path("nowhere"),
            "minimum_effect_for": lambda *_: 0.02,
            "timeout_s": 60.0,
        }
        self._names = {id(side.side): name for name, side in sides.items()}
        return Question(**(defaults | changes))

    def _script(self, side: Side) -> tuple[str, ScriptedSide]:
        name = self._names[id(side)]
        return name, self.scripts[name]

    def _ask(self, side: Side, *_others: object) -> Asked:
        script = self._script(side)[1]
        reasons = {job: script.unsupported.get(job) for job in script.jobs}
        return Asked(script.ready(), reasons, 0.5)

    def _measured_side(self, side: Side, *_: object, **__: object) -> _MeasuredSide:
        name, script = self._script(side)
        return _MeasuredSide(name, script, self)


class _MeasuredSide:
    def __init__(self, name: str, script: ScriptedSide, sides: TwoSides) -> None:
        self.slots = 0
        self.run = f"{name}-run"
        self._name, self._script, self._sides = name, script, sides

    def measure(
        self,
        jobs: Sequence[Job],
        *,
        anchor_samples: int = 0,
        is_over: Callable[[], bool] = bool,
    ) -> Slot:
        self.slots += 1
        self._sides.slots.append(self._name)
        rng = self._sides.rng
        records = {job: self._script.record(job, self.slots, rng) for job in jobs if not is_over()}
        anchors = {
            name: tuple((self._script.anchors_s * np.exp(rng.normal(0, 0.002, 3))).tolist())
            for name in ANCHORS
            if anchor_samples
        }
        return Slot(records, anchors, wall_s=1.0)

    def finish(self) -> None:
        """Nothing is stored."""
