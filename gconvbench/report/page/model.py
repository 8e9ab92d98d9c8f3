"""What the page's script reads: numbers to sort and draw by, and the texts that stand for them.

Numbers become text in Python only; the script draws, filters and sorts. Times are seconds. What
there is thousands of is written as arrays, whose fields are named once, in `PageData.fields`.
"""

from __future__ import annotations

import msgspec

__all__ = [
    "FIELDS",
    "PageCase",
    "PageChange",
    "PageData",
    "PageHighest",
    "PageHistory",
    "PageMachine",
    "PageNetwork",
    "PageRow",
    "PageRun",
    "PageSeries",
    "PageTensor",
    "PageTime",
    "PageTotal",
]


class PageTime(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The time of a row in one cache mode.

    Attributes:
        mode: `hot` or `cold`.
        seconds: per launch, over rounds.
        half_width: of its 95 % interval on the log scale.
        text: the time.
        interval: its interval.
        rounds: per round what one unit is, in seconds, and then the samples in whole units.
    """

    mode: str
    seconds: float
    half_width: float | None
    text: str
    interval: str
    rounds: tuple[tuple[float, ...], ...]


class PageTensor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The error of one result, the largest over rounds.

    Attributes:
        tensor: `output`, `grad_input`, ...
        length: the reduction length.
        error: the largest over groups; null where it is not finite.
        limit: what it may be.
        text: the error.
        limit_text: the limit.
        of_limit: the error's share of it.
        exact: the verdict on integers.
    """

    tensor: str
    length: int
    error: float | None
    limit: float
    text: str
    limit_text: str
    of_limit: str
    exact: str


class PageRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An implementation of a case.

    Attributes:
        implementation: index into the machine's.
        outcome: how it ended, in words.
        detail: the reason, where it was not measured.
        times: by cache mode.
        speedup: native's time over this one's.
        speedup_half_width: of its interval on the log scale.
        speedup_text: the same with the digits that its interval bears.
        speedup_interval: its interval.
        first: of preparing and the first launch.
        memory: peak of a launch.
        flow: what poison showed.
        tensors: errors.
        labels: indices into the machine's.
        operators: of PyTorch, that a launch runs.
        kernels: of libraries behind them.
    """

    implementation: int
    outcome: str
    detail: str
    times: tuple[PageTime, ...]
    speedup: float | None
    speedup_half_width: float | None
    speedup_text: str
    speedup_interval: str
    first: str
    memory: str
    flow: str
    tensors: tuple[PageTensor, ...]
    labels: tuple[int, ...]
    operators: str
    kernels: str


class PageCase(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A case and its rows, fastest first.

    Attributes:
        id: the case id.
        name: of the layer, where it has one.
        text: the case in words.
        run: index into the machine's runs, of which it is shown.
        groups: g.
        per_group: C / g.
        operation: of the case, as are the next ones.
        direction: likewise.
        dtype: likewise, with `tf32` where that is its math mode.
        memory_format: likewise.
        shape: everything else, in words: what cells of one map must have in common.
        flops: per launch.
        min_bytes: that a launch must move at the least.
        best: index of the row to use; -1 where nothing was timed.
        how_sure: `clear`, `close` or `one round`; empty where nothing was timed.
        advice: in one line.
        rows: those that are not unsupported.
        unsupported: reason, and the implementations that have it.
        command: that measures it again; empty where another tool did.
    """

    id: str
    name: str
    text: str
    run: int
    groups: int
    per_group: int
    operation: str
    direction: str
    dtype: str
    memory_format: str
    shape: str
    flops: int
    min_bytes: int
    best: int
    how_sure: str
    advice: str
    rows: tuple[PageRow, ...]
    unsupported: tuple[tuple[str, str], ...]
    command: str


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
    """The most that was reached with one dtype, which is no ceiling: the device may do more.

    Attributes:
        flops_per_s: of any timed row.
        bytes_per_s: of the least bytes of any.
        text: both.
    """

    flops_per_s: float
    bytes_per_s: float
    text: str


class PageMachine(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one machine.

    Attributes:
        slug: its folder's name.
        title: for people.
        runs: oldest first.
        modes: cache modes that were timed.
        implementations: names of all on the page, those that are best most often first.
        labels: each with its meaning.
        cases: of the newest run first.
        networks: totals.
        highest: by dtype, as of its cases.
        history: over its runs.
        thinned: the most samples shown of a round; null where all are.
    """

    slug: str
    title: str
    runs: tuple[PageRun, ...]
    modes: tuple[str, ...]
    implementations: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    cases: tuple[PageCase, ...]
    networks: tuple[PageNetwork, ...]
    highest: dict[str, PageHighest]
    history: PageHistory
    thinned: int | None


FIELDS = {
    "case": PageCase.__struct_fields__,
    "row": PageRow.__struct_fields__,
    "time": PageTime.__struct_fields__,
    "tensor": PageTensor.__struct_fields__,
}
"""The names of what is written as arrays."""


class PageData(msgspec.Struct, frozen=True):
    """All of it.

    Attributes:
        machines: that with the newest run first.
        fields: the names of what is written as arrays.
    """

    machines: tuple[PageMachine, ...]
    fields: dict[str, tuple[str, ...]]
