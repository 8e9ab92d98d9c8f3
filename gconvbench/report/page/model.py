"""What the page's script reads: numbers to sort and draw by, and the texts that stand for them.

Numbers become text in Python only; the script draws, filters and sorts. Times are seconds. Cases
are written as arrays, whose fields are named once, in `PageData.fields`.
"""

from __future__ import annotations

import msgspec

from gconvbench.report.page.case_model import PageCase

__all__ = [
    "PageCeiling",
    "PageCeilings",
    "PageChange",
    "PageData",
    "PageHighest",
    "PageHistory",
    "PageMachine",
    "PageNetwork",
    "PageRun",
    "PageSeries",
    "PageTotal",
]


class PageRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run in a line.

    Attributes:
        name: of the run.
        created: when.
        commit: of the code under test, shortened.
        line: device, software and method.
    """

    name: str
    created: str
    commit: str
    line: str


class PageTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A network's total with one implementation.

    Attributes:
        implementation: its name, or `best per layer`.
        seconds: of all layers, times their counts.
        half_width: on the log scale.
        text: the total.
        interval: its interval.
        own_seconds: the part that it computes itself.
        own_layers: of how many layers that is.
    """

    implementation: str
    seconds: float
    half_width: float | None
    text: str
    interval: str
    own_seconds: float
    own_layers: int


class PageNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A network in one direction and dtype, with groups or without.

    Attributes:
        title: which, in words.
        run: of which run.
        layers: how many.
        totals: `best per layer`, then each implementation, shortest first.
    """

    title: str
    run: str
    layers: int
    totals: tuple[PageTotal, ...]


class PageChange(msgspec.Struct, frozen=True):
    """A change point.

    Attributes:
        index: of the first run at the new level.
        text: what changed by how much, between which commits, and with which versions.
    """

    index: int
    text: str


class PageSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One value per run.

    Attributes:
        case: its id.
        implementation: its name.
        mode: cache mode.
        values: seconds; null where a run has none.
        half_widths: on the log scale.
        changes: oldest first.
    """

    case: str
    implementation: str
    mode: str
    values: tuple[float | None, ...]
    half_widths: tuple[float | None, ...]
    changes: tuple[PageChange, ...]


class PageHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's history.

    Attributes:
        sentence: what was found.
        notes: what was not looked at, and why.
        events: one line per commit range.
        runs: those that series count.
        series: with values in two runs at the least; those that changed first.
        hidden: how many more there are.
    """

    sentence: str
    notes: tuple[str, ...]
    events: tuple[str, ...]
    runs: tuple[PageRun, ...]
    series: tuple[PageSeries, ...]
    hidden: int


class PageHighest(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a case reached with one dtype, which is no ceiling: the device may do more.

    Attributes:
        flops_per_s: of any timed row.
        bytes_per_s: of the least bytes of any.
        text: both.
    """

    flops_per_s: float
    bytes_per_s: float
    text: str


class PageCeiling(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one dtype.

    Attributes:
        flops_per_s: the highest of large products.
        text: it, what reached it, and its ridge.
    """

    flops_per_s: float
    text: str


class PageCeilings(msgspec.Struct, frozen=True, kw_only=True):
    """The device's ceilings, by the newest run that has any.

    Attributes:
        bytes_per_s: of large copies.
        text: when they were measured, by what, and the bandwidth.
        peaks: by dtype, as of its cases.
    """

    bytes_per_s: float
    text: str
    peaks: dict[str, PageCeiling]


class PageMachine(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one machine.

    Attributes:
        slug: its folder's name.
        title: for people.
        runs: oldest first.
        implementations: names of all on the page, those that are best most often first.
        labels: each with its meaning.
        cases: of the newest run first.
        networks: totals.
        highest: by dtype, as of its cases.
        ceilings: of the device; null where no run has any.
        history: over its runs.
        thinned: the most samples shown of a round; null where all are.
    """

    slug: str
    title: str
    runs: tuple[PageRun, ...]
    implementations: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    cases: tuple[PageCase, ...]
    networks: tuple[PageNetwork, ...]
    highest: dict[str, PageHighest]
    ceilings: PageCeilings | None
    history: PageHistory
    thinned: int | None


class PageData(msgspec.Struct, frozen=True):
    """All of it.

    Attributes:
        machines: that with the newest run first.
        fields: the names of what is written as arrays.
    """

    machines: tuple[PageMachine, ...]
    fields: dict[str, tuple[str, ...]]
