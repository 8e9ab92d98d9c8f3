"""Ceilings as text: the table of `gconvbench roofline`, and what a time is of its floor."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.markup import escape

from gconvbench.labels import MEANINGS
from gconvbench.records import COPY, REPLAY
from gconvbench.report import format as fmt
from gconvbench.report.console import aligned, print_lines

if TYPE_CHECKING:
    from rich.console import Console

    from gconvbench.records import Ceilings, RooflineDocument

__all__ = ["OF_FLOOR", "print_ceilings"]

_WIDTH = 80
OF_FLOOR = (
    "of floor: the least time by the machine's measured ceilings over the time taken; above 100 % "
    "where data stay in a cache, or a kernel is better than those that measured the ceilings"
)
"""What the column means, wherever it is shown."""


def print_ceilings(document: RooflineDocument, console: Console) -> None:
    """Bandwidth, throughput per dtype with its ridge, and what a launch takes."""
    found, environment = document.ceilings, document.environment
    console.print(f"[bold]{escape(document.name)}[/bold] on {escape(document.machine)}")
    facts = [
        str(environment.identity.get("device_name") or "unknown device"),
        f"torch {environment.under_test.get('torch')}",
        f"{environment.identity.get('threads')} thread(s)",
    ]
    console.print(", ".join(facts), markup=False)
    console.print()
    copied = found.sizes.get("copy_bytes")
    size = f", by copies of {fmt.bytes_text(copied)}" if copied else ""
    console.print(f"bandwidth   {fmt.bandwidth_text(found.bytes_per_s)}, read plus written{size}")
    if earned := _earned(found, COPY):
        console.print(f"            {earned}")
    for line in _launch_lines(found):
        console.print(line)
    console.print()
    print_lines(_peak_lines(found), console)
    for line in (*_label_notes(found), *_condition_notes(document)):
        console.print(line)
    console.print(
        "[dim]The highest medians seen, no datasheet's. Beyond the ridge the peak bounds a case, "
        "before it the bandwidth. Runs that begin now carry these.[/dim]"
    )


def _condition_notes(document: RooflineDocument) -> list[str]:
    """How long the search was, and why its instrument was not fit."""
    lines = [] if document.budget_s is None else [f"searched for about {document.budget_s:g} s"]
    unfit = document.examination.unfit if document.examination else ()
    for check in unfit:
        told = f"the instrument was not fit: {check.name.replace('_', ' ')}: {check.found}"
        lines += textwrap.wrap(f"{told}; the ceilings may be too low", _WIDTH)
    return lines


def _launch_lines(found: Ceilings) -> list[str]:
    lines = []
    if found.launch_s is not None:
        lines.append(f"a launch    {fmt.about_seconds(found.launch_s)} as called, one of many")
    if found.replay_s is not None:
        lines.append(f"            {fmt.about_seconds(found.replay_s)} in a replayed CUDA graph")
        lines += [f"            {earned}" for earned in filter(None, [_earned(found, REPLAY)])]
    return lines


def _earned(found: Ceilings, name: str) -> str:
    """The labels of a rate; empty where it has none."""
    return ", ".join(found.labels.get(name, ()))


def _label_notes(found: Ceilings) -> list[str]:
    """What each label means, in lines, where there are any."""
    earned = dict.fromkeys(label for labels in found.labels.values() for label in labels)
    notes = [f"{label}: {MEANINGS[label]}" for label in earned if label in MEANINGS]
    if not notes:
        return []
    text = f"{'; '.join(notes)}. What is so marked was measured too slow: measure again."
    return textwrap.wrap(text, _WIDTH, break_on_hyphens=False)


def _peak_lines(found: Ceilings) -> list[str]:
    cells = [["dtype", "FLOP/s", "ridge", "reached by"]]
    for name, per_s in found.flops_per_s.items():
        cells.append([
            name,
            f"{fmt.flops_text(per_s)}/s",
            f"{fmt.number_text(per_s / found.bytes_per_s)} FLOP/byte",
            ", ".join(filter(None, [found.work.get(name), str(found.sizes.get(name, ""))])),
        ])  # fmt: skip
        if earned := _earned(found, name):
            cells.append(["", "", "", earned])
    return aligned(cells, right=(1, 2))
