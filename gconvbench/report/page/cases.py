"""Cases and their rows as the page has them."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from gconvbench.cases import flops, min_bytes
from gconvbench.records import peak_name, united_dispatch
from gconvbench.records.dispatch import BOOKKEEPING
from gconvbench.report import format as fmt
from gconvbench.report.cells import (
    first_launch_text,
    kernels_text,
    least_text,
    left_out_text,
    memory_text,
    of_floor_text,
    speedup_text,
    time_texts,
)
from gconvbench.report.page.case_model import PageCase, PageRow, PageTensor, PageTime
from gconvbench.report.page.samples import in_units
from gconvbench.report.ranking import best_row, how_sure
from gconvbench.report.summary import NATIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gconvbench.cases import Case
    from gconvbench.records import Record, TensorAccuracy
    from gconvbench.report.gather import Entry
    from gconvbench.report.summary import CaseSummary, Row
    from gconvbench.store import Run

__all__ = ["dtype_text", "page_case", "rerun_command"]


def page_case(
    entry: Entry,
    *,
    run: int,
    implementations: Mapping[str, int],
    labels: Mapping[str, int],
    most_samples: int | None,
) -> PageCase:
    """One case.

    Args:
        entry: the case.
        run: index of its run.
        implementations: index by name.
        labels: index by label.
        most_samples: of a round; None for all.
    """
    summary, case = entry.summary, entry.summary.case
    shown = [row for row in summary.rows if row.outcome != "unsupported"]
    best = best_row(summary)
    return PageCase(
        id=summary.planned.case,
        name=summary.planned.name,
        text=fmt.case_text(case),
        run=run,
        groups=case.groups,
        per_group=case.group_in_channels,
        operation=case.operation,
        direction=case.direction,
        dtype=dtype_text(peak_name(case.dtype, case.math_mode)),
        memory_format=case.memory_format,
        shape=_shape(case),
        flops=flops(case),
        min_bytes=min_bytes(case),
        least=least_text(summary.least) if summary.least else "",
        best=shown.index(best) if best else -1,
        how_sure=how_sure(summary),
        advice=summary.advice,
        rows=tuple(
            _row(row, entry.records[row.implementation], implementations, labels, most_samples)
            for row in shown
        ),
        unsupported=_unsupported(summary),
        command=rerun_command(entry.run, summary),
    )


def dtype_text(name: str) -> str:
    """A dtype as the page has it, of what ceilings have it by: `float32 tf32`."""
    return name.replace(":", " ")


def _shape(case: Case) -> str:
    """What cells of one crossover map have in common, beside what a reader can switch."""
    times = case.out_channels / case.in_channels
    words = [
        case.operation,
        f"batch {case.batch}",
        f"{case.height}x{case.width}",
        f"kernel {case.kernel_size[0]}x{case.kernel_size[1]}",
    ]
    words += [f"stride {case.stride[0]}x{case.stride[1]}"] if case.stride != (1, 1) else []
    words += [f"dilation {case.dilation[0]}x{case.dilation[1]}"] if case.dilation != (1, 1) else []
    same = tuple((reach - 1) / 2 for reach in case.reach)
    words += [f"padding {case.padding[0]}x{case.padding[1]}"] if case.padding != same else []
    words += ["bias"] if case.bias else []
    words += [f"{times:.3g} times as many outputs"] if times != 1 else []
    return ", ".join(words)


def _unsupported(summary: CaseSummary) -> tuple[tuple[str, str], ...]:
    by_reason: dict[str, list[str]] = {}
    for row in summary.rows:
        if row.outcome == "unsupported":
            by_reason.setdefault(row.detail, []).append(row.implementation)
    return tuple((reason, ", ".join(names)) for reason, names in by_reason.items())


def rerun_command(run: Run, summary: CaseSummary) -> str:
    """The command that measures a case again by its run's method, for a shell.

    Empty where another tool measured.
    """
    if run.header.origin is not None:
        return ""
    method = run.header.method
    names = [row.implementation for row in summary.rows if row.outcome != "unsupported"]
    words = ["gconvbench", "run", "--case", summary.planned.case]
    words += ["--implementation", ",".join(names)] if names else []
    words += ["--device", run.header.device, "--rounds", str(run.header.plan.rounds)]
    words += ["--threads", str(method.threads)] if method.threads > 1 else []
    words += ["--pin", ",".join(map(str, method.cores))] if method.cores else []
    words += ["--budget", f"{method.budget_s:g}s"] if method.budget_s is not None else []
    words += ["--seed", str(method.seed)] if method.seed else []
    if method.check_only:
        return shlex.join([*words, "--check-only"])
    words += ["--cache", ",".join(method.cache_modes)] if run.header.device != "cpu" else []
    return shlex.join([*words, "--target", f"{100 * method.target:g}%"])


def _row(
    row: Row,
    records: Sequence[Record],
    implementations: Mapping[str, int],
    labels: Mapping[str, int],
    most_samples: int | None,
) -> PageRow:
    dispatch = united_dispatch(record.dispatch for record in records)
    return PageRow(
        implementation=implementations[row.implementation],
        outcome=row.outcome.replace("_", " "),
        detail=row.detail or left_out_text(row),
        times=tuple(_times(row, records, most_samples)),
        speedup=row.speedup,
        speedup_half_width=None if row.implementation == NATIVE else row.speedup_half_width,
        speedup_text=speedup_text(row),
        speedup_interval=""
        if row.implementation == NATIVE
        else fmt.half_width_text(row.speedup_half_width),
        first=first_launch_text(row),
        memory=memory_text(row),
        flow=next((record.accuracy.flow for record in records if record.accuracy), ""),
        tensors=tuple(_tensors(records)),
        labels=tuple(labels[label] for label in row.labels),
        operators=", ".join(one for one in dispatch.operators if one not in BOOKKEEPING),
        kernels=kernels_text(dispatch),
        backends=", ".join(dispatch.backends),
    )


def _times(row: Row, records: Sequence[Record], most_samples: int | None) -> Iterable[PageTime]:
    for mode, estimate in row.times.items():
        text, interval = time_texts(estimate, row.floor)
        timings = [one for record in records for one in record.timings if one.cache_mode == mode]
        yield PageTime(
            mode=mode,
            seconds=estimate.median_s,
            text=text,
            interval=interval,
            of_floor=row.of_floor.get(mode),
            of_floor_text=of_floor_text(row, mode),
            rounds=tuple(in_units(timing.samples_s, most_samples) for timing in timings),
        )


def _tensors(records: Sequence[Record]) -> Iterable[PageTensor]:
    """Of each result the round with the largest error; one that is not finite is the largest."""
    found: dict[str, TensorAccuracy] = {}
    for record in records:
        for one in record.accuracy.tensors if record.accuracy else ():
            if one.tensor not in found or _size(one) > _size(found[one.tensor]):
                found[one.tensor] = one
    for one in found.values():
        share = _size(one) / one.limit
        yield PageTensor(
            tensor=one.tensor,
            length=one.reduction_length,
            error=one.group_error,
            limit=one.limit,
            text=fmt.error_text(one.group_error),
            limit_text=fmt.error_text(one.limit),
            of_limit=fmt.of_limit_text(share) if math.isfinite(share) else "",
            exact=one.exact,
        )


def _size(one: TensorAccuracy) -> float:
    return math.inf if one.group_error is None else one.group_error
