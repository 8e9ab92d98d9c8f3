"""Everything of one machine as the page has it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gconvbench.labels import MEANINGS
from gconvbench.records import COPY
from gconvbench.report import format as fmt
from gconvbench.report.headline import machine_title, networks_of_machine
from gconvbench.report.history import (
    change_texts,
    changed_text,
    event_details,
    event_title,
    history_notes,
    history_sentence,
)
from gconvbench.report.networks import network_totals
from gconvbench.report.page.cases import dtype_text, page_case
from gconvbench.report.page.model import (
    PageCeiling,
    PageCeilings,
    PageChange,
    PageHighest,
    PageHistory,
    PageMachine,
    PageNetwork,
    PageRun,
    PageSeries,
    PageTotal,
)
from gconvbench.report.page.samples import most_per_round
from gconvbench.report.ranking import best_row
from gconvbench.report.table import run_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gconvbench.history import HistoryRun, Judged, Series
    from gconvbench.records import Ceilings
    from gconvbench.report.gather import Machine
    from gconvbench.report.networks import NetworkTotal
    from gconvbench.report.page.case_model import PageCase
    from gconvbench.store import Run

__all__ = ["implementations_of", "page_machine"]

_MOST_SERIES = 2_000
"""In a page; those that changed come first."""
_FEWEST_VALUES = 2


def page_machine(machine: Machine, judged: Judged | None, names: Sequence[str]) -> PageMachine:
    """One machine.

    Args:
        machine: with its runs and cases.
        judged: its history; None where no run has times.
        names: of all implementations on the page, in the order of their letters and colours.
    """
    labels = sorted(
        {label for e in machine.entries for row in e.summary.rows for label in row.labels}
    )
    most = most_per_round([
        len(timing.samples_s)
        for entry in machine.entries
        for records in entry.records.values()
        for record in records
        for timing in record.timings
    ])  # fmt: skip
    run_index = {id(run): number for number, run in enumerate(machine.runs)}
    cases = tuple(
        page_case(
            entry,
            run=run_index[id(entry.run)],
            implementations={name: number for number, name in enumerate(names)},
            labels={label: number for number, label in enumerate(labels)},
            most_samples=most,
        )
        for entry in machine.entries
    )
    return PageMachine(
        slug=machine.slug,
        title=machine_title(machine),
        runs=tuple(map(_run, machine.runs)),
        implementations=tuple(names),
        labels=tuple((label, MEANINGS.get(label, "")) for label in labels),
        cases=cases,
        networks=tuple(_networks(machine)),
        highest=_highest(cases),
        ceilings=_ceilings(machine),
        history=_history(judged),
        thinned=most,
    )


def implementations_of(machines: Sequence[Machine]) -> list[str]:
    """Those that are best most often first: they get the clearest colours, on all machines."""
    best = Counter(
        row.implementation
        for machine in machines
        for entry in machine.timed
        if (row := best_row(entry.summary))
    )
    names = dict.fromkeys(
        row.implementation
        for machine in machines
        for entry in machine.entries
        for row in entry.summary.rows
        if row.outcome != "unsupported"
    )
    return sorted(names, key=lambda name: -best[name])


def _highest(cases: Sequence[PageCase]) -> dict[str, PageHighest]:
    """By dtype over all rows, in their first cache mode."""
    reached: dict[str, tuple[float, float]] = {}
    for case in cases:
        for seconds in (row.times[0].seconds for row in case.rows if row.times):
            flops_per_s, bytes_per_s = reached.get(case.dtype, (0.0, 0.0))
            reached[case.dtype] = (
                max(flops_per_s, case.flops / seconds),
                max(bytes_per_s, case.min_bytes / seconds),
            )
    return {
        dtype: PageHighest(
            flops_per_s=flops_per_s,
            bytes_per_s=bytes_per_s,
            text=f"In {dtype}: {fmt.flops_text(flops_per_s)}/s, {fmt.bandwidth_text(bytes_per_s)}.",
        )
        for dtype, (flops_per_s, bytes_per_s) in reached.items()
    }


def _ceilings(machine: Machine) -> PageCeilings | None:
    """Those of the newest run that has any."""
    known = [run.header.ceilings for run in machine.runs if run.header.ceilings]
    if not known:
        return None
    found = known[-1]
    return PageCeilings(
        bytes_per_s=found.bytes_per_s,
        text=(
            f"Ceilings of this machine, measured {found.created[:10]} by gconvbench roofline: "
            f"{fmt.bandwidth_text(found.bytes_per_s)} by large copies, read plus written"
            f"{_earned(found, COPY)};"
        ),
        peaks={dtype_text(name): _ceiling(found, name) for name in found.flops_per_s},
    )


def _ceiling(found: Ceilings, name: str) -> PageCeiling:
    per_s = found.flops_per_s[name]
    by = found.work.get(name, "product")
    ridge = fmt.number_text(per_s / found.bytes_per_s)
    peak = f"{dtype_text(name)} {fmt.flops_text(per_s)}/s by a large {by}"
    text = f"{peak}, ridge at {ridge} FLOP/byte{_earned(found, name)}"
    return PageCeiling(flops_per_s=per_s, text=text)


def _earned(found: Ceilings, name: str) -> str:
    """The labels of a rate, in brackets; empty where it has none."""
    labels = found.labels.get(name)
    return f" ({', '.join(labels)})" if labels else ""


def _run(run: Run) -> PageRun:
    return PageRun(
        name=run.header.run,
        created=run.header.created,
        commit=str(run.header.environment.under_test.get("commit") or "")[:10],
        line=run_line(run),
    )


def _networks(machine: Machine) -> list[PageNetwork]:
    """Each network of the newest run that has all of it."""
    found: dict[str, PageNetwork] = {}
    for run, network in networks_of_machine(machine):
        variants = {"": network.grouped}
        if network.is_varied:
            variants = {
                "with its groups": network.grouped,
                "groups 1 everywhere": network.ungrouped,
            }
        for variant, layers in variants.items():
            title = ", ".join(filter(None, [network.title, variant]))
            if title not in found and (totals := network_totals(list(layers.values()))):
                found[title] = PageNetwork(
                    title=title,
                    run=run.header.run,
                    layers=len(layers),
                    totals=tuple(map(_page_total, totals)),
                )
    return list(found.values())


def _page_total(one: NetworkTotal) -> PageTotal:
    return PageTotal(
        implementation=one.implementation,
        seconds=one.time.median_s,
        half_width=one.time.half_width,
        text=fmt.measured_seconds(one.time.median_s, one.time.half_width),
        interval=fmt.half_width_text(one.time.half_width),
        own_seconds=one.own_s,
        own_layers=one.own_layers,
    )


def _history(judged: Judged | None) -> PageHistory:
    if judged is None:
        return PageHistory(
            sentence="no run has times", notes=(), events=(), runs=(), series=(), hidden=0
        )
    changed = {one.key.name: number for number, one in enumerate(judged.found)}
    several = [one for one in judged.history.series if _count(one) >= _FEWEST_VALUES]
    several.sort(key=lambda one: changed.get(one.key.name, len(changed)))
    return PageHistory(
        sentence=history_sentence(judged),
        notes=tuple(history_notes(judged)),
        events=tuple(
            "; ".join([" ".join(event_title(event, judged)), *event_details(event, judged)])
            for event in judged.events
        ),
        runs=tuple(map(_history_run, judged.history.runs)),
        series=tuple(_series(one, judged) for one in several[:_MOST_SERIES]),
        hidden=max(0, len(several) - _MOST_SERIES),
    )


def _count(series: Series) -> int:
    return sum(value is not None for value in series.values)


def _history_run(run: HistoryRun) -> PageRun:
    torch = run.environment.under_test.get("torch") if run.environment else None
    return PageRun(
        name=run.name,
        created=run.created,
        commit=run.commit[:10],
        line=f"torch {torch}" if torch else "",
    )


def _series(series: Series, judged: Judged) -> PageSeries:
    runs: Sequence[HistoryRun] = judged.history.runs
    changes = judged.findings[series.key.name].changes
    return PageSeries(
        case=series.key.case,
        implementation=series.key.implementation,
        mode=series.key.cache_mode,
        values=series.values,
        half_widths=series.half_widths,
        changes=tuple(
            PageChange(
                change.index,
                f"{text}; {changed_text(runs[change.last_before], runs[change.index])}",
            )
            for change, text in zip(changes, change_texts(series, judged), strict=True)
        ),
    )
