"""Builders of what the package stores, with everything filled in that a test does not name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gconvbench.cases import Case, case_id
from gconvbench.records import (
    Accuracy,
    Connections,
    Environment,
    Equality,
    Explanation,
    Footer,
    Header,
    Job,
    Launched,
    Launches,
    Method,
    Plan,
    PlannedCase,
    Record,
    Span,
    Telemetry,
    TensorAccuracy,
    Timing,
    TwoLayers,
)
from gconvbench.store import Run, RunWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gconvbench.records import CacheMode

MACHINE = "box-cpu"
SMALL = Case(groups=2, in_channels=4, out_channels=6, height=9, width=8, padding=(1, 1))
SMALL_ID = case_id(SMALL)


def make_plan(
    cases: Iterable[Case | PlannedCase] = (SMALL,),
    *,
    implementations: Sequence[str] = ("native", "split_concat"),
    rounds: int = 1,
) -> Plan:
    planned = tuple(
        case if isinstance(case, PlannedCase) else PlannedCase(case_id(case)) for case in cases
    )
    return Plan(cases=planned, implementations=tuple(implementations), rounds=rounds)


def make_header(plan: Plan | None = None, **changes: Any) -> Header:
    method = Method(
        clock="host",
        cache_modes=("hot",),
        target=0.02,
        check_only=changes.pop("check_only", False),
    )
    fields: dict[str, Any] = {
        "run": "20250101T000000Z-abc",
        "created": "2025-01-01T00:00:00Z",
        "plan": plan or make_plan(),
        "method": method,
        "environment": Environment(identity={}, under_test={}, soft={}),
        "device": "cpu",
        "machine": MACHINE,
    }
    return Header(**(fields | changes))


def make_timing(*samples_s: float, mode: CacheMode = "hot", labels: tuple[str, ...] = ()) -> Timing:
    return Timing(
        cache_mode=mode,
        samples_s=samples_s,
        launches_per_sample=1,
        target_reached=True,
        labels=labels,
    )


def make_accuracy(group_error: float | None = 1e-8, *, limit: float = 4e-7) -> Accuracy:
    tensor = TensorAccuracy(
        tensor="output",
        error=group_error,
        group_error=group_error,
        limit=limit,
        reduction_length=18,
        exact="equal",
    )
    return Accuracy(tensors=(tensor,), flow="isolated")


def make_record(
    implementation: str = "native",
    *,
    case: Case | str = SMALL,
    number: int = 1,
    time_s: float | None = 1e-3,
    **changes: Any,
) -> Record:
    """A measured record of one sample `time_s`; with another `outcome`, one without times."""
    outcome = changes.setdefault("outcome", "measured")
    measured = outcome == "measured" and time_s is not None
    fields: dict[str, Any] = {
        "job": Job(case if isinstance(case, str) else case_id(case), implementation),
        "round": number,
        "timings": (make_timing(time_s),) if measured and time_s is not None else (),
        "detail": "" if outcome in {"measured", "checked"} else f"it {outcome}",
    }
    return Record(**(fields | changes))


def make_records(implementation: str, *times_s: float, case: Case = SMALL) -> list[Record]:
    """One measured record per round."""
    return [
        make_record(implementation, case=case, number=number, time_s=time_s)
        for number, time_s in enumerate(times_s, start=1)
    ]


def make_telemetry(wall_s: float) -> Telemetry:
    return Telemetry(wall_s=wall_s, cpu_s=wall_s, involuntary_switches=0, load=0.5)


def make_run(
    records: Iterable[Record], *, plan: Plan | None = None, footer: Footer | None = None
) -> Run:
    """A run as if loaded, from no file."""
    return Run(
        path=Path("20250101T000000Z-abc.jsonl"),
        header=make_header(plan),
        records=tuple(records),
        footer=footer,
        unreadable=0,
        intact=None if footer is None else True,
    )


def store_run(
    results: Path, records: Iterable[Record], *, finished: bool = True, **header: Any
) -> Path:
    """A run in a file, as a real one would be written."""
    writer = RunWriter.create(results, make_header(**header))
    for record in records:
        writer.append(record)
    if finished:
        writer.finish()
    return writer.path


def make_explanation(case: Case, **changes: Any) -> Explanation:
    """Of a layer that is what its groups say, as a worker would see it."""
    per_group, wide = case.group_in_channels, case.group_out_channels
    ends = [(g * per_group, (g + 1) * per_group - 1) for g in range(case.groups)]
    rows = [f"{a}-{b}" if a < b else str(a) for a, b in ends for _ in range(wide)]
    mixed = min(case.groups, wide) * per_group
    one = Launches(
        operators=(Launched("aten::mkldnn_convolution", 1),),
        kernels=(Launched("onednn::convolution(jit:avx2)", 1), Launched("onednn::reorder(a)", 2)),
    )
    each = Launches(
        operators=(Launched("aten::_slow_conv2d_forward", case.groups), Launched("aten::cat", 1)),
        kernels=(),
    )
    grouped: dict[str, Any] = {
        "split": each,
        "equality": Equality(
            largest_difference=2.4e-7,
            largest_magnitude=3.2,
            native={"output": "equal"},
            split={"output": "equal"},
        ),
        "two_layers": TwoLayers(
            without=Span(fewest=per_group, most=per_group),
            shuffled=Span(fewest=mixed, most=mixed),
        ),
    }
    fields: dict[str, Any] = {
        "case": case_id(case),
        "device": "cpu",
        "device_name": "a processor",
        "machine": MACHINE,
        "torch": "2.6.0",
        "connections": Connections(rows=tuple(rows), probe=case_id(case), is_own_size=True),
        "native": one,
    }
    return Explanation(**(fields | (grouped if case.groups > 1 else {}) | changes))
